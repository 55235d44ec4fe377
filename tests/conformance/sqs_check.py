"""40 checks of an SQS endpoint against what AWS documents. Needs boto3.

python sqs_check.py http://127.0.0.1:PORT [results.json]
"""

import sys
from common import *
import threading

ep = sys.argv[1]
out = sys.argv[2] if len(sys.argv) > 2 else None
s = client("sqs", ep)
U = uuid.uuid4().hex[:6]


def mk(n, **a):
    return s.create_queue(
        QueueName=n + "-" + U + (".fifo" if a.get("FifoQueue") else ""),
        Attributes={k: str(v) for k, v in a.items()},
    )["QueueUrl"]


def arn(q):
    return s.get_queue_attributes(QueueUrl=q, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]


def recv(q, n=10, w=0, **k):
    return s.receive_message(
        QueueUrl=q,
        MaxNumberOfMessages=n,
        WaitTimeSeconds=w,
        MessageSystemAttributeNames=["All"],
        MessageAttributeNames=["All"],
        **k
    ).get("Messages", [])


def cnt(q):
    a = s.get_queue_attributes(
        QueueUrl=q,
        AttributeNames=[
            "ApproximateNumberOfMessages",
            "ApproximateNumberOfMessagesNotVisible",
            "ApproximateNumberOfMessagesDelayed",
        ],
    )["Attributes"]
    return tuple(
        int(a.get(k, -1))
        for k in (
            "ApproximateNumberOfMessages",
            "ApproximateNumberOfMessagesNotVisible",
            "ApproximateNumberOfMessagesDelayed",
        )
    )


@check("create+attributes(All)")
def _():
    q = mk("attr", VisibilityTimeout=7, MessageRetentionPeriod=1209600)
    a = s.get_queue_attributes(QueueUrl=q, AttributeNames=["All"])["Attributes"]
    return a["VisibilityTimeout"] == "7", "MaximumMessageSize=%s keys=%d" % (
        a.get("MaximumMessageSize"),
        len(a),
    )


@check("default MaximumMessageSize=1048576")
def _():
    q = mk("attr2")
    a = s.get_queue_attributes(QueueUrl=q, AttributeNames=["All"])["Attributes"]
    return a.get("MaximumMessageSize") == "1048576", a.get("MaximumMessageSize")


@check("SendMessageBatch + msg attributes")
def _():
    q = mk("batch")
    r = s.send_message_batch(
        QueueUrl=q,
        Entries=[
            {
                "Id": str(i),
                "MessageBody": "b%d" % i,
                "MessageAttributes": {
                    "a": {"DataType": "String", "StringValue": "x%d" % i},
                    "n": {"DataType": "Number", "StringValue": "3"},
                    "b": {"DataType": "Binary", "BinaryValue": b"\x01\x02"},
                },
            }
            for i in range(10)
        ],
    )
    m = []
    t = time.time()
    while len(m) < 10 and time.time() - t < 5:
        m += recv(q)
    x = m[0]
    return (
        len(r["Successful"]) == 10
        and len(m) == 10
        and x["MessageAttributes"]["b"]["BinaryValue"] == b"\x01\x02"
        and x["MessageAttributes"]["a"]["StringValue"].startswith("x"),
        "MD5OfMessageAttributes" in x,
    )


@check("batch 11 -> TooManyEntriesInBatchRequest")
def _():
    q = mk("b11")
    return err(
        lambda: s.send_message_batch(
            QueueUrl=q, Entries=[{"Id": str(i), "MessageBody": "b"} for i in range(11)]
        ),
        "AWS.SimpleQueueService.TooManyEntriesInBatchRequest",
    )


@check("batch dup ids -> BatchEntryIdsNotDistinct")
def _():
    q = mk("bdup")
    return err(
        lambda: s.send_message_batch(QueueUrl=q, Entries=[{"Id": "1", "MessageBody": "b"} for i in range(2)]),
        "AWS.SimpleQueueService.BatchEntryIdsNotDistinct",
    )


@check("DelaySeconds per message (2s)")
def _():
    q = mk("delay")
    s.send_message(QueueUrl=q, MessageBody="d", DelaySeconds=2)
    a = recv(q)
    c = cnt(q)
    time.sleep(2.3)
    b = recv(q, w=2)
    return len(a) == 0 and len(b) == 1, "counts while delayed=%s" % (c,)


@check("queue-level DelaySeconds + per-batch delay")
def _():
    q = mk("qdelay", DelaySeconds=2)
    s.send_message_batch(
        QueueUrl=q,
        Entries=[{"Id": "a", "MessageBody": "a"}, {"Id": "b", "MessageBody": "b", "DelaySeconds": 0}],
    )
    time.sleep(0.2)
    a = recv(q)
    time.sleep(2.3)
    b = recv(q)
    return [m["Body"] for m in a] == ["b"] and [m["Body"] for m in b] == ["a"], (
        [m["Body"] for m in a],
        [m["Body"] for m in b],
    )


@check("DelaySeconds 901 rejected")
def _():
    q = mk("d901")
    return err(lambda: s.send_message(QueueUrl=q, MessageBody="x", DelaySeconds=901), "InvalidParameterValue")


@check("long poll waits full 3s when empty")
def _():
    q = mk("lp")
    t = time.time()
    m = recv(q, w=3)
    d = time.time() - t
    return 2.7 < d < 4 and not m, "%.2fs" % d


@check("long poll wakes on send")
def _():
    q = mk("lp2")
    threading.Timer(1, lambda: client("sqs", ep).send_message(QueueUrl=q, MessageBody="w")).start()
    t = time.time()
    m = recv(q, w=8)
    d = time.time() - t
    return len(m) == 1 and d < 2.2, "woke after %.2fs (send at 1s)" % d


@check("ApproximateReceiveCount & system attrs")
def _():
    q = mk("arc", VisibilityTimeout=1)
    s.send_message(
        QueueUrl=q,
        MessageBody="x",
        MessageSystemAttributes={
            "AWSTraceHeader": {
                "DataType": "String",
                "StringValue": "Root=1-5759e988-bd862e3fe1be46a994272793",
            }
        },
    )
    a = recv(q)[0]
    time.sleep(1.3)
    b = recv(q, w=1)[0]
    at = b["Attributes"]
    return a["Attributes"]["ApproximateReceiveCount"] == "1" and at["ApproximateReceiveCount"] == "2" and all(
        k in at for k in ("SentTimestamp", "ApproximateFirstReceiveTimestamp", "SenderId", "AWSTraceHeader")
    ), sorted(at)


@check("ChangeMessageVisibility 0 -> immediate")
def _():
    q = mk("cv0", VisibilityTimeout=30)
    s.send_message(QueueUrl=q, MessageBody="x")
    a = recv(q)[0]
    e = recv(q)
    s.change_message_visibility(QueueUrl=q, ReceiptHandle=a["ReceiptHandle"], VisibilityTimeout=0)
    b = recv(q)
    return not e and len(b) == 1 and b[0]["Attributes"]["ApproximateReceiveCount"] == "2"


@check("ChangeMessageVisibility 2s backoff")
def _():
    q = mk("cv2", VisibilityTimeout=30)
    s.send_message(QueueUrl=q, MessageBody="x")
    a = recv(q)[0]
    s.change_message_visibility(QueueUrl=q, ReceiptHandle=a["ReceiptHandle"], VisibilityTimeout=2)
    e = recv(q)
    t = time.time()
    b = recv(q, w=5)
    return not e and len(b) == 1 and 1.5 < time.time() - t < 3.2, "reappeared in long poll after %.2fs" % (
        time.time() - t
    )


@check("ChangeMessageVisibilityBatch (0 and 20)")
def _():
    q = mk("cvb", VisibilityTimeout=30)
    for i in range(3):
        s.send_message(QueueUrl=q, MessageBody=str(i))
    m = []
    t = time.time()
    while len(m) < 3 and time.time() - t < 5:
        m += recv(q)
    r = s.change_message_visibility_batch(
        QueueUrl=q,
        Entries=[
            {"Id": "a", "ReceiptHandle": m[0]["ReceiptHandle"], "VisibilityTimeout": 0},
            {"Id": "b", "ReceiptHandle": m[1]["ReceiptHandle"], "VisibilityTimeout": 20},
            {"Id": "c", "ReceiptHandle": "garbage", "VisibilityTimeout": 0},
        ],
    )
    b = recv(q)
    return len(r["Successful"]) == 2 and len(r.get("Failed", [])) == 1 and len(
        b
    ) == 1, "ok=%s failed=%s back=%d" % (
        [x["Id"] for x in r["Successful"]],
        [x.get("Code") for x in r.get("Failed", [])],
        len(b),
    )


@check("ChangeMessageVisibility > 43200 rejected")
def _():
    q = mk("cvbig")
    s.send_message(QueueUrl=q, MessageBody="x")
    a = recv(q)[0]
    return err(
        lambda: s.change_message_visibility(
            QueueUrl=q, ReceiptHandle=a["ReceiptHandle"], VisibilityTimeout=43201
        ),
        "InvalidParameterValue",
    )


@check("ChangeMessageVisibility on not-in-flight msg")
def _():
    q = mk("cvnf", VisibilityTimeout=1)
    s.send_message(QueueUrl=q, MessageBody="x")
    a = recv(q)[0]
    time.sleep(1.4)
    return err(
        lambda: s.change_message_visibility(
            QueueUrl=q, ReceiptHandle=a["ReceiptHandle"], VisibilityTimeout=10
        ),
        "AWS.SimpleQueueService.MessageNotInflight",
        "InvalidParameterValue",
    )


@check("DeleteMessage w/ expired receipt still deletes")
def _():
    q = mk("delx", VisibilityTimeout=1)
    s.send_message(QueueUrl=q, MessageBody="x")
    a = recv(q)[0]
    time.sleep(1.3)
    s.delete_message(QueueUrl=q, ReceiptHandle=a["ReceiptHandle"])
    return not recv(q)


@check("DeleteMessage garbage receipt -> ReceiptHandleIsInvalid")
def _():
    q = mk("delg")
    return err(lambda: s.delete_message(QueueUrl=q, ReceiptHandle="garbage"), "ReceiptHandleIsInvalid")


@check("DeleteMessageBatch")
def _():
    q = mk("delb")
    for i in range(3):
        s.send_message(QueueUrl=q, MessageBody=str(i))
    m = []
    t = time.time()
    while len(m) < 3 and time.time() - t < 5:
        m += recv(q)
    r = s.delete_message_batch(
        QueueUrl=q, Entries=[{"Id": str(i), "ReceiptHandle": x["ReceiptHandle"]} for i, x in enumerate(m)]
    )
    return len(r["Successful"]) == 3 and cnt(q) == (0, 0, 0)


@check("counts visible/inflight/delayed")
def _():
    q = mk("cnt", VisibilityTimeout=30)
    for i in range(4):
        s.send_message(QueueUrl=q, MessageBody=str(i))
    s.send_message(QueueUrl=q, MessageBody="d", DelaySeconds=30)
    recv(q, n=1)
    c = cnt(q)
    return c == (3, 1, 1), c


D = {}


@check("RedrivePolicy maxReceiveCount=2 -> DLQ")
def _():
    d = mk("dlq")
    q = mk(
        "src",
        VisibilityTimeout=1,
        RedrivePolicy=json.dumps({"deadLetterTargetArn": arn(d), "maxReceiveCount": 2}),
    )
    D.update(d=d, q=q)
    s.send_message(
        QueueUrl=q, MessageBody="poison", MessageAttributes={"k": {"DataType": "String", "StringValue": "v"}}
    )
    n = []
    for i in range(4):
        n.append(len(recv(q, w=1)))
        time.sleep(1.2)
    m = recv(d, w=2)
    at = m[0]["Attributes"] if m else {}
    for x in m:
        s.change_message_visibility(QueueUrl=d, ReceiptHandle=x["ReceiptHandle"], VisibilityTimeout=0)
    return n == [1, 1, 0, 0] and len(m) == 1, "receives=%s dlq=%d ARC=%s DLQSourceArn=%s attrs=%s" % (
        n,
        len(m),
        at.get("ApproximateReceiveCount"),
        "DeadLetterQueueSourceArn" in at,
        bool(m and m[0].get("MessageAttributes")),
    )


@check("ListDeadLetterSourceQueues")
def _():
    return D["q"] in s.list_dead_letter_source_queues(QueueUrl=D["d"])["queueUrls"]


def task(arn_):
    return s.list_message_move_tasks(SourceArn=arn_)["Results"][0]


def settle(arn_):
    t = time.time()
    l = task(arn_)
    while l["Status"] == "RUNNING" and time.time() - t < 10:
        time.sleep(0.3)
        l = task(arn_)
    return l


@check("StartMessageMoveTask: dead-lettered messages go back to their source")
def _():
    d = mk("mtd")
    q = mk(
        "mts",
        VisibilityTimeout=0,
        RedrivePolicy=json.dumps({"deadLetterTargetArn": arn(d), "maxReceiveCount": 2}),
    )
    ids = {s.send_message(QueueUrl=q, MessageBody="m%d" % i)["MessageId"] for i in range(5)}
    sent = time.time() * 1000
    for _ in range(12):
        recv(q, VisibilityTimeout=0)
    time.sleep(1.2)
    before = (cnt(q), cnt(d))
    s.start_message_move_task(SourceArn=arn(d))
    l = settle(arn(d))
    after = (cnt(q), cnt(d))
    m = recv(q, n=1)
    return before[1][0] == 5 and after[0][0] == 5 and after[1][0] == 0 and l["Status"] == "COMPLETED" and m[
        0
    ]["Attributes"]["ApproximateReceiveCount"] == "1" and m[0]["MessageId"] not in ids and float(
        m[0]["Attributes"]["SentTimestamp"]
    ) > sent + 500, "before=%s after=%s task=%s; a moved message is a new one: id %s, sent +%.0f ms" % (
        before,
        after,
        l.get("Status"),
        "new" if m[0]["MessageId"] not in ids else "old",
        float(m[0]["Attributes"]["SentTimestamp"]) - sent,
    )


@check("StartMessageMoveTask: a message sent straight to the DLQ has no source")
def _():
    d = mk("mtd2")
    mk("mts2", RedrivePolicy=json.dumps({"deadLetterTargetArn": arn(d), "maxReceiveCount": 2}))
    s.send_message(QueueUrl=d, MessageBody="direct")
    s.start_message_move_task(SourceArn=arn(d))
    l = settle(arn(d))
    return l["Status"] == "FAILED" and "CouldNotDetermineMessageSource" in str(
        l.get("FailureReason")
    ) and cnt(d)[0] == 1, l.get("FailureReason")


@check("StartMessageMoveTask explicit dest + rate limit + Cancel")
def _():
    d2 = mk("dest")
    d3 = mk("dlq3")
    q3 = mk("src3", RedrivePolicy=json.dumps({"deadLetterTargetArn": arn(d3), "maxReceiveCount": 1}))
    for i in range(8):
        s.send_message(QueueUrl=d3, MessageBody=str(i))
    r = s.start_message_move_task(SourceArn=arn(d3), DestinationArn=arn(d2), MaxNumberOfMessagesPerSecond=1)
    time.sleep(2.5)
    mid = cnt(d3)
    second = err(
        lambda: s.start_message_move_task(SourceArn=arn(d3)),
        "UnsupportedOperation",
        "AWS.SimpleQueueService.UnsupportedOperation",
    )
    c = s.cancel_message_move_task(TaskHandle=r["TaskHandle"])
    time.sleep(1.5)
    l = s.list_message_move_tasks(SourceArn=arn(d3))["Results"]
    a = (cnt(d3), cnt(d2))
    return 0 < mid[0] < 8 and a[0][0] > 0, "mid=%s after cancel (src,dst)=%s status=%s second-task=%s" % (
        mid,
        a,
        l[0].get("Status"),
        second,
    )


@check("StartMessageMoveTask on non-DLQ rejected")
def _():
    q = mk("notdlq")
    return err(lambda: s.start_message_move_task(SourceArn=arn(q)))


@check("MessageGroupId on standard queue (fair)")
def _():
    q = mk("fair")
    s.send_message(QueueUrl=q, MessageBody="x", MessageGroupId="tenant-1")
    s.send_message_batch(QueueUrl=q, Entries=[{"Id": "1", "MessageBody": "y", "MessageGroupId": "tenant-2"}])
    m = []
    t = time.time()
    while len(m) < 2 and time.time() - t < 4:
        m += recv(q)
    return len(m) == 2 and {x["Attributes"].get("MessageGroupId") for x in m} == {"tenant-1", "tenant-2"}, [
        x["Attributes"].get("MessageGroupId") for x in m
    ]


@check("fair queue: two msgs of one group both in flight")
def _():
    q = mk("fair2")
    for i in range(2):
        s.send_message(QueueUrl=q, MessageBody=str(i), MessageGroupId="t")
    a = recv(q, n=1)
    b = recv(q, n=1)
    return len(a) == 1 and len(b) == 1


@check("FIFO order, group lock, dedup")
def _():
    q = mk("ff", FifoQueue="true", VisibilityTimeout=5)
    for i in range(3):
        s.send_message(
            QueueUrl=q, MessageBody="g1-%d" % i, MessageGroupId="g1", MessageDeduplicationId="a%d" % i
        )
    dd = s.send_message(QueueUrl=q, MessageBody="dup", MessageGroupId="g1", MessageDeduplicationId="a0")
    s.send_message(QueueUrl=q, MessageBody="g2-0", MessageGroupId="g2", MessageDeduplicationId="b0")
    a = recv(q, n=1)
    b = recv(q, n=10)
    bb = [m["Body"] for m in b]
    return a[0]["Body"] == "g1-0" and "SequenceNumber" in a[0]["Attributes"] and bb == [
        "g2-0"
    ], "first=%s second(batch10)=%s" % ([m["Body"] for m in a], bb)


@check("1 MiB message ok, +1 rejected")
def _():
    q = mk("big")
    try:
        s.send_message(QueueUrl=q, MessageBody="x" * 1048576)
        ok = True
        d = ""
    except ClientError as e:
        ok = False
        d = str(e)[:120]
    m = recv(q) if ok else []
    e = err(lambda: s.send_message(QueueUrl=q, MessageBody="x" * 1048577), "InvalidParameterValue")
    return ok and e[0] and len(m) == 1 and len(m[0]["Body"]) == 1048576, "1MiB ok=%s %s; +1: %s" % (ok, d, e)


@check("batch total > 1 MiB -> BatchRequestTooLong")
def _():
    q = mk("bigb")
    return err(
        lambda: s.send_message_batch(
            QueueUrl=q, Entries=[{"Id": str(i), "MessageBody": "x" * 600000} for i in range(2)]
        ),
        "AWS.SimpleQueueService.BatchRequestTooLong",
    )


@check("PurgeQueue")
def _():
    q = mk("purge")
    [s.send_message(QueueUrl=q, MessageBody="x") for _ in range(3)]
    s.purge_queue(QueueUrl=q)
    time.sleep(0.5)
    return cnt(q) == (0, 0, 0)


@check("PurgeQueue twice -> PurgeQueueInProgress")
def _():
    q = mk("purge2")
    s.purge_queue(QueueUrl=q)
    return err(lambda: s.purge_queue(QueueUrl=q), "AWS.SimpleQueueService.PurgeQueueInProgress")


@check("nonexistent queue error")
def _():
    return err(lambda: s.get_queue_url(QueueName="nope-" + U), "AWS.SimpleQueueService.NonExistentQueue")


@check("modeled exception QueueDoesNotExist (x-amzn-query-error)")
def _():
    try:
        s.get_queue_url(QueueName="nope2-" + U)
        return False
    except s.exceptions.QueueDoesNotExist as e:
        return True, ""


@check("create same name diff attrs -> QueueNameExists")
def _():
    mk("same", VisibilityTimeout=10)
    return err(lambda: mk("same", VisibilityTimeout=11), "QueueAlreadyExists", "QueueNameExists")


@check("MaxNumberOfMessages=11 rejected")
def _():
    q = mk("m11")
    return err(lambda: recv(q, n=11))


@check("invalid chars -> InvalidMessageContents")
def _():
    q = mk("inv")
    return err(lambda: s.send_message(QueueUrl=q, MessageBody="a\x00b"), "InvalidMessageContents")


@check("tags + set attributes + list prefix")
def _():
    q = mk("tag")
    s.tag_queue(QueueUrl=q, Tags={"a": "b"})
    s.set_queue_attributes(QueueUrl=q, Attributes={"VisibilityTimeout": "99"})
    l = s.list_queues(QueueNamePrefix="tag-" + U)["QueueUrls"]
    return s.list_queue_tags(QueueUrl=q)["Tags"] == {"a": "b"} and l == [q], q


@check("receive max 10 in one call")
def _():
    q = mk("r10")
    s.send_message_batch(QueueUrl=q, Entries=[{"Id": str(i), "MessageBody": "b%d" % i} for i in range(10)])
    m = recv(q, n=10)
    return len(m) == 10, len(m)


summary(out)

#!/usr/bin/env python3
"""Deploys what `sam build` made to an emulator of AWS that is not ours, and uses it.

`sam deploy` runs for real: change set, roles, queues, tables, functions as they would be uploaded.
Then events go through ingest, queue and delivery to a receiver on this machine, one that is refused
ends in the dead-letter queue and is replayed, the stack is deployed again over itself with work
waiting, stands beside a second one, and is deleted.

What the emulator cannot do is taken out of the template first, and printed: `WITHOUT` says what and
why. Routes of an HTTP API are among it, so functions are invoked with API Gateway's events.

  deploy_check.py --sam SAM --cargo-lambda CARGO_LAMBDA --ministack MINISTACK [--build .aws-sam/build]
"""

import argparse
import base64
import hashlib
import hmac
import http.server
import json
import os
import pathlib
import re
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

import boto3
import yaml

KEY = "a-key-of-this-check"
WITHOUT = {
    "AWS::Logs::QueryDefinition": "unknown to it",
    "AWS::CloudWatch::Dashboard": "unknown to it",
    "AWS::ApiGatewayV2::RouteResponse": "unknown to it",
    "AWS::Events::Rule": "not needed here",
}


class Cloudformation(yaml.SafeLoader):
    """Reads `!Ref` and its like as what they stand for."""


def short_form(loader, tag, node):
    if isinstance(node, yaml.ScalarNode):
        value = loader.construct_scalar(node)
        if tag == "GetAtt":
            value = value.split(".", 1)
    elif isinstance(node, yaml.SequenceNode):
        value = loader.construct_sequence(node, deep=True)
    else:
        value = loader.construct_mapping(node, deep=True)
    return {tag if tag in ("Ref", "Condition") else f"Fn::{tag}": value}


Cloudformation.add_multi_constructor("!", short_form)


def template_for_emulator(build):
    """The built template without what the emulator does not know."""
    template = yaml.load((build / "template.yaml").read_text(), Loader=Cloudformation)
    left_out = []
    for name, resource in list(template["Resources"].items()):
        if resource["Type"] in WITHOUT:
            left_out.append(f"{name} ({WITHOUT[resource['Type']]})")
            del template["Resources"][name]
            continue
        properties = resource.get("Properties", {})
        for source in [properties, *(event.get("Properties", {}) for event in properties.get("Events", {}).values())]:
            scaling = source.get("ScalingConfig")
            if scaling:
                # A parameter's value reaches it as text, over which its poller stumbles.
                scaling["MaximumConcurrency"] = 10
    print(f"left out for the emulator: {', '.join(left_out) or 'nothing'}")
    made = build / "emulated.json"
    made.write_text(json.dumps(template, default=str))
    return made


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Receiver(http.server.BaseHTTPRequestHandler):
    """Notes what it gets; refuses under /fail until told otherwise."""

    seen = []
    mended = threading.Event()

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        ok = not self.path.startswith("/fail") or self.mended.is_set()
        self.seen.append((self.path, dict(self.headers.items()), body, ok))
        self.send_response(204 if ok else 500)
        self.end_headers()

    def log_message(self, *_):
        pass


def verified(secret, headers, body):
    """Whether the request carries the signature of Standard Webhooks."""
    headers = {name.lower(): value for name, value in headers.items()}
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    key = base64.b64decode(secret.removeprefix("whsec_"))
    right = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    return f"v1,{right}" in headers["webhook-signature"].split()


class Stack:
    def __init__(self, check, name):
        self.check, self.name = check, name

    def deploy(self, template, **parameters):
        given = {
            "Architecture": "x86_64",
            "AdminKeySha256": hashlib.sha256(KEY.encode()).hexdigest(),
            "AllowedTargets": f"127.0.0.1:{self.check.receiver_port}",
            "RetryMaxAttempts": "1",
            **parameters,
        }
        self.check.run(
            self.check.sam, "deploy",
            "--template-file", template, "--stack-name", self.name, "--capabilities", "CAPABILITY_IAM",
            "--resolve-s3", "--no-confirm-changeset", "--no-fail-on-empty-changeset",
            "--parameter-overrides", *[f"{name}={value}" for name, value in given.items()],
        )  # fmt: skip

    def call(self, function, method, path, body=None):
        """Invokes a function as API Gateway does."""
        path, _, query = path.partition("?")
        event = {
            "version": "2.0",
            "routeKey": f"{method} {path}",
            "rawPath": path,
            "rawQueryString": query,
            "headers": {"content-type": "application/json", "authorization": f"Bearer {KEY}"},
            "requestContext": {
                "http": {"method": method, "path": path, "protocol": "HTTP/1.1", "sourceIp": "192.0.2.1",
                         "userAgent": "check"},
                "requestId": "check", "routeKey": f"{method} {path}", "stage": "$default",
                "time": "25/Nov/2026:00:00:00 +0000", "timeEpoch": int(time.time() * 1000),
                "accountId": "123456789012", "apiId": "check", "domainName": "check", "domainPrefix": "check",
            },
            "body": json.dumps(body) if body is not None else None,
            "isBase64Encoded": False,
        }  # fmt: skip
        answer = self.invoke(function, event)
        if answer.get("statusCode", 500) >= 300:
            raise SystemExit(f"{self.name}: {method} {path}: {answer}")
        return json.loads(answer["body"]) if answer.get("body") else None

    def invoke(self, function, event):
        out = self.check.aws("lambda").invoke(
            FunctionName=f"{self.name}-{function}", Payload=json.dumps(event)
        )
        return json.loads(out["Payload"].read() or b"null")

    def event(self, event_type, **payload):
        """Posts until an endpoint matches: ingest takes up to a second to see a new one."""
        body = {"event_type": event_type, "payload": payload}
        return self.check.until("a match", lambda: self.posted(body))

    def posted(self, body):
        accepted = self.call("ingest", "POST", "/api/v1/events", body)
        return accepted if accepted["delivery_count"] else None

    def endpoint(self, path, *event_types):
        url = f"http://127.0.0.1:{self.check.receiver_port}{path}"
        return self.call("admin", "POST", "/api/v1/endpoints", {"url": url, "event_types": list(event_types)})


class Check:
    def __init__(self, options):
        self.options = options
        self.sam = str(pathlib.Path(options.sam).resolve())
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
        self.receiver_port = server.server_port
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.environment = {
            **os.environ,
            "AWS_ENDPOINT_URL": self.url, "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_DEFAULT_REGION": "us-east-1", "AWS_REGION": "us-east-1", "SAM_CLI_TELEMETRY": "0",
            "BIND_HOST": "127.0.0.1", "GATEWAY_PORT": str(self.port), "IOT_MTLS_ENABLED": "0",
        }  # fmt: skip
        self.log = tempfile.NamedTemporaryFile("w+", suffix=".log")
        self.emulator = subprocess.Popen(
            [options.ministack], env=self.environment, stdout=self.log, stderr=self.log, start_new_session=True
        )
        self.until("the emulator", self.answers)

    def answers(self):
        if self.emulator.poll() is not None:
            raise SystemExit("the emulator ended:\n" + pathlib.Path(self.log.name).read_text()[-2000:])
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def aws(self, service):
        return boto3.client(
            service, endpoint_url=self.url, region_name="us-east-1",
            aws_access_key_id="test", aws_secret_access_key="test",
        )  # fmt: skip

    def run(self, *command):
        out = subprocess.run(
            [str(part) for part in command], env=self.environment, text=True, capture_output=True, timeout=300
        )
        if out.returncode:
            lines = [line for line in re.split("[\r\n]", out.stdout + out.stderr) if "Uploading" not in line]
            tail = pathlib.Path(self.log.name).read_text()[-2000:]
            raise SystemExit("\n".join(lines[-60:]) + f"\n-- the emulator:\n{tail}")
        return out.stdout

    def until(self, what, done, seconds=60):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            found = done()
            if found:
                return found
            time.sleep(0.2)
        tail = pathlib.Path(self.log.name).read_text()[-3000:]
        raise SystemExit(f"waited {seconds} s for {what}\n-- the emulator:\n{tail}")

    def stop(self):
        os.killpg(self.emulator.pid, signal.SIGTERM)
        self.emulator.wait(10)


def requests_at(path):
    return [seen for seen in Receiver.seen if seen[0] == path]


def use(check):
    build = pathlib.Path(check.options.build).resolve()
    template = template_for_emulator(build)
    stack = Stack(check, "hookpost")
    print("deploying")
    stack.deploy(template)

    print("an event is delivered, signed")
    endpoint = stack.endpoint("/ok", "order.created")
    accepted = stack.event("order.created", order_id="ORD-001")
    [(_, headers, body, _)] = check.until("a request", lambda: requests_at("/ok"))
    assert verified(endpoint["secret"], headers, body), headers
    assert json.loads(body)["data"] == {"order_id": "ORD-001"}, body
    shown = check.until(
        "its record",
        lambda: [d for d in stack.call("admin", "GET", f"/api/v1/deliveries?event_id={accepted['id']}")["data"]
                 if d["status"] == "delivered"],
    )  # fmt: skip
    assert len(shown) == 1, shown

    print("one that is refused ends in the dead-letter queue")
    stack.endpoint("/fail", "order.failed")
    stack.event("order.failed", order_id="ORD-002")
    check.until("the refused request", lambda: requests_at("/fail"))
    queues = check.aws("sqs")
    dead_letters = queues.get_queue_url(QueueName="hookpost-dead-letters")["QueueUrl"]
    waiting = "ApproximateNumberOfMessages"

    def buried():
        counts = queues.get_queue_attributes(QueueUrl=dead_letters, AttributeNames=[waiting])["Attributes"]
        return counts[waiting] == "1"

    check.until("the dead letter", buried, 120)
    [dead] = stack.call("admin", "GET", "/api/v1/dead-letters")["data"]

    print("a deploy over it keeps what is there")
    stack.deploy(template, LogLevel="DEBUG")
    again = stack.call("admin", "GET", "/api/v1/dead-letters")["data"]
    assert [d["id"] for d in again] == [dead["id"]], again

    print("and what is dead is replayed by the new version")
    Receiver.mended.set()
    stack.call("replay", "POST", f"/api/v1/dead-letters/{dead['id']}/replay")
    check.until("the replayed request", lambda: [seen for seen in requests_at("/fail") if seen[3]])

    print("one function alone, by cargo lambda deploy")
    check.run(
        check.options.cargo_lambda, "lambda", "deploy", "--endpoint-url", check.url,
        "--binary-path", build / "DeliveryFunction" / "bootstrap", "hookpost-delivery",
    )  # fmt: skip
    stack.event("order.created", order_id="ORD-003")
    check.until("a request by it", lambda: len(requests_at("/ok")) == 2)

    print("a second stack beside it has its own")
    second = Stack(check, "hookpost-staging")
    second.deploy(template)
    assert second.call("admin", "GET", "/api/v1/endpoints")["data"] == []
    assert len(stack.call("admin", "GET", "/api/v1/endpoints")["data"]) == 2

    print("deleted, its tables stay")
    check.run(check.sam, "delete", "--stack-name", "hookpost-staging", "--no-prompts", "--region", "us-east-1")
    tables = [name for name in check.aws("dynamodb").list_tables()["TableNames"] if "hookpost-staging" in name]
    assert len(tables) >= 6, tables


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("--sam", "--cargo-lambda", "--ministack"):
        parser.add_argument(name, required=True)
    parser.add_argument("--build", default=".aws-sam/build")
    check = Check(parser.parse_args())
    try:
        use(check)
    finally:
        check.stop()
    print("deploys, and works")


if __name__ == "__main__":
    sys.exit(main())

use std::sync::Arc;

use http::HeaderMap;
use serde_json::{Value, json};

use super::*;
use crate::clock::ManualClock;
use crate::handle::Sqs;
use crate::hooks::Hooks;
use crate::http::answer;

struct Client {
    sqs: Sqs,
}

impl Client {
    fn new(hooks: Hooks) -> Self {
        let clock = Arc::new(ManualClock::at(1_700_000_000_000));
        Self {
            sqs: Sqs::with_hooks(clock, hooks),
        }
    }

    async fn call(&self, operation: &str, request: Value) -> (u16, HeaderMap, Value) {
        let mut headers = HeaderMap::new();
        let mut put = |name: &'static str, value: String| {
            headers.insert(name, value.parse().unwrap());
        };
        put("host", "127.0.0.1:9324".to_owned());
        put("x-amz-target", format!("AmazonSQS.{operation}"));
        put(
            "authorization",
            "AWS4-HMAC-SHA256 Credential=Caller/20261121/us-east-1/sqs/aws4_request, Signature=0"
                .to_owned(),
        );
        let response = answer(&self.sqs, &headers, request.to_string().as_bytes()).await;
        let (parts, body) = response.into_parts();
        let bytes = axum::body::to_bytes(body, usize::MAX).await.unwrap();
        let json = serde_json::from_slice(&bytes).unwrap();
        (parts.status.as_u16(), parts.headers, json)
    }

    async fn ok(&self, operation: &str, request: Value) -> Value {
        let (status, _, json) = self.call(operation, request).await;
        assert_eq!(status, 200, "{operation}: {json}");
        json
    }
}

#[tokio::test]
async fn a_message_goes_in_comes_out_and_is_deleted() {
    let client = Client::new(Hooks::default());
    let created = client.ok("CreateQueue", json!({ "QueueName": "q" })).await;
    let url = created["QueueUrl"].as_str().unwrap();
    assert_eq!(url, "http://127.0.0.1:9324/000000000000/q");
    let sent = client
        .ok(
            "SendMessage",
            json!({
                "QueueUrl": url,
                "MessageBody": "hello",
                "MessageAttributes": { "b": { "DataType": "Binary", "BinaryValue": "AQI=" } },
            }),
        )
        .await;
    assert_eq!(sent["MD5OfMessageBody"], "5d41402abc4b2a76b9719d911017c592");
    let received = client
        .ok(
            "ReceiveMessage",
            json!({ "QueueUrl": url, "AttributeNames": ["SenderId"], "MessageAttributeNames": ["b"] }),
        )
        .await;
    let message = &received["Messages"][0];
    assert_eq!(message["Attributes"], json!({ "SenderId": "Caller" }));
    assert_eq!(message["MessageAttributes"]["b"]["BinaryValue"], "AQI=");
    assert_eq!(
        message["MD5OfMessageAttributes"],
        sent["MD5OfMessageAttributes"]
    );
    let handle = &message["ReceiptHandle"];
    client
        .ok(
            "DeleteMessage",
            json!({ "QueueUrl": url, "ReceiptHandle": handle }),
        )
        .await;
    assert_eq!(client.sqs.queue_counts("q").unwrap().in_flight, 0);
}

#[tokio::test]
async fn an_error_carries_both_of_its_names() {
    let client = Client::new(Hooks::default());
    let (status, headers, json) = client
        .call("GetQueueUrl", json!({ "QueueName": "nowhere" }))
        .await;
    assert_eq!(status, 400);
    assert_eq!(json["__type"], "com.amazonaws.sqs#QueueDoesNotExist");
    assert_eq!(
        headers["x-amzn-query-error"],
        "AWS.SimpleQueueService.NonExistentQueue;Sender"
    );
}

#[tokio::test]
async fn a_bad_entry_fails_alone() {
    let client = Client::new(Hooks::default());
    client.sqs.create_queue("q", &map(&[])).unwrap();
    let answer = client
        .ok(
            "SendMessageBatch",
            json!({ "QueueUrl": "http://h/0/q", "Entries": [
                { "Id": "good", "MessageBody": "a" },
                { "Id": "bad", "MessageBody": "a\0" },
            ]}),
        )
        .await;
    assert_eq!(answer["Successful"][0]["Id"], "good");
    assert_eq!(answer["Failed"][0]["Id"], "bad");
    assert_eq!(answer["Failed"][0]["Code"], "InvalidMessageContents");
    assert_eq!(client.sqs.queue_counts("q").unwrap().visible, 1);
}

#[tokio::test]
async fn nonsense_is_refused_by_name() {
    let client = Client::new(Hooks::default());
    client.sqs.create_queue("q", &map(&[])).unwrap();
    let url = "http://h/0/q";
    for (operation, request, shape) in [
        ("Dance", json!({}), "UnknownOperationException"),
        (
            "SendMessage",
            json!({}),
            "MissingRequiredParameterException",
        ),
        (
            "SendMessage",
            json!({ "QueueUrl": url }),
            "MissingRequiredParameterException",
        ),
        ("SendMessage", json!([]), "SerializationException"),
        (
            "SendMessage",
            json!({ "QueueUrl": url, "MessageBody": "a", "DelaySeconds": -1 }),
            "InvalidParameterValueException",
        ),
        (
            "ReceiveMessage",
            json!({ "QueueUrl": url, "WaitTimeSeconds": 21 }),
            "InvalidParameterValueException",
        ),
        (
            "SendMessageBatch",
            json!({ "QueueUrl": url, "Entries": [] }),
            "EmptyBatchRequest",
        ),
        (
            "DeleteMessageBatch",
            json!({ "QueueUrl": url, "Entries": [{ "Id": "a b", "ReceiptHandle": "x" }] }),
            "InvalidBatchEntryId",
        ),
        (
            "GetQueueAttributes",
            json!({ "QueueUrl": url, "AttributeNames": ["Colour"] }),
            "InvalidAttributeName",
        ),
    ] {
        let (status, _, answer) = client.call(operation, request).await;
        assert!(status >= 400);
        assert_eq!(
            answer["__type"],
            format!("com.amazonaws.sqs#{shape}"),
            "{operation}"
        );
    }
}

#[tokio::test]
async fn the_authoriser_is_asked_for_the_iam_action_on_the_queue() {
    let client = Client::new(Hooks {
        authoriser: Some(Arc::new(|call| {
            let asked = (
                call.access_key_id.as_deref(),
                call.action.as_str(),
                call.queue_arn.as_str(),
            );
            let allowed = (
                Some("Caller"),
                "sqs:DeleteMessage",
                "arn:aws:sqs:us-east-1:000000000000:q",
            );
            if asked == allowed {
                Ok(())
            } else {
                Err(format!("not authorized to perform: {}", call.action))
            }
        })),
        ..Hooks::default()
    });
    client.sqs.create_queue("q", &map(&[])).unwrap();
    let entries = json!([{ "Id": "1", "ReceiptHandle": "x" }]);
    client
        .ok(
            "DeleteMessageBatch",
            json!({ "QueueUrl": "http://h/0/q", "Entries": entries }),
        )
        .await;
    let (status, headers, json) = client
        .call(
            "SendMessage",
            json!({ "QueueUrl": "http://h/0/q", "MessageBody": "a" }),
        )
        .await;
    assert_eq!(status, 403);
    assert_eq!(headers["x-amzn-query-error"], "AccessDenied;Sender");
    assert_eq!(json["__type"], "com.amazonaws.sqs#AccessDeniedException");
    assert_eq!(
        json["message"],
        "not authorized to perform: sqs:SendMessage"
    );
    assert_eq!(client.sqs.queue_counts("q").unwrap().visible, 0);
}

//! The AWS calls that the system's surroundings make: the console, a person
//! on call, whoever looks into a table.

use serde::Deserialize;
use serde_json::{Value, json};

use crate::{Call, Tenant, wait};

/// What a function answered to an invocation.
#[derive(Debug, Clone)]
pub struct Invocation {
    /// Whether the function failed.
    pub failed: bool,
    /// Its answer, or what it failed with.
    pub payload: Value,
}

impl Invocation {
    /// The answer of a function that must not have failed.
    #[track_caller]
    pub fn answer(self) -> Value {
        assert!(!self.failed, "the function failed: {:#}", self.payload);
        self.payload
    }
}

/// A message that was received from a queue.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Message {
    /// Its id.
    pub message_id: String,
    /// What deletes it.
    pub receipt_handle: String,
    /// Its body.
    pub body: String,
    /// `SentTimestamp`, `ApproximateReceiveCount`, ...
    #[serde(default)]
    pub attributes: std::collections::BTreeMap<String, String>,
}

impl Message {
    /// The body as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }
}

impl Tenant<'_> {
    /// Invokes a function by its binary's name, as the console's Test button does.
    pub async fn invoke(&self, function: &str, event: &Value) -> Invocation {
        let path = format!("/2015-03-31/functions/{function}/invocations");
        let call = Call::new("POST", path).json(event);
        let answer = self.client().call(self.system().url("lambda"), call).await;
        assert_eq!(answer.status, 200, "{}: {}", answer.about, answer.text());
        Invocation {
            failed: !answer.header("x-amz-function-error").is_empty(),
            payload: answer.json(),
        }
    }

    /// Runs the sweeper now, and tells what it says.
    pub async fn sweep(&self) -> Value {
        self.invoke("sweeper", &json!({ "sweep": true }))
            .await
            .answer()
    }

    /// A call to SQS, such as `ReceiveMessage`. Panics if it is refused.
    pub async fn sqs(&self, operation: &str, input: &Value) -> Value {
        self.aws("sqs", &format!("AmazonSQS.{operation}"), input)
            .await
    }

    /// A call to `DynamoDB`, such as `GetItem`. Panics if it is refused.
    pub async fn dynamodb(&self, operation: &str, input: &Value) -> Value {
        let target = format!("DynamoDB_20120810.{operation}");
        self.aws("dynamodb", &target, input).await
    }

    /// A call to KMS, such as `DisableKey`. Panics if it is refused.
    pub async fn kms(&self, operation: &str, input: &Value) -> Value {
        self.aws("kms", &format!("TrentService.{operation}"), input)
            .await
    }

    /// What the system has counted so far.
    pub async fn stats(&self) -> Value {
        let call = Call::new("GET", "/_local/stats");
        let answer = self.client().call(self.system().url("lambda"), call).await;
        answer.expect(200)
    }

    /// Any call of any service that the local system has. Panics if it is refused.
    pub async fn aws(&self, service: &str, target: &str, input: &Value) -> Value {
        let credential = format!(
            "AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/{service}/aws4_request, \
             SignedHeaders=host, Signature=0"
        );
        let call = Call::new("POST", "/")
            .header("x-amz-target", target)
            .header("content-type", "application/x-amz-json-1.0")
            .header("authorization", credential)
            .json(input);
        let answer = self.client().call(self.system().url(service), call).await;
        assert_eq!(answer.status, 200, "{target}: {}", answer.text());
        if answer.text().is_empty() {
            Value::Null
        } else {
            answer.json()
        }
    }

    /// Puts a message into a queue of the template, such as `DeliveryQueue`.
    pub async fn send(&self, queue: &str, body: &str) -> String {
        let url = self.system().queue_url(queue);
        let input = json!({ "QueueUrl": url, "MessageBody": body });
        let sent = self.sqs("SendMessage", &input).await;
        sent["MessageId"].as_str().unwrap().to_owned()
    }

    /// Up to ten messages of a queue, hidden from others for so many seconds.
    /// With 0 they are looked at and left to others; that counts as received too.
    pub async fn receive(&self, queue: &str, visibility_s: u32) -> Vec<Message> {
        let input = json!({
            "QueueUrl": self.system().queue_url(queue),
            "MaxNumberOfMessages": 10,
            "VisibilityTimeout": visibility_s,
            "WaitTimeSeconds": 0,
            "MessageSystemAttributeNames": ["All"],
            "MessageAttributeNames": ["All"],
        });
        let mut received = self.sqs("ReceiveMessage", &input).await;
        let messages = received["Messages"].take();
        // Without messages there is no such field.
        let messages: Option<Vec<Message>> = serde_json::from_value(messages).unwrap();
        messages.unwrap_or_default()
    }

    /// An attribute of a queue, such as `ApproximateNumberOfMessages`.
    pub async fn queue_attribute(&self, queue: &str, attribute: &str) -> String {
        let input = json!({
            "QueueUrl": self.system().queue_url(queue),
            "AttributeNames": [attribute],
        });
        let answer = self.sqs("GetQueueAttributes", &input).await;
        let value = answer["Attributes"][attribute].as_str();
        value
            .unwrap_or_else(|| panic!("{queue} has no {attribute}"))
            .to_owned()
    }

    /// Sends everything in the dead-letter queue home, as the console's "Start DLQ redrive" does
    /// by default: without a destination. Waits for the end of it, and tells how many it moved.
    pub async fn redrive(&self) -> u64 {
        let source = self.queue_attribute("DeadLetterQueue", "QueueArn").await;
        let input = json!({ "SourceArn": source });
        self.sqs("StartMessageMoveTask", &input).await;
        wait::until("the dead-letter queue is redriven", || async {
            let tasks = self.sqs("ListMessageMoveTasks", &input).await;
            let task = &tasks["Results"][0];
            if task["Status"] == "COMPLETED" {
                Ok(task["ApproximateNumberOfMessagesMoved"].as_u64().unwrap())
            } else {
                Err(format!("{task:#}"))
            }
        })
        .await
    }

    /// All that a table holds, of whichever tenant, as text.
    pub async fn items_in(&self, table: &str) -> String {
        let input = json!({ "TableName": self.system().table_name(table), "ConsistentRead": true });
        self.dynamodb("Scan", &input).await["Items"].to_string()
    }

    /// Keys of all items in a table whose partition key names this tenant, but for the audit log's:
    /// what was tried is noted there whatever came of it.
    pub async fn keys_in(&self, table: &str) -> Vec<String> {
        let mut keys = Vec::new();
        let mut input = json!({
            "TableName": self.system().table_name(table),
            "ProjectionExpression": "pk, sk",
            "ConsistentRead": true,
        });
        loop {
            let page = self.dynamodb("Scan", &input).await;
            for item in page["Items"].as_array().unwrap() {
                let part = |name: &str| item[name]["S"].as_str().unwrap_or_default();
                let is_audit = part("pk").starts_with("audit#");
                if !is_audit && part("pk").split('#').any(|word| word == self.id) {
                    keys.push(format!("{} / {}", part("pk"), part("sk")));
                }
            }
            if page["LastEvaluatedKey"].is_null() {
                return keys;
            }
            input["ExclusiveStartKey"] = page["LastEvaluatedKey"].clone();
        }
    }

    /// The ids of all events that are stored for this tenant.
    pub async fn stored_events(&self) -> Vec<String> {
        let keys = self.keys_in("EventsTable").await;
        let ids = keys.iter().filter_map(|key| {
            let (_, id) = key.split_once(" / ")?;
            let is_uuid = id.len() == 36 && id.matches('-').count() == 4;
            is_uuid.then(|| id.to_owned())
        });
        ids.collect()
    }
}

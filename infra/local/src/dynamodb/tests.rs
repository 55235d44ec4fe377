//! The tables behind their HTTP front.

use super::*;
use crate::console::{LogStyle, Threshold};
use crate::permissions::Policy;
use bytes::Bytes;
use http::{Request, StatusCode};
use http_body_util::{BodyExt, Full};
use serde_json::{Value, json};

struct Served {
    tables: DynamoDb,
    client: Client,
    url: String,
    _ending: watch::Sender<bool>,
}

impl Served {
    async fn start() -> Self {
        let table = Table {
            logical_id: "Items".to_owned(),
            name: "items".to_owned(),
            create: json!({
                "TableName": "items",
                "BillingMode": "PAY_PER_REQUEST",
                "AttributeDefinitions": [{"AttributeName": "pk", "AttributeType": "S"}],
                "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}],
            }),
            ttl_attribute: Some("expires_at".to_owned()),
        };
        let policy = json!({"Statement": [{
            "Effect": "Allow", "Action": "dynamodb:PutItem", "Resource": "*"
        }]});
        let policy = Policy::parse("WriterRole".to_owned(), &[policy]).unwrap();
        let setting = DynamoDbSetting {
            file: None,
            region: "us-east-1",
            account: "000000000000",
            permissions: Permissions::new([("Writer".to_owned(), policy)]),
            faults: Faults::new().0,
        };
        let ending = watch::Sender::new(false);
        let client = crate::http::client();
        let tables = DynamoDb::open(
            setting,
            &[table],
            client.clone(),
            Console::start(LogStyle::Readable, Threshold::Errors, true),
            ending.subscribe(),
        )
        .await
        .unwrap();
        let (listener, address) = crate::http::bind(0, "tests", "--none").await.unwrap();
        tokio::spawn(tables.clone().serve(listener, ending.subscribe()));
        Self {
            tables,
            client,
            url: format!("http://{address}/"),
            _ending: ending,
        }
    }

    async fn call(&self, caller: &str, operation: &str, body: Value) -> (StatusCode, Value) {
        let request = Request::post(&self.url)
            .header("content-type", "application/x-amz-json-1.0")
            .header("x-amz-target", format!("DynamoDB_20120810.{operation}"))
            .header("x-amz-date", "20261121T000000Z")
            .header(
                "authorization",
                format!(
                    "AWS4-HMAC-SHA256 Credential={caller}/20261121/us-east-1/dynamodb/aws4_request, \
                     SignedHeaders=host;x-amz-date, Signature=00"
                ),
            )
            .body(Full::new(Bytes::from(body.to_string())))
            .unwrap();
        let response = self.client.request(request).await.unwrap();
        let status = response.status();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        (status, serde_json::from_slice(&body).unwrap())
    }
}

fn put(key: &str) -> Value {
    json!({"TableName": "items", "Item": {"pk": {"S": key}},
        "ConditionExpression": "attribute_not_exists(pk)"})
}

#[tokio::test]
async fn units_are_counted_and_not_shown_to_who_did_not_ask() {
    let served = Served::start().await;
    let (status, body) = served.call("Writer", "PutItem", put("a")).await;
    assert_eq!((status, body), (StatusCode::OK, json!({})));
    let mut asked = put("b");
    asked["ReturnConsumedCapacity"] = json!("TOTAL");
    let (_, body) = served.call("Writer", "PutItem", asked).await;
    assert_eq!(body["ConsumedCapacity"]["CapacityUnits"], json!(1.0));
    let all = served.tables.counters().all();
    assert_eq!((all[0].count.calls, all[0].count.write_units), (2, 2.0));
}

#[tokio::test]
async fn a_failed_condition_is_answered_as_dynamodb_does_and_costs_its_write() {
    let served = Served::start().await;
    served.call("Writer", "PutItem", put("a")).await;
    let (status, body) = served.call("Writer", "PutItem", put("a")).await;
    assert_eq!(status, 400);
    assert!(
        body["__type"]
            .as_str()
            .unwrap()
            .ends_with("#ConditionalCheckFailedException")
    );
    let all = served.tables.counters().all();
    assert_eq!((all[0].count.errors, all[0].count.write_units), (1, 2.0));
}

#[tokio::test]
async fn a_function_may_only_do_what_its_role_says() {
    let served = Served::start().await;
    let get = json!({"TableName": "items", "Key": {"pk": {"S": "a"}}});
    let (status, body) = served.call("Writer", "GetItem", get.clone()).await;
    assert_eq!(status, 400);
    assert_eq!(
        body["message"],
        "Writer may not dynamodb:GetItem on table/items: \
         its role WriterRole in infra/template.yaml lacks it"
    );
    let (status, _) = served.call("developer", "GetItem", get).await;
    assert_eq!(status, 200);
    let (_, described) = served
        .call(
            "developer",
            "DescribeTimeToLive",
            json!({"TableName": "items"}),
        )
        .await;
    assert_eq!(
        described["TimeToLiveDescription"]["AttributeName"],
        "expires_at"
    );
}

#[tokio::test]
async fn what_the_engine_refuses_is_worded_as_dynamodb_words_it() {
    let served = Served::start().await;
    let (status, body) = served
        .call(
            "developer",
            "PutItem",
            json!({"TableName": "items", "Item": {"x": {"S": "1"}}}),
        )
        .await;
    assert_eq!(status, 400);
    assert!(
        body["__type"]
            .as_str()
            .unwrap()
            .ends_with("#ValidationException")
    );
    assert!(
        body["message"]
            .as_str()
            .unwrap()
            .contains("Missing the key pk"),
        "{body}"
    );
}

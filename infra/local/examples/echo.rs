//! A function that answers with its event, or does what `{"do": ...}` says:
//! something to try the Lambda host with.

use std::time::Duration;

use lambda_runtime::{Error, LambdaEvent, service_fn};
use serde_json::{Value, json};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    lambda_runtime::run(service_fn(handle)).await
}

#[expect(clippy::exit, reason = "crashing is what it is asked for")]
async fn handle(event: LambdaEvent<Value>) -> Result<Value, Error> {
    match event.payload.get("do").and_then(Value::as_str) {
        Some("fail") => Err("asked to fail".into()),
        Some("crash") => std::process::exit(3),
        Some("sleep") => {
            tokio::time::sleep(Duration::from_secs(60)).await;
            Ok(json!({}))
        }
        _ => Ok(event.payload),
    }
}

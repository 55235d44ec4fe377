//! The replay function: dead letters back to the queue, and exhausted deliveries to the dead-letter
//! queue.

use std::sync::Arc;

use hookpost_adapters::auth::Door;
use hookpost_adapters::queue::Queues;
use hookpost_adapters::table::Store;
use hookpost_adapters::{Config, RealWorld, aws, telemetry};
use lambda_runtime::{Error, LambdaEvent, service_fn};
use replay::Replay;
use serde_json::Value;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let config = Config::from_env()?;
    telemetry::start(config.log_level);
    let sdk = aws::sdk_config().await?;
    let (store, queues) = (Store::new(&sdk, &config), Queues::new(&sdk, &config));
    let door = Door::new(&sdk, &config);
    let replay = Arc::new(Replay::new(store, queues, RealWorld, config, door));
    lambda_runtime::run(service_fn(|event: LambdaEvent<Value>| {
        let replay = Arc::clone(&replay);
        async move {
            let (deadline, id) = (event.context.deadline(), &event.context.request_id);
            // On the heap: the compiler counts how deep futures lie in one another.
            let outcome = Box::pin(replay.handle(event.payload, deadline, id));
            outcome.await.map_err(Error::from)
        }
    }))
    .await
}

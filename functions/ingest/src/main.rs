//! The ingest function: events in by HTTP, from a queue or a bus; DynamoDB and SQS out.

use std::sync::Arc;

use hookpost_adapters::auth::Door;
use hookpost_adapters::queue::Queues;
use hookpost_adapters::table::Store;
use hookpost_adapters::{Config, RealWorld, aws, telemetry};
use ingest::Ingest;
use lambda_runtime::{Error, LambdaEvent, service_fn};
use serde_json::value::RawValue;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let config = Config::from_env()?;
    telemetry::start(config.log_level);
    let sdk = aws::sdk_config().await?;
    let queues = Queues::new(&sdk, &config).of_events(&config);
    let store = Store::new(&sdk, &config);
    tokio::join!(store.warm_up(), queues.warm_up());
    let door = Door::new(&sdk, &config);
    let ingest = Arc::new(Ingest::new(store, queues, RealWorld, config, door));
    lambda_runtime::run(service_fn(|event: LambdaEvent<Box<RawValue>>| {
        let ingest = Arc::clone(&ingest);
        async move { ingest.handle(&event.payload).await.map_err(Error::from) }
    }))
    .await
}

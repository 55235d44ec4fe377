//! The sweeper: once a minute.

use std::sync::Arc;

use hookpost_adapters::queue::Queues;
use hookpost_adapters::table::Store;
use hookpost_adapters::{Config, RealWorld, aws, telemetry};
use lambda_runtime::{Error, LambdaEvent, service_fn};
use serde_json::Value;
use sweeper::Sweeper;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let config = Config::from_env()?;
    telemetry::start(config.log_level);
    let sdk = aws::sdk_config().await?;
    let (store, queues) = (Store::new(&sdk, &config), Queues::new(&sdk, &config));
    let sweeper = Arc::new(Sweeper::new(store, queues, RealWorld, config));
    lambda_runtime::run(service_fn(|event: LambdaEvent<Value>| {
        let sweeper = Arc::clone(&sweeper);
        async move { Ok::<_, Error>(sweeper.sweep(event.context.deadline()).await) }
    }))
    .await
}

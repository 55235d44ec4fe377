//! The function that works on lines: SQS FIFO in, signed HTTP requests out, in order.

use std::sync::Arc;
use std::time::Duration;

use aws_lambda_events::sqs::SqsEvent;
use delivery::{Settings, Worker};
use hookpost_adapters::metrics::Metrics;
use hookpost_adapters::queue::Queues;
use hookpost_adapters::table::Store;
use hookpost_adapters::transport::Http;
use hookpost_adapters::{Config, RealWorld, aws, telemetry};
use hookpost_domain::Timestamp;
use hookpost_domain::ports::World;
use lambda_runtime::{Error, LambdaEvent, service_fn};
use ordered::Keeper;

/// Time that is kept for the answer.
const MARGIN: Duration = Duration::from_secs(2);

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let config = Config::from_env()?;
    telemetry::start(config.log_level);
    let sdk = aws::sdk_config().await?;
    let store = Store::new(&sdk, &config).with_vault(&sdk, &config);
    let queues = Queues::new(&sdk, &config).of_lines();
    store.warm_up().await;
    let http = Http::new(&config)?;
    let settings = Settings::from(&config).of_lines();
    let metrics = Metrics::new(&config);
    let worker = Worker::new(store, queues, http, RealWorld, settings, metrics);
    let keeper = Arc::new(Keeper::new(worker));
    lambda_runtime::run(service_fn(|event: LambdaEvent<SqsEvent>| {
        let keeper = Arc::clone(&keeper);
        async move {
            let left = Timestamp::from(event.context.deadline()).since(RealWorld.now());
            let time = left.saturating_sub(MARGIN);
            Ok::<_, Error>(ordered::handle(event.payload, time, keeper).await)
        }
    }))
    .await
}

//! The ingest function: `POST /api/v1/events` in, DynamoDB and SQS out.

use std::sync::Arc;

use aws_lambda_events::apigw::ApiGatewayV2httpRequest;
use hookpost_adapters::auth::Door;
use hookpost_adapters::queue::Queues;
use hookpost_adapters::table::Store;
use hookpost_adapters::{Config, RealWorld, api, aws, telemetry};
use ingest::Ingest;
use lambda_runtime::{Error, LambdaEvent, service_fn};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let config = Config::from_env()?;
    telemetry::start(config.log_level);
    let sdk = aws::sdk_config().await?;
    let (store, queues) = (Store::new(&sdk, &config), Queues::new(&sdk, &config));
    store.warm_up().await;
    let door = Door::new(&sdk, &config);
    let ingest = Arc::new(Ingest::new(store, queues, RealWorld, config, door));
    lambda_runtime::run(service_fn(|event: LambdaEvent<ApiGatewayV2httpRequest>| {
        let ingest = Arc::clone(&ingest);
        async move { Ok::<_, Error>(api::to_gateway(ingest.handle(event.payload).await)) }
    }))
    .await
}

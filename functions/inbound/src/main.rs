//! The inbound function: `POST /in/{source}` in, events out.

use std::sync::Arc;

use aws_lambda_events::apigw::ApiGatewayV2httpRequest;
use hookpost_adapters::queue::Queues;
use hookpost_adapters::table::Store;
use hookpost_adapters::{Config, RealWorld, api, aws, telemetry};
use inbound::{Inbound, Sources};
use ingest::Acceptor;
use lambda_runtime::{Error, LambdaEvent, service_fn};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let config = Config::from_env()?;
    telemetry::start(config.log_level);
    let sdk = aws::sdk_config().await?;
    let (store, queues) = (Store::new(&sdk, &config), Queues::new(&sdk, &config));
    tokio::join!(store.warm_up(), queues.warm_up());
    let sources = Sources::new(Store::new(&sdk, &config).with_vault(&sdk, &config));
    let acceptor = Acceptor::new(store, queues, RealWorld, config);
    let inbound = Arc::new(Inbound::new(sources, acceptor, RealWorld));
    lambda_runtime::run(service_fn(|event: LambdaEvent<ApiGatewayV2httpRequest>| {
        let inbound = Arc::clone(&inbound);
        async move { Ok::<_, Error>(api::to_gateway(inbound.handle(event.payload).await)) }
    }))
    .await
}

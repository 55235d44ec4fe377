//! The GraphQL function: the management API's services, asked for in one document.

use std::sync::Arc;

use aws_lambda_events::apigw::ApiGatewayV2httpRequest;
use graphql::GraphQl;
use hookpost_adapters::auth::Door;
use hookpost_adapters::queue::Queues;
use hookpost_adapters::table::Store;
use hookpost_adapters::{Config, RealWorld, api, aws, telemetry};
use hookpost_management::Management;
use lambda_runtime::{Error, LambdaEvent, service_fn};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let config = Config::from_env()?;
    telemetry::start(config.log_level);
    let sdk = aws::sdk_config().await?;
    let store = Store::new(&sdk, &config).with_vault(&sdk, &config);
    let queues = Queues::new(&sdk, &config);
    store.warm_up().await;
    let door = Door::new(&sdk, &config);
    let services = Management::new(store, queues, RealWorld, config);
    let graphql = Arc::new(GraphQl::new(services, door)?);
    lambda_runtime::run(service_fn(|event: LambdaEvent<ApiGatewayV2httpRequest>| {
        let graphql = Arc::clone(&graphql);
        async move {
            Ok::<_, Error>(api::to_gateway(
                Box::pin(graphql.handle(event.payload)).await,
            ))
        }
    }))
    .await
}

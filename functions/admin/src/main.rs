//! The admin function: the management API, and the endpoints that the deployment declares.

use std::sync::Arc;

use admin::{Admin, Invocation};
use hookpost_adapters::auth::Door;
use hookpost_adapters::queue::Queues;
use hookpost_adapters::table::Store;
use hookpost_adapters::{Config, RealWorld, aws, telemetry};
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
    let admin = Arc::new(Admin::new(services, door));
    lambda_runtime::run(service_fn(|event: LambdaEvent<Invocation>| {
        let admin = Arc::clone(&admin);
        async move {
            let outcome = admin.invoke(event.payload, &event.context.request_id);
            outcome.await.map_err(Error::from)
        }
    }))
    .await
}

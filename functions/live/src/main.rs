//! The live function: a WebSocket API in, attempts out.

use std::sync::Arc;

use hookpost_adapters::live::Sockets;
use hookpost_adapters::table::Store;
use hookpost_adapters::{Config, RealWorld, aws, telemetry};
use lambda_runtime::{Error, LambdaEvent, service_fn};
use live::{Invocation, Live};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let config = Config::from_env()?;
    telemetry::start(config.log_level);
    let sdk = aws::sdk_config().await?;
    let store = Store::new(&sdk, &config);
    let sockets = Sockets::new(&sdk, &config).ok_or("LIVE_URL is missing")?;
    store.warm_up().await;
    let live = Arc::new(Live::new(store, sockets, RealWorld, &config));
    lambda_runtime::run(service_fn(|event: LambdaEvent<Invocation>| {
        let live = Arc::clone(&live);
        async move { Ok::<_, Error>(live.invoke(event.payload).await) }
    }))
    .await
}

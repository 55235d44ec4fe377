//! The webhook receiver alone: `cargo run -p hookpost-local --example receiver -- 127.0.0.1:9090`.

use std::error::Error;
use std::io::Write;

use hookpost_local::receiver::{Receiver, serve};
use tokio::net::TcpListener;

const DEFAULT_ADDRESS: &str = "127.0.0.1:9090";

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let address = std::env::args().nth(1);
    let listener = TcpListener::bind(address.as_deref().unwrap_or(DEFAULT_ADDRESS)).await?;
    writeln!(std::io::stdout(), "http://{}/", listener.local_addr()?)?;
    let stopped = async {
        // Without a signal handler there is nothing to wait for.
        let _interrupted = tokio::signal::ctrl_c().await;
    };
    serve(listener, Receiver::default(), stopped).await?;
    Ok(())
}

//! Serves the queues alone: `cargo run -p local-sqs --example serve -- 9324`.

use std::env;
use std::error::Error;
use std::future::pending;
use std::sync::Arc;

use local_sqs::{Sqs, SystemClock};
use tokio::net::TcpListener;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let port: u16 = match env::args().nth(1) {
        Some(port) => port.parse()?,
        None => 9324,
    };
    let listener = TcpListener::bind(("127.0.0.1", port)).await?;
    let sqs = Sqs::new(Arc::new(SystemClock::new()));
    sqs.serve(listener, pending()).await?;
    Ok(())
}

//! Publishes an event: `cargo run -p hookpost-client --example publish -- <url> [key]`.
//! With the local system up, the URL is `http://127.0.0.1:8000`.

use hookpost_client::{Client, Event, PublishError};
use serde::Serialize;

#[derive(Serialize)]
struct Order {
    order_id: &'static str,
    amount: f64,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let url = arguments
        .next()
        .unwrap_or("http://127.0.0.1:8000".to_owned());
    let key = arguments.next().unwrap_or_default();
    let client = Client::new(&url, &key)?;

    let order = Order {
        order_id: "ORD-001",
        amount: 42.0,
    };
    let event = Event::new("order.created", &order)?;
    match client.publish(&event).await {
        Ok(accepted) => eprintln!("{}: {} deliveries", accepted.id, accepted.delivery_count),
        // The program is wrong, not the moment.
        Err(PublishError::Refused(problem)) => return Err(problem.into()),
        // Keep `event` and publish it again later: it is sent to nobody twice.
        Err(later) => return Err(later.into()),
    }
    Ok(())
}

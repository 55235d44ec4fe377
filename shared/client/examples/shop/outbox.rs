//! Publishes what the outbox holds, for as long as it takes.

use std::sync::Arc;
use std::time::Duration;

use hookpost_client::Client;

use crate::Shop;

/// After this it is tried again: the client has tried for half a minute by itself.
const PAUSE: Duration = Duration::from_secs(5);

pub(crate) async fn publish(shop: Arc<Shop>, client: Client) {
    loop {
        let events = shop.store.waiting();
        if events.is_empty() {
            shop.told.notified().await;
            continue;
        }
        match client.publish_batch(&events).await {
            Ok(results) => {
                for (event, result) in events.iter().zip(results) {
                    match result {
                        Ok(accepted) => eprintln!(
                            "{} is {}, for {} endpoints",
                            event.event_type(),
                            accepted.id,
                            accepted.delivery_count
                        ),
                        // It will be refused tomorrow as well: somebody has to look.
                        Err(problem) => eprintln!("{} was refused: {problem}", event.event_type()),
                    }
                }
                shop.store.published(events.len());
            }
            // Nobody knows which of them were accepted: all are published again, and none goes out twice.
            Err(error) => {
                eprintln!("{} events wait: {error}", events.len());
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

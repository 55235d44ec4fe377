//! Messages of the delivery queue, made as `events/delivery` shows them: to be sent twice, late or
//! wrong.

use serde_json::{Value, json};

use crate::Tenant;

/// A message for a delivery whose event is to be read from the table.
const SAMPLE: &str = include_str!("../../events/delivery/payload-in-event.json");

impl Tenant<'_> {
    /// The message for a delivery as it stands: of its cycle, and sent when its event was accepted.
    pub async fn carrier(&self, delivery_id: &str) -> Value {
        let sample: Value = serde_json::from_str(SAMPLE).unwrap();
        let body = sample["Records"][0]["body"].as_str().unwrap();
        let mut carrier: Value = serde_json::from_str(body).unwrap();
        let delivery = self.delivery(delivery_id).await;
        for field in ["tenant", "endpoint_id", "event_id", "event_type", "cycle"] {
            carrier[field] = delivery[field].clone();
        }
        carrier["delivery_id"] = json!(delivery_id);
        for field in ["timestamp", "sent_at"] {
            carrier[field] = delivery["created_at"].clone();
        }
        carrier
    }
}

//! The system for tests that look into the dead-letter queue, and what came there.
//!
//! Receiving hides a message from all others, so the tests share what any of them has received.

use std::sync::{Mutex, OnceLock};

use hookpost_tests::{Message, System, Tenant, wait};
use serde_json::Value;

/// Receives hide messages for as long as any run of the tests may take.
const HIDDEN_S: u32 = 3600;

/// Each with its body.
static BURIED: Mutex<Vec<(Value, Message)>> = Mutex::new(Vec::new());

pub(super) fn system() -> &'static System {
    static SYSTEM: OnceLock<System> = OnceLock::new();
    SYSTEM.get_or_init(|| System::start_with(&[], &[]))
}

/// The message of the dead-letter queue whose body is the one that is looked for.
pub(super) async fn buried(
    tenant: &Tenant<'_>,
    what: &str,
    is_it: impl Fn(&Value) -> bool,
) -> Message {
    let what = format!("in the dead-letter queue: {what}");
    wait::until(&what, || async {
        let arrived = tenant.receive("DeadLetterQueue", HIDDEN_S).await;
        let mut buried = BURIED.lock().unwrap();
        let read = |message: Message| {
            (
                serde_json::from_str(&message.body).unwrap_or_default(),
                message,
            )
        };
        buried.extend(arrived.into_iter().map(read));
        let found = buried.iter().find(|(body, _)| is_it(body));
        let message = found.map(|(_, message)| message.clone());
        message.ok_or_else(|| format!("{} other messages", buried.len()))
    })
    .await
}

/// The message of the dead-letter queue for a delivery.
pub(super) async fn buried_delivery(tenant: &Tenant<'_>, delivery_id: &str) -> Message {
    let its = |body: &Value| body["delivery_id"] == delivery_id;
    buried(tenant, delivery_id, its).await
}

/// Whether the dead-letter queue had a message for a delivery when it was last looked into.
pub(super) fn is_buried(delivery_id: &str) -> bool {
    let buried = BURIED.lock().unwrap();
    buried
        .iter()
        .any(|(body, _)| body["delivery_id"] == delivery_id)
}

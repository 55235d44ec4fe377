//! An accepted event is durable, and reaches every endpoint that asked for it, unchanged.

use hookpost_tests::Tenant;
use serde_json::json;

#[tokio::test]
async fn an_event_arrives() {
    let tenant = Tenant::new();
    let endpoint = tenant.endpoint("/success").create().await;
    let event = tenant.publish("order.created", &json!({ "a": 1 })).await;
    tenant.delivery_is(event.delivery(), "delivered").await;
    let received = endpoint.receives(1).await;
    assert_eq!(received[0].signature, "verified");
    assert_eq!(received[0].data(), json!({ "a": 1 }));
}

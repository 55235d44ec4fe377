//! A webhook goes only to a receiver that proves to be the one that the URL names, over TLS 1.2 or
//! newer.

use hookpost_tests::Tenant;
use serde_json::{Value, json};

use crate::wire::{Wire, only_attempt};

async fn attempt_at(url: String) -> Value {
    let tenant = Tenant::on(&Wire::shared().system);
    only_attempt(&tenant, &url, &json!({})).await
}

/// The detail of a failure that has to be one of TLS.
fn refused(attempt: &Value) -> &str {
    assert_eq!(attempt["error"]["kind"], "tls", "{attempt:#}");
    assert_eq!(attempt["status_code"], Value::Null, "{attempt:#}");
    attempt["error"]["detail"].as_str().unwrap()
}

#[tokio::test]
async fn a_certificate_of_an_authority_that_the_deployment_trusts_is_accepted() {
    let wire = Wire::shared();
    for server in [&wire.secure.trusted, &wire.secure.tls12] {
        let attempt = attempt_at(server.url("/hook")).await;
        assert_eq!(attempt["status_code"], 200, "{attempt:#}");
        assert_eq!(server.requests(), 1);
    }
}

#[tokio::test]
async fn a_self_signed_certificate_is_refused() {
    let server = &Wire::shared().secure.self_signed;
    let attempt = attempt_at(server.url("/hook")).await;
    let detail = refused(&attempt);
    assert!(
        detail.contains("certificate") && detail.contains("UnknownIssuer"),
        "{detail}"
    );
    assert_eq!((server.connections(), server.requests()), (1, 0));
}

#[tokio::test]
async fn an_expired_certificate_is_refused() {
    let server = &Wire::shared().secure.expired;
    let attempt = attempt_at(server.url("/hook")).await;
    let detail = refused(&attempt);
    assert!(detail.contains("expired"), "{detail}");
    assert_eq!((server.connections(), server.requests()), (1, 0));
}

#[tokio::test]
async fn a_certificate_for_another_name_is_refused() {
    let server = &Wire::shared().secure.misnamed;
    let attempt = attempt_at(server.url("/hook")).await;
    let detail = refused(&attempt);
    assert!(
        detail.contains("not valid for name") && detail.contains("elsewhere.example"),
        "{detail}"
    );
    assert_eq!((server.connections(), server.requests()), (1, 0));
}

#[tokio::test]
async fn a_receiver_that_has_nothing_newer_than_tls_1_1_is_refused() {
    let server = &Wire::shared().secure.tls11;
    let attempt = attempt_at(server.url("/hook")).await;
    let detail = refused(&attempt);
    assert!(detail.contains("Tls12Or13"), "{detail}");
    assert_eq!(server.connections(), 1);
}

#[tokio::test]
async fn a_receiver_that_speaks_no_tls_gets_nothing_to_read() {
    let server = &Wire::shared().secure.plaintext;
    let attempt = attempt_at(server.url("/hook")).await;
    refused(&attempt);
    assert_eq!((server.connections(), server.requests()), (1, 0));
}

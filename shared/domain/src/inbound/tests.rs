use std::collections::HashMap;

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::matching::EventType;
use crate::signature;

fn source(draft: serde_json::Value) -> Source {
    let draft: SourceDraft = serde_json::from_value(draft).unwrap();
    let now = Timestamp::from_millis(1_795_262_400_000);
    let id = SourceId::generate(now, [1; 10]);
    let made = draft.create(id, TenantId::default(), Secret::generate([1; 32]), now);
    made.unwrap()
}

fn verify(
    source: &Source,
    headers: &[(&str, &str)],
    body: &[u8],
    seconds: u64,
) -> Result<(), Refused> {
    let headers: HashMap<&str, &str> = headers.iter().copied().collect();
    let header = |name: &str| headers.get(name).copied();
    let now = Timestamp::from_millis(seconds * 1000);
    source.kind.verify(&source.secrets, &header, body, now)
}

/// From <https://docs.github.com/en/webhooks/using-webhooks/validating-webhook-deliveries>.
#[test]
fn githubs_published_vector_holds() {
    let source = source(json!({
        "kind": { "type": "github" }, "secret": "It's a Secret to Everybody",
    }));
    let signature = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";
    let headers = [("x-hub-signature-256", signature)];
    assert_eq!(verify(&source, &headers, b"Hello, World!", 0), Ok(()));
    let forged = verify(&source, &headers, b"Hello, World?", 0);
    assert_eq!(forged, Err(Refused::Forged));
    assert_eq!(
        verify(&source, &[], b"Hello, World!", 0),
        Err(Refused::Unsigned)
    );
    let sha1 = [("x-hub-signature", signature)];
    assert_eq!(
        verify(&source, &sha1, b"Hello, World!", 0),
        Err(Refused::Unsigned)
    );
}

/// From the specification of Standard Webhooks.
#[test]
fn the_vector_of_standard_webhooks_holds_within_five_minutes() {
    let source = source(json!({
        "kind": { "type": "standard_webhooks" },
        "secrets": ["whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"],
    }));
    let body = br#"{"test": 2432232314}"#;
    let signature = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";
    let several = format!("v1a,x v1,AAAA {signature}");
    for (name, signature) in [("webhook", signature), ("svix", several.as_str())] {
        let names = ["id", "timestamp", "signature"].map(|part| format!("{name}-{part}"));
        let headers = [
            (names[0].as_str(), "msg_p5jXN8AQM9LWM0D4loKWxJek"),
            (names[1].as_str(), "1614265330"),
            (names[2].as_str(), signature),
        ];
        for (now, expected) in [
            (1_614_265_330, Ok(())),
            (1_614_265_630, Ok(())),
            (1_614_265_030, Ok(())),
            (1_614_265_631, Err(Refused::Late)),
            (1_614_265_029, Err(Refused::Late)),
        ] {
            assert_eq!(verify(&source, &headers, body, now), expected, "{now}");
        }
        let forged = verify(&source, &headers, b"{}", 1_614_265_330);
        assert_eq!(forged, Err(Refused::Forged));
    }
}

/// The scheme of <https://docs.stripe.com/webhooks/signature>: `v1` is the HMAC-SHA256 of
/// `{t}.{body}` keyed with the whole secret.
#[test]
fn stripes_scheme_holds_with_any_of_its_signatures() {
    let source = source(json!({
        "kind": { "type": "stripe" }, "secret": "plain-test-secret",
    }));
    // Computed by Python: hmac.new(b"plain-test-secret", b'1492774577.{"id":"evt_1"}', "sha256").
    let v1 = "a8dc756f6fde1b3dd0b5833135da882a0e809509cac3f30675c189d875aa4a4a";
    let body = br#"{"id":"evt_1"}"#;
    let header = format!("t=1492774577,v0=6ffbb59b,v1=00ff,v1={v1}");
    let headers = [("stripe-signature", header.as_str())];
    assert_eq!(verify(&source, &headers, body, 1_492_774_577), Ok(()));
    assert_eq!(
        verify(&source, &headers, body, 1_492_774_878),
        Err(Refused::Late)
    );
    let twice = format!("t=1492774577,t=1492774578,v1={v1}");
    let headers = [("stripe-signature", twice.as_str())];
    assert_eq!(
        verify(&source, &headers, body, 1_492_774_577),
        Err(Refused::Unsigned)
    );
}

#[test]
fn other_senders_are_told_by_their_headers() {
    // Slack's published vector: https://docs.slack.dev/authentication/verifying-requests-from-slack
    let slack = source(json!({
        "kind": {
            "type": "hmac", "signature_header": "X-Slack-Signature", "prefix": "v0=",
            "signed": "v0:{timestamp}:{body}", "timestamp_header": "X-Slack-Request-Timestamp",
        },
        "secret": "8f742231b10e8888abcd99yyyzzz85a5",
    }));
    let body = b"token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V&channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text=&response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c";
    let headers = [
        (
            "x-slack-signature",
            "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503",
        ),
        ("x-slack-request-timestamp", "1531420618"),
    ];
    assert_eq!(verify(&slack, &headers, body, 1_531_420_618), Ok(()));
    assert_eq!(
        verify(&slack, &headers, body, 1_531_430_618),
        Err(Refused::Late)
    );

    let shop = source(json!({
        "kind": {
            "type": "hmac", "signature_header": "X-Shopify-Hmac-Sha256", "encoding": "base64",
        },
        "secret": "a-shared-secret",
    }));
    // Computed by Python: base64 of hmac.new(b"a-shared-secret", b"{}", "sha256").
    let headers = [(
        "x-shopify-hmac-sha256",
        "Xc3+62ekONzb9rs0UqoZuznqYUBDlh7YpsGOUL+HYAs=",
    )];
    assert_eq!(verify(&shop, &headers, b"{}", 0), Ok(()));
}

#[test]
fn what_makes_no_sense_is_refused_by_its_name() {
    for (draft, field) in [
        (json!({}), "kind"),
        (
            json!({ "kind": { "type": "github" }, "secret": "short" }),
            "secret",
        ),
        (
            json!({ "kind": { "type": "github" }, "secrets": [] }),
            "secrets",
        ),
        (
            json!({ "kind": { "type": "github" }, "event_type": {} }),
            "event_type",
        ),
        (
            json!({ "kind": { "type": "github" }, "event_type": { "fixed": "a b" } }),
            "event_type",
        ),
        (
            json!({ "kind": { "type": "github" }, "event_type": { "fixed": "hookpost.x" } }),
            "event_type",
        ),
        (
            json!({ "kind": { "type": "github" }, "forward_headers": ["content-length"] }),
            "forward_headers",
        ),
        (
            json!({ "kind": { "type": "hmac", "signature_header": "x", "signed": "x" } }),
            "kind.signed",
        ),
        (
            json!({ "kind": { "type": "hmac", "signature_header": "x", "signed": "{timestamp}{body}" } }),
            "kind.timestamp_header",
        ),
        (
            json!({ "kind": { "type": "hmac", "signature_header": "x y" } }),
            "kind",
        ),
    ] {
        let read: SourceDraft = serde_json::from_value(draft.clone()).unwrap();
        let (now, secret) = (Timestamp::default(), Secret::generate([1; 32]));
        let id = SourceId::generate(now, [1; 10]);
        let refused = read.create(id, TenantId::default(), secret, now);
        assert_eq!(refused.unwrap_err().field, field, "{draft}");
    }
}

fn event(source: &Source, headers: &[(&str, &str)], body: &[u8]) -> Webhook {
    let headers: HashMap<&str, &str> = headers.iter().copied().collect();
    let header = |name: &str| headers.get(name).copied();
    source.event(&header, body, Timestamp::default()).unwrap()
}

#[test]
fn a_webhook_says_its_type_and_id_where_its_kind_has_them() {
    let github = source(json!({ "kind": { "type": "github" } }));
    let headers = [
        ("x-github-event", "pull_request"),
        ("x-github-delivery", "72d3"),
    ];
    let webhook = event(&github, &headers, b"{}");
    assert_eq!(webhook.event.event_type.as_str(), "github.pull_request");
    assert_eq!(webhook.key, format!("in:{}:72d3", github.id));
    let stripe = source(json!({ "kind": { "type": "stripe" } }));
    let webhook = event(&stripe, &[], br#"{"id":"evt_1","type":"charge.failed"}"#);
    assert_eq!(webhook.event.event_type.as_str(), "stripe.charge.failed");
    assert_eq!(webhook.key, format!("in:{}:evt_1", stripe.id));
    // What says nothing of the kind is still taken, and known again.
    let (one, same) = (event(&stripe, &[], b"x"), event(&stripe, &[], b"x"));
    assert_eq!(one.event.event_type.as_str(), "stripe.inbound");
    assert_eq!(one.key, same.key);
    assert_ne!(one.key, event(&stripe, &[], b"y").key);
}

#[test]
fn only_headers_that_are_asked_for_go_on() {
    let source = source(json!({
        "kind": { "type": "github" }, "forward_headers": ["X-GitHub-Event", "x-absent"],
    }));
    let headers = [
        ("x-github-event", "push"),
        ("x-secret", "1"),
        ("content-type", "application/x-www-form-urlencoded"),
    ];
    let webhook = event(&source, &headers, b"a=1");
    let raw = Raw::of(&webhook.event.cloud_event.unwrap()).unwrap();
    let names: Vec<_> = raw.headers.keys().map(String::as_str).collect();
    assert_eq!(names, ["content-type", "x-github-event"]);
    assert_eq!(
        raw.headers["content-type"],
        "application/x-www-form-urlencoded"
    );
}

proptest! {
    #[test]
    fn any_body_comes_out_as_it_went_in(body in proptest::collection::vec(any::<u8>(), 0..200)) {
        let (payload, base64) = Raw::payload(&body);
        let raw = Raw { base64, headers: std::collections::BTreeMap::new() };
        prop_assert_eq!(raw.body(&payload), body);
    }

    #[test]
    fn any_json_comes_out_as_it_went_in(text in "[ \n]{0,2}(\\{ ?\"a\" ?: ?(1\\.0|\"\\PC{0,5}\"|null) ?\\}|null|\"\\PC{0,5}\")[ \n]{0,2}") {
        let (payload, base64) = Raw::payload(text.as_bytes());
        let raw = Raw { base64, headers: std::collections::BTreeMap::new() };
        prop_assert_eq!(raw.body(&payload), text.as_bytes());
    }

    #[test]
    fn no_header_or_body_panics_or_passes(
        value in "\\PC{0,60}", body in proptest::collection::vec(any::<u8>(), 0..50),
        time in "[0-9]{0,25}",
    ) {
        let header = |name: &str| match name {
            name if name.contains("timestamp") => Some(time.as_str()),
            _ => Some(value.as_str()),
        };
        let hmac = json!({ "type": "hmac", "signature_header": "x", "timestamp_header": "timestamp", "signed": "{timestamp}.{body}" });
        for kind in [json!({ "type": "github" }), json!({ "type": "stripe" }), json!({ "type": "standard_webhooks" }), hmac] {
            let source = source(json!({ "kind": kind }));
            prop_assert!(source.kind.verify(&source.secrets, &header, &body, Timestamp::default()).is_err());
            if let Ok(webhook) = source.event(&header, &body, Timestamp::default()) {
                prop_assert!(webhook.event.event_type.as_str().parse::<EventType>().is_ok());
            }
        }
    }
}

#[test]
fn a_signature_of_ours_is_taken_as_any_other() {
    let source = source(json!({ "kind": { "type": "standard_webhooks" } }));
    let at = Timestamp::from_millis(5_000);
    let signature = signature::standard(&source.secrets, "evt", at, b"{}");
    let headers = [
        ("webhook-id", "evt"),
        ("webhook-timestamp", "5"),
        ("webhook-signature", signature.as_str()),
    ];
    assert_eq!(verify(&source, &headers, b"{}", 5), Ok(()));
}

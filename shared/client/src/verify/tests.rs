use std::collections::HashMap;

use proptest::prelude::*;
use ring::signature::{Ed25519KeyPair, KeyPair};

use super::*;

/// The vector that Standard Webhooks publishes.
const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const ID: &str = "msg_p5jXN8AQM9LWM0D4loKWxJek";
const AT: &str = "1614265330";
const BODY: &[u8] = br#"{"test": 2432232314}"#;
const SIGNATURE: &str = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";

fn time(seconds: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
}

fn now() -> SystemTime {
    time(1_614_265_330)
}

fn headers<'a>(id: &'a str, at: &'a str, signature: &'a str) -> [(&'a str, &'a str); 3] {
    [
        ("Webhook-Id", id),
        ("Webhook-Timestamp", at),
        ("Webhook-Signature", signature),
    ]
}

#[test]
fn the_published_vector_is_accepted() {
    let headers = headers(ID, AT, SIGNATURE);
    let verified = verify(SECRET, &headers, BODY, now()).unwrap();
    assert_eq!(
        (verified.id, verified.sent_at, verified.body()),
        (ID, now(), BODY)
    );
}

#[test]
fn whatever_is_changed_is_refused() {
    let check = |secret: &str, id, at, body, signature| {
        verify(secret, &headers(id, at, signature), body, now()).map(|_| ())
    };
    let no_match = Err(VerifyError::NoMatch);
    assert_eq!(check("another secret", ID, AT, BODY, SIGNATURE), no_match);
    assert_eq!(check(SECRET, "msg_1", AT, BODY, SIGNATURE), no_match);
    assert_eq!(check(SECRET, ID, "1614265331", BODY, SIGNATURE), no_match);
    assert_eq!(check(SECRET, ID, AT, b"{}", SIGNATURE), no_match);
    let (_, encoded) = SIGNATURE.split_once(',').unwrap();
    for signature in [
        "",
        "v1",
        "v1,",
        "v1,!",
        encoded,
        &format!("v2,{encoded}"),
        &format!("v1a,{encoded}"),
        &SIGNATURE[..SIGNATURE.len() - 4],
    ] {
        assert_eq!(
            check(SECRET, ID, AT, BODY, signature),
            no_match,
            "{signature}"
        );
    }
}

#[test]
fn what_is_missing_or_unreadable_is_named() {
    let all = headers(ID, AT, SIGNATURE);
    for (index, name) in ["webhook-id", "webhook-timestamp", "webhook-signature"]
        .iter()
        .enumerate()
    {
        let mut some = all.to_vec();
        some.remove(index);
        assert_eq!(
            verify(SECRET, &some, BODY, now()),
            Err(VerifyError::Missing(name))
        );
    }
    for at in [
        "",
        "soon",
        "-5",
        "+5",
        "1614265330.5",
        "99999999999999999999",
    ] {
        let headers = headers(ID, at, SIGNATURE);
        let verdict = verify(SECRET, &headers, BODY, now());
        assert_eq!(
            verdict,
            Err(VerifyError::Unreadable("webhook-timestamp")),
            "{at}"
        );
    }
}

/// `{id}.{time}.{body}` can be cut elsewhere: a request with the same content must not pass.
#[test]
fn id_time_and_body_cannot_be_cut_anew() {
    let library = standardwebhooks::Webhook::new(SECRET).unwrap();
    let signature = library.sign("a", 5, b"6.{}").unwrap();
    assert!(verify(SECRET, &headers("a", "5", &signature), b"6.{}", time(5)).is_ok());
    let cut_anew = headers("a.5", "6", &signature);
    let verdict = verify(SECRET, &cut_anew, b"{}", time(6));
    assert_eq!(verdict, Err(VerifyError::Unreadable("webhook-id")));
}

#[test]
fn five_minutes_are_the_limit_either_way() {
    let at = 1_614_265_330;
    let check = |now| verify(SECRET, &headers(ID, AT, SIGNATURE), BODY, time(now)).map(|_| ());
    assert_eq!(check(at + 300), Ok(()));
    assert_eq!(check(at + 301), Err(VerifyError::TooOld));
    assert_eq!(check(at - 300), Ok(()));
    assert_eq!(check(at - 301), Err(VerifyError::TooNew));
}

#[test]
fn while_a_secret_is_rotated_either_side_may_be_first() {
    let both = format!("v1,AAAA {SIGNATURE}");
    assert!(verify(SECRET, &headers(ID, AT, &both), BODY, now()).is_ok());
    let verifier = Verifier::new(["the new secret", SECRET]).unwrap();
    assert!(
        verifier
            .verify(&headers(ID, AT, SIGNATURE), BODY, now())
            .is_ok()
    );
}

#[test]
fn public_keys_check_ed25519() {
    let pair = Ed25519KeyPair::from_seed_unchecked(&[7; 32]).unwrap();
    let public = format!("whpk_{}", STANDARD.encode(pair.public_key()));
    let content = [ID.as_bytes(), b".", AT.as_bytes(), b".", BODY].concat();
    let signature = format!("v1a,{}", STANDARD.encode(pair.sign(&content)));
    let check = |key: &str, body| {
        let headers = headers(ID, AT, &signature);
        Verifier::new([key])?
            .verify(&headers, body, now())
            .map(|_| ())
    };
    assert_eq!(check(&public, BODY), Ok(()));
    assert_eq!(check(&public, b"{}"), Err(VerifyError::NoMatch));
    let other = format!("whpk_{}", STANDARD.encode([1; 32]));
    assert_eq!(check(&other, BODY), Err(VerifyError::NoMatch));
    // A shared secret must never be checked as a public key, nor the other way round.
    assert_eq!(check(SECRET, BODY), Err(VerifyError::NoMatch));
}

#[test]
fn what_cannot_be_a_key_is_refused() {
    for key in ["", "whsec_", "whsec_!", "whpk_AAAA", "whsk_AAAA"] {
        assert_eq!(Verifier::new([key]).unwrap_err(), VerifyError::Key, "{key}");
    }
    assert!(Verifier::new::<&str>([]).is_err());
    let shown = format!("{:?}", Verifier::new([SECRET]).unwrap());
    assert!(
        !shown.contains("MfKQ") && shown.contains("Shared(..)"),
        "{shown}"
    );
}

#[test]
fn the_plain_form_is_over_the_body_alone() {
    // printf '{}' | openssl dgst -sha256 -hmac your-secret-key
    let signature = "sha256=86695d3e3d226e30a3ed77233bd69f655406747f93b251d287cd7e2094e9e32e";
    let check = |secret, signature: &str, body: &[u8]| {
        let headers = HashMap::from([("X-Webhook-Signature", signature)]);
        verify_plain(secret, &headers, body)
    };
    assert_eq!(check("your-secret-key", signature, b"{}"), Ok(()));
    assert_eq!(
        check(
            "your-secret-key",
            &signature.to_uppercase().replace("SHA", "sha"),
            b"{}"
        ),
        Ok(())
    );
    assert_eq!(
        check("your-secret-key", signature, b"[]"),
        Err(VerifyError::NoMatch)
    );
    assert_eq!(
        check("another", signature, b"{}"),
        Err(VerifyError::NoMatch)
    );
    assert_eq!(
        check("your-secret-key", "sha256=", b"{}"),
        Err(VerifyError::NoMatch)
    );
    for bad in ["", "86695d", "sha256=8", "sha256=xx", "md5=86"] {
        let unreadable = Err(VerifyError::Unreadable("x-webhook-signature"));
        assert_eq!(check("your-secret-key", bad, b"{}"), unreadable, "{bad}");
    }
}

#[test]
fn the_message_is_read_from_what_was_signed() {
    let body =
        br#"{"id":"e","event":"order.created","timestamp":"2026-11-21T12:00:00Z","data":{"n":1}}"#;
    let signature = standardwebhooks::Webhook::new(SECRET)
        .unwrap()
        .sign("e", 5, body)
        .unwrap();
    let headers = headers("e", "5", &signature);
    let verified = verify(SECRET, &headers, body, time(5)).unwrap();
    let message: Message<HashMap<String, u32>> = verified.message().unwrap();
    assert_eq!(
        (message.event.as_str(), message.data["n"]),
        ("order.created", 1)
    );
    assert!(verified.message::<String>().is_err());
}

proptest! {
    #[test]
    fn what_the_stock_library_signs_is_accepted_and_nothing_else(
        key in prop::collection::vec(any::<u8>(), 24..=64),
        id in "[a-z0-9_-]{1,40}",
        at in 1_000_000i64..4_000_000_000,
        text in ".{0,100}",
        noise in ".{0,80}",
    ) {
        let secret = format!("whsec_{}", STANDARD.encode(&key));
        let body = text.as_bytes();
        let signature = standardwebhooks::Webhook::new(&secret).unwrap().sign(&id, at, body).unwrap();
        let (at, now) = (at.to_string(), time(u64::try_from(at).unwrap()));
        prop_assert!(verify(&secret, &headers(&id, &at, &signature), body, now).is_ok());
        prop_assert!(verify(&secret, &headers(&id, &at, &noise), body, now).is_err());
        prop_assert!(verify(&secret, &headers(&noise, &at, &signature), body, now).is_err() || noise == id);
    }
}

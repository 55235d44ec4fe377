//! The rules of single fields.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::Invalid;
use crate::breaker::BreakerPolicy;
use crate::endpoint::{BasicAuth, ExtraHeader};
use crate::headers;
use crate::line::OnDeadLetter;
use crate::matching::EventPattern;

/// Entries that an endpoint's metadata may have.
const MAX_METADATA: usize = 50;

#[derive(Clone, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(in crate::endpoint) struct AuthInput {
    /// `basic`.
    #[serde(rename = "type")]
    kind: Option<String>,
    /// The user name, at most 256 bytes, without `:`.
    username: String,
    /// The password, at most 256 bytes.
    password: String,
}

#[derive(Debug, Clone, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(in crate::endpoint) struct BreakerInput {
    /// Failures in a row that open it, 1 to 1000; 5 unless given.
    failures: Option<u32>,
    /// Seconds until the first probe, 1 to 900; 30 unless given.
    #[serde(alias = "pause")]
    pause_seconds: Option<u32>,
}

impl AuthInput {
    pub(super) fn check(self) -> Result<BasicAuth, Invalid> {
        if self.kind.as_deref().is_some_and(|kind| kind != "basic") {
            return Err(Invalid::new("auth.type", "must be `basic`"));
        }
        let plain = |text: &str| text.len() <= 256 && !text.chars().any(char::is_control);
        if self.username.contains(':') || !plain(&self.username) {
            return Err(Invalid::new(
                "auth.username",
                "must be at most 256 bytes, without `:`",
            ));
        }
        if !plain(&self.password) {
            return Err(Invalid::new("auth.password", "must be at most 256 bytes"));
        }
        Ok(BasicAuth {
            username: self.username,
            password: self.password,
        })
    }
}

impl BreakerInput {
    pub(super) fn check(self) -> Result<BreakerPolicy, Invalid> {
        let default = BreakerPolicy::default();
        let failures = self.failures.unwrap_or(default.failures);
        if !(1..=1000).contains(&failures) {
            return Err(Invalid::new(
                "breaker.failures",
                "must be between 1 and 1000",
            ));
        }
        let pause = self.pause_seconds.unwrap_or(default.pause_seconds);
        if !(1..=900).contains(&pause) {
            return Err(Invalid::new(
                "breaker.pause_seconds",
                "must be between 1 and 900",
            ));
        }
        Ok(BreakerPolicy {
            failures,
            pause_seconds: pause,
        })
    }
}

pub(super) fn text(field: &'static str, value: String, max: usize) -> Result<String, Invalid> {
    if value.len() > max {
        return Err(Invalid::new(
            field,
            format!("must be at most {max} bytes long"),
        ));
    }
    Ok(value)
}

pub(super) fn event_patterns(patterns: &[String]) -> Result<Vec<EventPattern>, Invalid> {
    if patterns.is_empty() || patterns.len() > 100 {
        return Err(Invalid::new(
            "event_types",
            "must list 1 to 100 event types or patterns",
        ));
    }
    patterns.iter().map(|pattern| pattern.parse()).collect()
}

pub(super) fn extra_headers(extra: BTreeMap<String, String>) -> Result<Vec<ExtraHeader>, Invalid> {
    if extra.len() > headers::MAX_HEADERS {
        return Err(Invalid::new("headers", "must be at most 20"));
    }
    extra
        .into_iter()
        .map(|(name, value)| {
            headers::check(&name, &value)?;
            Ok(ExtraHeader { name, value })
        })
        .collect()
}

pub(super) fn checked_metadata(
    metadata: BTreeMap<String, String>,
) -> Result<BTreeMap<String, String>, Invalid> {
    if metadata.len() > MAX_METADATA {
        return Err(Invalid::new("metadata", "must be at most 50 entries"));
    }
    for (key, value) in &metadata {
        let is_plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.');
        if key.is_empty() || key.len() > 40 || !key.bytes().all(is_plain) {
            return Err(Invalid::new(
                "metadata",
                "must have keys of 1 to 40 letters, digits, `_`, `-` or `.`",
            ));
        }
        if value.len() > 500 {
            let field = format!("metadata.{key}");
            return Err(Invalid::new(field, "must be at most 500 bytes of text"));
        }
    }
    Ok(metadata)
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "from 1 to 30, checked in the line above"
)]
pub(super) fn timeout_seconds(secs: f64) -> Result<u8, Invalid> {
    if !(1.0..=30.0).contains(&secs) {
        return Err(Invalid::new("timeout_seconds", "must be between 1 and 30"));
    }
    Ok(secs.ceil() as u8)
}

pub(super) fn rate_limit(per_second: u32) -> Result<u32, Invalid> {
    if !(1..=100_000).contains(&per_second) {
        return Err(Invalid::new(
            "rate_limit_per_second",
            "must be between 1 and 100000",
        ));
    }
    Ok(per_second)
}

pub(super) fn in_flight(most: u32) -> Result<u32, Invalid> {
    if !(1..=1000).contains(&most) {
        return Err(Invalid::new("max_in_flight", "must be between 1 and 1000"));
    }
    Ok(most)
}

/// What is said of order: `ordered` and `on_dead_letter` as they are asked for, over what holds.
pub(super) fn order(
    current: Option<OnDeadLetter>,
    ordered: Option<bool>,
    on_dead_letter: Option<OnDeadLetter>,
) -> Result<Option<OnDeadLetter>, Invalid> {
    match (ordered.unwrap_or(current.is_some()), on_dead_letter) {
        (true, asked) => Ok(Some(asked.or(current).unwrap_or_default())),
        (false, None) => Ok(None),
        (false, Some(_)) => {
            let rule = "is said of an endpoint with `ordered: true` only";
            Err(Invalid::new("on_dead_letter", rule))
        }
    }
}

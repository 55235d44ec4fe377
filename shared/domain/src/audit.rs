//! The audit log: who did what, when, from where, and what came of it.
//!
//! Guarantees: whatever changes something has its entry before it begins, so that there is no
//! change without one; refused calls are bounded in what they write, whoever makes them, and what
//! is left out is counted.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::ids::AuditId;
use crate::{Invalid, TenantId, Timestamp};

/// How many partitions one tenant's entries are spread over.
pub const AUDIT_SHARDS: u8 = 4;
/// Refused calls that one process writes down in a [`WINDOW`].
const MAX_REFUSED: u32 = 30;
/// See [`MAX_REFUSED`].
const WINDOW: Duration = Duration::from_secs(60);
/// Most bytes of one text that a caller chose.
const MAX_TEXT: usize = 256;

/// What came of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// It was begun, and nothing tells what came of it: whoever did it broke off.
    Begun,
    /// It was done.
    Done,
    /// It was allowed, but failed, or was not valid.
    Failed,
    /// Its caller may not do this, or is not known.
    Refused,
}

impl Outcome {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Begun, Self::Done, Self::Failed, Self::Refused];

    /// What an answer's status says.
    pub const fn of(status: u16) -> Self {
        match status {
            200..=399 => Self::Done,
            401 | 403 => Self::Refused,
            _ => Self::Failed,
        }
    }

    /// Its name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Begun => "begun",
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Refused => "refused",
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Outcome {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let found = Self::ALL.into_iter().find(|known| known.as_str() == text);
        let rule = "must be begun, done, failed or refused";
        found.ok_or_else(|| Invalid::new("outcome", rule))
    }
}

/// One call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Entry {
    /// Its id, which tells when it was.
    pub id: AuditId,
    /// Whose things it was about; `None` if it was refused before that was known, or was about the
    /// deployment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tenant: Option<TenantId>,
    /// Who: `key:hk_...`, `token:...`, `deploy-key`, `console`, `anonymous`.
    pub actor: String,
    /// What: the method and the path with its parts left open, such as `PATCH /endpoints/{id}`.
    pub action: String,
    /// The method of the call; nothing if it was none of HTTP.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub method: String,
    /// What it was about: the path, without what goes before the resource.
    pub resource: String,
    /// From where.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub source_ip: String,
    /// What API Gateway, or Lambda, calls the call.
    pub request_id: String,
    /// What came of it.
    pub outcome: Outcome,
    /// The status it was answered with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// Refused calls before this one that were left out, as there were too many.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub left_out: u32,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde passes a reference"
)]
const fn is_zero(count: &u32) -> bool {
    *count == 0
}

impl Entry {
    /// The same, with every text cut to what is worth keeping: a path may have kilobytes.
    #[must_use]
    pub fn clipped(mut self) -> Self {
        for text in [
            &mut self.action,
            &mut self.method,
            &mut self.resource,
            &mut self.source_ip,
            &mut self.request_id,
        ] {
            let end = (0..=MAX_TEXT.min(text.len())).rev();
            let end = end.into_iter().find(|end| text.is_char_boundary(*end));
            text.truncate(end.unwrap_or_default());
        }
        self
    }
}

/// Which entries are meant. Everything that is given must hold.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AuditFilter {
    /// Those at or after this time.
    pub from: Option<Timestamp>,
    /// Those before this time.
    pub to: Option<Timestamp>,
    /// Those of this actor; `key:` and the like may be left out.
    pub actor: Option<String>,
    /// Those of this action.
    pub action: Option<String>,
    /// Those that came to this.
    pub outcome: Option<Outcome>,
    /// Those about this resource, or one below it: `endpoints/ep_1`, `endpoints`.
    pub resource: Option<String>,
}

impl AuditFilter {
    /// Whether `entry` is meant.
    pub fn matches(&self, entry: &Entry) -> bool {
        let at = entry.id.time();
        let bare = entry.actor.split_once(':').map_or("", |(_, name)| name);
        let below = |wanted: &String| {
            let wanted = wanted.trim_matches('/');
            let rest = entry.resource.strip_prefix(wanted);
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        self.from.is_none_or(|from| at >= from)
            && self.to.is_none_or(|to| at < to)
            && self.outcome.is_none_or(|outcome| entry.outcome == outcome)
            && self
                .action
                .as_ref()
                .is_none_or(|action| entry.action == *action)
            && self
                .actor
                .as_ref()
                .is_none_or(|actor| entry.actor == *actor || bare == actor)
            && self.resource.as_ref().is_none_or(below)
    }
}

/// How many refused calls a process has written down lately.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Refusals {
    began: Timestamp,
    written: u32,
    left_out: u32,
}

impl Refusals {
    /// One more was refused. `Some` if it is to be written down, with how many before it were not;
    /// `None` if it only counts.
    pub fn note(&mut self, now: Timestamp) -> Option<u32> {
        if now.since(self.began) >= WINDOW {
            self.began = now;
            self.written = 0;
        }
        if self.written >= MAX_REFUSED {
            self.left_out = self.left_out.saturating_add(1);
            return None;
        }
        self.written += 1;
        Some(std::mem::take(&mut self.left_out))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn entry(ms: u64) -> Entry {
        Entry {
            id: AuditId::generate(Timestamp::from_millis(ms), [3; 10]),
            tenant: None,
            actor: "key:hk_0123456789ab".to_owned(),
            action: "POST /endpoints/{id}/rotate-secret".to_owned(),
            method: "POST".to_owned(),
            resource: "endpoints/ep_1/rotate-secret".to_owned(),
            source_ip: "203.0.113.7".to_owned(),
            request_id: "r".to_owned(),
            outcome: Outcome::Done,
            status: Some(200),
            left_out: 0,
        }
    }

    proptest! {
        #[test]
        fn refused_calls_are_all_written_or_counted_and_never_many_written(
            waits in proptest::collection::vec(0..3_000u64, 1..400),
        ) {
            let mut refusals = Refusals::default();
            let mut now = Timestamp::from_millis(1_000_000);
            let mut written = Vec::new();
            let mut counted = 0;
            for wait in &waits {
                now = now.after(Duration::from_millis(*wait));
                if let Some(left_out) = refusals.note(now) {
                    written.push(now);
                    counted += left_out;
                }
            }
            prop_assert_eq!(written.len() + (counted + refusals.left_out) as usize, waits.len());
            for from in &written {
                let near = written.iter().filter(|at| *at >= from && at.since(*from) < WINDOW);
                prop_assert!(near.count() <= 2 * MAX_REFUSED as usize);
            }
        }

        #[test]
        fn an_entry_fits_however_long_its_path_is(text in "\\PC{0,600}") {
            let clipped = Entry { resource: text.clone(), ..entry(1) }.clipped();
            prop_assert!(clipped.resource.len() <= MAX_TEXT);
            prop_assert!(text.starts_with(&clipped.resource));
            prop_assert!(text.len() > MAX_TEXT || clipped.resource == text);
        }

        #[test]
        fn an_entry_is_between_the_times_that_hold_it(ms in 1_000..2_000u64, from in 1_000..2_000u64, to in 1_000..2_000u64) {
            let filter = AuditFilter {
                from: Some(Timestamp::from_millis(from)),
                to: Some(Timestamp::from_millis(to)),
                ..AuditFilter::default()
            };
            prop_assert_eq!(filter.matches(&entry(ms)), from <= ms && ms < to);
            let id = entry(ms).id;
            prop_assert_eq!(id >= AuditId::floor(Timestamp::from_millis(from)), ms >= from);
        }
    }

    #[test]
    fn a_filter_means_what_it_names() {
        let meant = |change: fn(&mut AuditFilter)| {
            let mut filter = AuditFilter::default();
            change(&mut filter);
            filter.matches(&entry(1))
        };
        assert!(meant(|_| ()));
        assert!(meant(|f| f.actor = Some("key:hk_0123456789ab".into())));
        assert!(meant(|f| f.actor = Some("hk_0123456789ab".into())));
        assert!(!meant(|f| f.actor = Some("hk_0123456789".into())));
        assert!(meant(|f| f.resource = Some("endpoints".into())));
        assert!(meant(|f| f.resource = Some("/endpoints/ep_1/".into())));
        assert!(!meant(|f| f.resource = Some("endpoints/ep_".into())));
        assert!(!meant(|f| f.resource = Some("deliveries".into())));
        assert!(!meant(|f| f.outcome = Some(Outcome::Refused)));
        assert!(meant(
            |f| f.action = Some("POST /endpoints/{id}/rotate-secret".into())
        ));
        assert!(!meant(|f| f.action = Some("POST /endpoints".into())));
    }

    #[test]
    fn a_status_tells_the_outcome() {
        for (status, outcome) in [
            (200, Outcome::Done),
            (202, Outcome::Done),
            (400, Outcome::Failed),
            (401, Outcome::Refused),
            (403, Outcome::Refused),
            (404, Outcome::Failed),
            (503, Outcome::Failed),
        ] {
            assert_eq!(Outcome::of(status), outcome);
            assert_eq!(outcome.as_str().parse(), Ok(outcome));
        }
    }
}

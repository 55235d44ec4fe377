//! What an endpoint's answer means: by its status, and by what its body says where the endpoint has
//! rules about that.
//!
//! Guarantees: an answer that no rule speaks of means what HTTP says; the first rule that fits
//! decides; only the head of a body is looked at, and looking costs no more than its length times
//! the number of rules.

mod rule;
mod status;
#[cfg(test)]
mod tests;

use rule::Body;
pub use rule::{Condition, JsonCondition, MAX_BODY_BYTES, Meaning, ResponseRule, check_rules};
pub use status::{StatusPattern, check_no_contradiction, check_statuses};

use crate::delivery::{AttemptResult, DeadReason, FailureKind, clip};

/// What an endpoint answers that wants nothing more.
const GONE: u16 = 410;

/// Everything that an endpoint says about its answers.
#[derive(Debug, Clone, Copy, Default)]
pub struct Rules<'a> {
    /// Statuses that are retried, whatever class of `no_retry_statuses` they are in; 410 among
    /// them is a failure like any other.
    pub retry_statuses: &'a [StatusPattern],
    /// Statuses that no retry mends.
    pub no_retry_statuses: &'a [StatusPattern],
    /// What comes before both.
    pub response_rules: &'a [ResponseRule],
}

/// An answer, and what it means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judged {
    /// The result, as the endpoint means it.
    pub result: AttemptResult,
    /// Why this failure is the last one whatever the retry policy says, if it is.
    pub ends: Option<DeadReason>,
}

impl Judged {
    /// Whether the endpoint wants nothing more.
    pub const fn is_gone(&self) -> bool {
        matches!(self.ends, Some(DeadReason::Gone))
    }
}

impl Rules<'_> {
    /// Whether the body has to be read to judge by these.
    pub fn look_into_bodies(&self) -> bool {
        self.response_rules
            .iter()
            .any(|rule| rule.when.body_contains.is_some() || rule.when.body_json.is_some())
    }

    /// What the answer means; `body` is its head, and `result` what HTTP says.
    pub fn judge(&self, result: AttemptResult, body: &[u8]) -> Judged {
        let status = match &result {
            AttemptResult::Accepted(status)
            | AttemptResult::Failed {
                kind: FailureKind::Http(status),
                ..
            } => *status,
            AttemptResult::Failed { .. } => return Judged { result, ends: None },
        };
        let body = Body::new(body);
        let fits = |(_, rule): &(usize, &ResponseRule)| rule.when.holds(status, &body);
        let Some((place, rule)) = (1..).zip(self.response_rules).find(fits) else {
            let ends = match &result {
                AttemptResult::Accepted(_) => None,
                AttemptResult::Failed { .. } => self.ends(status),
            };
            return Judged { result, ends };
        };
        let failed = |result| match result {
            AttemptResult::Accepted(_) => AttemptResult::Failed {
                kind: FailureKind::Http(status),
                detail: format!("a failure by the endpoint's response rule {place}"),
                response: clip(body.bytes),
            },
            AttemptResult::Failed { .. } => result,
        };
        match rule.then {
            Meaning::Succeed => Judged {
                result: AttemptResult::Accepted(status),
                ends: None,
            },
            Meaning::Retry => Judged {
                result: failed(result),
                ends: None,
            },
            Meaning::Fail => Judged {
                result: failed(result),
                ends: Some(DeadReason::NotRetried),
            },
        }
    }

    /// Why a failure with this status is the last one, if it is. A code counts before a class.
    fn ends(&self, status: u16) -> Option<DeadReason> {
        let code = StatusPattern::Code(status);
        let class = StatusPattern::Class(status / 100);
        if self.retry_statuses.contains(&code) {
            None
        } else if status == GONE {
            Some(DeadReason::Gone)
        } else if self.no_retry_statuses.contains(&code) {
            Some(DeadReason::NotRetried)
        } else if self.retry_statuses.contains(&class) {
            None
        } else {
            self.no_retry_statuses
                .contains(&class)
                .then_some(DeadReason::NotRetried)
        }
    }
}

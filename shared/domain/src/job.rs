//! What is to be done to many deliveries, and how far that has got.

use serde::{Deserialize, Serialize};

use crate::action::{Action, Asked};
use crate::delivery::{DeliveryFilter, Pass, passes};
use crate::{DeliveryId, TenantId, Timestamp};

/// Something that is to be done to many deliveries.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Job {
    /// Its id: `job_...`, newest last.
    pub id: String,
    /// Whose deliveries.
    pub tenant: TenantId,
    /// What is done to them.
    #[serde(default = "replay")]
    pub action: Action,
    /// Who asked for it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub by: String,
    /// In whose words.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub note: String,
    /// To which.
    pub filter: DeliveryFilter,
    /// Whether to count only.
    pub dry_run: bool,
    /// At most so many a second.
    pub rate_per_second: u32,
    /// When it was asked for: what died, or was accepted, later is not meant.
    pub created_at: Timestamp,
    /// When nothing was left to do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finished_at: Option<Timestamp>,
    /// When somebody called it off.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cancelled_at: Option<Timestamp>,
    /// Deliveries that were looked at.
    pub examined: u64,
    /// Those that are meant.
    pub matched: u64,
    /// Those that it was done to.
    #[serde(alias = "replayed")]
    pub done: u64,
    /// Which of its parts is being gone through.
    #[serde(default)]
    pub pass: usize,
    /// The shard of it.
    pub shard: u8,
    /// The last delivery in it that was dealt with, in the order of the way it is found.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<DeliveryId>,
    /// When the next one may be sent, by the rate: microseconds since the epoch, as a rate above
    /// 1000 a second has no other measure.
    #[serde(default)]
    pub next_micros: u64,
    /// Until when some instance works on it.
    pub leased_until: Timestamp,
    /// Counts its writes.
    pub version: u64,
}

const fn replay() -> Action {
    Action::Replay
}

impl Job {
    /// What is done to each of its deliveries.
    pub fn asked(&self) -> Asked {
        Asked {
            by: self.by.clone(),
            note: self.note.clone(),
            ..Asked::of(self.action)
        }
    }

    /// The part that is being gone through; `None` if all are.
    pub fn current(&self) -> Option<Pass> {
        passes(self.action, &self.filter).into_iter().nth(self.pass)
    }

    /// Whether nothing more will be done.
    pub const fn is_over(&self) -> bool {
        self.finished_at.is_some()
    }

    /// The job as the API shows it, at `now`.
    pub fn shown(&self, now: Timestamp) -> serde_json::Value {
        let status = match (self.finished_at, self.cancelled_at) {
            (_, Some(_)) => "cancelled",
            (Some(_), None) => "finished",
            (None, None) => "running",
        };
        let took = self.finished_at.unwrap_or(now).since(self.created_at);
        let per_second = took.as_millis() > 0;
        let mut shown = serde_json::json!({
            "id": self.id,
            "tenant": self.tenant,
            "action": self.action,
            "status": status,
            "filter": self.filter,
            "dry_run": self.dry_run,
            "rate_per_second": self.rate_per_second,
            "examined": self.examined,
            "matched": self.matched,
            "done": self.done,
            "done_per_second": per_second.then(|| {
                // Two decimals, from whole numbers.
                let hundredths = u128::from(self.done) * 100_000 / took.as_millis().max(1);
                u32::try_from(hundredths).map_or(f64::from(u32::MAX), f64::from) / 100.0
            }),
            "by": self.by,
            "note": self.note,
            "created_at": self.created_at,
            "finished_at": self.finished_at,
            "cancelled_at": self.cancelled_at,
        });
        if let (Action::Replay, Some(fields)) = (self.action, shown.as_object_mut()) {
            fields.insert("replayed".to_owned(), self.done.into());
        }
        shown
    }
}

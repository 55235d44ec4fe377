//! When failed deliveries are tried again, by event type.

use serde::{Deserialize, Serialize};

use crate::matching::{EventPattern, EventType};
use crate::retry::RetryPolicy;

/// All retry policies of a tenant, each with the types that it is for: all that delivering has to
/// know of the tenant's rules. Of two that fit equally close, the first counts.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Retries(pub(super) Vec<(Vec<EventPattern>, RetryPolicy)>);

impl Retries {
    /// The policy for events of this type: the one whose pattern fits it closest (the type itself,
    /// then the longest stem, then `*`).
    pub fn of(&self, event_type: &EventType) -> Option<&RetryPolicy> {
        let mut closest = None;
        for (patterns, policy) in &self.0 {
            let fits = |pattern: &&EventPattern| pattern.matches(event_type);
            let close = patterns.iter().filter(fits).map(closeness).max();
            if let Some(close) = close
                && closest.is_none_or(|(closest, _)| close > closest)
            {
                closest = Some((close, policy));
            }
        }
        closest.map(|(_, policy)| policy)
    }
}

/// How close a pattern is to the types that it fits.
const fn closeness(pattern: &EventPattern) -> usize {
    match pattern {
        EventPattern::All => 0,
        EventPattern::Under(stem) => stem.len(),
        EventPattern::Exactly(_) => usize::MAX,
    }
}

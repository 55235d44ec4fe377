//! Putting a new secret in the place of the one that signs, with an overlap in which both do.

use std::time::Duration;

use serde::Deserialize;

use super::{Endpoint, SigningKey};
use crate::signature::{Secret, Signing};
use crate::{Invalid, Timestamp};

/// How long a replaced secret signs on unless the caller says otherwise.
pub const DEFAULT_OVERLAP: Duration = Duration::from_secs(24 * 3600);
/// How long it may sign on at most.
pub const MAX_OVERLAP: Duration = Duration::from_secs(7 * 24 * 3600);
/// Secrets that sign at once, at most: a request's header has room for no end of them, a receiver
/// has not. The oldest goes first.
pub const MAX_LIVE_KEYS: usize = 4;

/// The body of `POST /api/v1/endpoints/{id}/rotate-secret`.
#[derive(Debug, Clone, Default, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct RotationDraft {
    /// The new secret; a generated one unless given.
    #[cfg_attr(feature = "schema", schemars(with = "Option<String>"))]
    secret: Option<Secret>,
    /// How a generated secret signs; as the present one unless given.
    signing: Option<Signing>,
    /// Seconds for which the present secret signs on, 0 to 604800; 86400 unless given.
    #[cfg_attr(feature = "schema", schemars(range(min = 0, max = 604_800)))]
    overlap_seconds: Option<u64>,
}

impl RotationDraft {
    /// To this secret, with the usual overlap.
    pub fn to(secret: Secret) -> Self {
        Self {
            secret: Some(secret),
            ..Self::default()
        }
    }

    /// `endpoint` with a new secret, one version on. `generated` is used unless the draft brings
    /// one. Who brings the secret that signs already changes nothing but the overlap: a call whose
    /// answer was lost can be made again.
    ///
    /// # Errors
    /// The field that breaks its rule.
    pub fn rotate(
        self,
        endpoint: &Endpoint,
        generated: Secret,
        now: Timestamp,
    ) -> Result<Endpoint, Invalid> {
        let overlap = self
            .overlap_seconds
            .map_or(DEFAULT_OVERLAP, Duration::from_secs);
        if overlap > MAX_OVERLAP {
            let rule = "must be between 0 and 604800";
            return Err(Invalid::new("overlap_seconds", rule));
        }
        let secret = match self.secret {
            Some(given) => {
                let given = Secret::given(given.reveal())?;
                given.signs_as(self.signing)?;
                given
            }
            None => generated.made_for(self.signing.unwrap_or_else(|| endpoint.signing())),
        };
        let end = now.after(overlap);
        let mut keys = vec![SigningKey::new(secret)];
        for old in &endpoint.signing_keys {
            // None signs on for longer than this overlap: it may be what got out.
            let until = old.until.map_or(end, |until| until.min(end));
            let live = now < until && keys.iter().all(|key| key.secret != old.secret);
            if live && keys.len() < MAX_LIVE_KEYS {
                keys.push(SigningKey {
                    until: Some(until),
                    ..old.clone()
                });
            }
        }
        Ok(Endpoint {
            signing_keys: keys,
            updated_at: now,
            version: endpoint.version + 1,
            ..endpoint.clone()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::endpoint::EndpointDraft;
    use crate::target::AllowedTargets;
    use crate::{TenantId, signature};

    const HOUR: Duration = Duration::from_secs(3600);

    fn secret(n: u8) -> Secret {
        Secret::generate([n; 32])
    }

    fn endpoint() -> Endpoint {
        let draft: EndpointDraft =
            serde_json::from_str(r#"{"url":"https://a.example/","event_types":["*"]}"#).unwrap();
        let id = "ep_1".parse().unwrap();
        let (allowed, now) = (AllowedTargets::default(), Timestamp::default());
        draft
            .create(id, TenantId::default(), secret(0), &allowed, now)
            .unwrap()
    }

    fn rotate(endpoint: &Endpoint, json: &str, n: u8, now: Timestamp) -> Result<Endpoint, String> {
        let draft: RotationDraft = serde_json::from_str(json).map_err(|error| error.to_string())?;
        draft
            .rotate(endpoint, secret(n), now)
            .map_err(|invalid| invalid.field.into_owned())
    }

    #[test]
    fn both_secrets_sign_until_the_overlap_ends() {
        let now = Timestamp::from_millis(1_000_000);
        let next = rotate(&endpoint(), "{}", 1, now).unwrap();
        assert_eq!(next.version, endpoint().version + 1);
        assert_eq!(next.secrets(now.after(23 * HOUR)), [secret(1), secret(0)]);
        assert_eq!(next.secrets(now.after(24 * HOUR)), [secret(1)]);
        let at_once = rotate(&endpoint(), r#"{"overlap_seconds":0}"#, 1, now).unwrap();
        assert_eq!(at_once.secrets(now), [secret(1)]);
    }

    #[test]
    fn a_rotation_whose_answer_was_lost_is_made_again_and_nothing_in_use_is_lost() {
        let now = Timestamp::from_millis(1_000_000);
        let lost = rotate(&endpoint(), "{}", 1, now).unwrap();
        let again = rotate(&lost, "{}", 2, now.after(HOUR)).unwrap();
        let live = [secret(2), secret(1), secret(0)];
        assert_eq!(again.secrets(now.after(2 * HOUR)), live);
        // With a secret of one's own the second call finds it done.
        let own = format!(r#"{{"secret":"{}"}}"#, secret(9).reveal());
        let first = rotate(&endpoint(), &own, 1, now).unwrap();
        let second = rotate(&first, &own, 2, now).unwrap();
        assert_eq!(second.signing_keys, first.signing_keys);
    }

    #[test]
    fn no_older_secret_outlives_the_shortest_overlap_and_few_sign_at_once() {
        let now = Timestamp::from_millis(1_000_000);
        let mut next = endpoint();
        for n in 1..20 {
            next = rotate(&next, "{}", n, now).unwrap();
            assert!(next.signing_keys.len() <= MAX_LIVE_KEYS);
        }
        assert_eq!(next.secrets(now).len(), MAX_LIVE_KEYS);
        let short = rotate(&next, r#"{"overlap_seconds":3600}"#, 20, now).unwrap();
        assert_eq!(short.secrets(now.after(HOUR)), [secret(20)]);
    }

    #[test]
    fn a_scheme_is_changed_by_a_rotation() {
        let now = Timestamp::from_millis(1_000_000);
        let next = rotate(&endpoint(), r#"{"signing":"ed25519"}"#, 1, now).unwrap();
        assert_eq!(next.signing(), Signing::Ed25519);
        let header = signature::standard(&next.secrets(now), "evt", now, b"{}");
        let kinds: Vec<&str> = header
            .split(' ')
            .filter_map(|one| Some(one.split_once(',')?.0))
            .collect();
        assert_eq!(kinds, ["v1a", "v1"]);
        let on = rotate(&next, "{}", 2, now).unwrap();
        assert_eq!(on.signing(), Signing::Ed25519);
    }

    #[test]
    fn what_is_wrong_is_named() {
        let now = Timestamp::default();
        for (json, field) in [
            (r#"{"overlap_seconds":604801}"#, "overlap_seconds"),
            (r#"{"secret":"short"}"#, "secret"),
            (r#"{"secret":"long enough","signing":"ed25519"}"#, "signing"),
        ] {
            assert_eq!(
                rotate(&endpoint(), json, 1, now).unwrap_err(),
                field,
                "{json}"
            );
        }
    }
}

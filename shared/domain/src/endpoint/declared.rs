//! Endpoints that a deployment declares in its environment: `WEBHOOK_URLS`, a list with commas, and
//! for the one at place n (from 0) `WEBHOOK_<n>_SECRET` and the like, each as a variable of its own
//! or as one of the `NAME=value` in `WEBHOOK_SETTINGS`.
//!
//! An endpoint's id is made of its URL and not of its place, so that taking one out of the list
//! does not send what waits for it to its neighbour. One that is declared no more keeps what waits
//! for it, as dead letters; it gets no more events, and is the API's from then on.

use std::collections::BTreeMap;

use sha2::Digest;

use super::{
    DisabledBy, Endpoint, EndpointDraft, EndpointState, ManagedBy, Patch, RetryInput, RetryNumbers,
    RotationDraft,
};
use crate::signature::Secret;
use crate::target::AllowedTargets;
use crate::{EndpointId, Invalid, TenantId, Timestamp};

const URLS: &str = "WEBHOOK_URLS";
const SETTINGS: &str = "WEBHOOK_SETTINGS";
/// What can be said of each. Delays are in milliseconds.
const ABOUT: [&str; 8] = [
    "SECRET",
    "EVENTS",
    "MAX_RETRIES",
    "INITIAL_DELAY",
    "MAX_DELAY",
    "BACKOFF_MULTIPLIER",
    "JITTER",
    "TIMEOUT",
];
/// What the numbers that are given change: the schedule of the document that has these variables.
const PRESET: &str = "capped";
/// Most endpoints that a deployment declares: an environment has 4 KB.
const MOST: usize = 50;

/// The variables, as they are written. Secrets are among them: never shown.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Declarations(BTreeMap<String, String>);

impl std::fmt::Debug for Declarations {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Declarations(..)")
    }
}

/// One endpoint as it is declared.
#[derive(Debug, Clone)]
pub struct Declared {
    /// Its id.
    pub id: EndpointId,
    draft: EndpointDraft,
    secret: Option<Secret>,
}

impl Declarations {
    /// What `lookup` finds. Whether it makes sense is seen when it is read.
    pub fn collect(lookup: impl Fn(&str) -> Option<String>) -> Self {
        let urls = lookup(URLS).unwrap_or_default();
        let count = urls.split(',').count().min(MOST);
        let about = (0..count).flat_map(|n| ABOUT.map(|what| format!("WEBHOOK_{n}_{what}")));
        let names = [URLS, SETTINGS].map(str::to_owned);
        let known = names.into_iter().chain(about).filter_map(|name| {
            let value = lookup(&name).filter(|value| !value.trim().is_empty())?;
            Some((name, value))
        });
        Self(known.collect())
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// All of it as text, to tell whether it has changed. Secrets are part of it.
    pub fn text(&self) -> String {
        serde_json::to_string(&self.0).unwrap_or_default()
    }

    /// The endpoints.
    ///
    /// # Errors
    /// The variable that makes no sense.
    pub fn read(&self) -> Result<Vec<Declared>, Invalid> {
        let urls = self.0.get(URLS).map(String::as_str).unwrap_or_default();
        let urls: Vec<&str> = urls
            .split(',')
            .map(str::trim)
            .filter(|url| !url.is_empty())
            .collect();
        if urls.len() > MOST {
            return Err(Invalid::new(URLS, "must be at most 50"));
        }
        let settings = self.settings(urls.len())?;
        let mut all: Vec<Declared> = Vec::with_capacity(urls.len());
        for (n, url) in urls.into_iter().enumerate() {
            let about = |what: &str| {
                let name = format!("WEBHOOK_{n}_{what}");
                let own = self.0.get(&name).map(String::as_str);
                own.or_else(|| settings.get(name.as_str()).copied())
                    .map(str::trim)
            };
            let one = declared(n, url, about)?;
            if all.iter().any(|other| other.id == one.id) {
                return Err(Invalid::new(URLS, "must not name a URL twice"));
            }
            all.push(one);
        }
        Ok(all)
    }

    /// What `WEBHOOK_SETTINGS` says of so many URLs.
    fn settings(&self, urls: usize) -> Result<BTreeMap<&str, &str>, Invalid> {
        let text = self.0.get(SETTINGS).map(String::as_str).unwrap_or_default();
        let known = |name: &str| {
            let (n, what) = name.strip_prefix("WEBHOOK_")?.split_once('_')?;
            let n: usize = n.parse().ok()?;
            (n < urls && ABOUT.contains(&what)).then_some(())
        };
        let entry = |entry| {
            let (name, value) = str::split_once(entry, '=').ok_or_else(|| {
                let rule =
                    "must be NAME=value, such as WEBHOOK_0_MAX_RETRIES=5, with spaces between";
                Invalid::new(SETTINGS, rule)
            })?;
            known(name).ok_or_else(|| {
                let rule = format!("names {name}, and there is no such URL or setting");
                Invalid::new(SETTINGS, rule)
            })?;
            Ok((name, value))
        };
        text.split_whitespace().map(entry).collect()
    }
}

fn declared<'a>(
    n: usize,
    url: &str,
    about: impl Fn(&str) -> Option<&'a str>,
) -> Result<Declared, Invalid> {
    let wrong = |what: &str| Invalid::new(format!("WEBHOOK_{n}_{what}"), "must be a number");
    let number = |what: &str| -> Result<Option<f64>, Invalid> {
        let parse = |text: &str| text.parse().map_err(|_| wrong(what));
        about(what).map(parse).transpose()
    };
    let seconds = |ms: Option<f64>| ms.map(|ms| ms / 1000.0);
    let attempts = about("MAX_RETRIES")
        .map(|text| text.parse::<u32>().map_err(|_| wrong("MAX_RETRIES")))
        .transpose()?;
    let numbers = RetryNumbers::deployment(
        Some(PRESET.to_owned()),
        seconds(number("INITIAL_DELAY")?),
        seconds(number("MAX_DELAY")?),
        number("BACKOFF_MULTIPLIER")?,
        attempts,
    );
    let numbers = if about("JITTER") == Some("false") {
        numbers.without_jitter()
    } else {
        numbers
    };
    let says_when = ["INITIAL_DELAY", "MAX_DELAY", "BACKOFF_MULTIPLIER", "JITTER"]
        .into_iter()
        .chain(["MAX_RETRIES"])
        .any(|what| about(what).is_some());
    let events = about("EVENTS").unwrap_or("*");
    let secret = about("SECRET").map(Secret::given).transpose();
    let draft = EndpointDraft {
        url: Some(url.to_owned()),
        name: Some(format!("webhook-{n}")),
        event_types: Some(events.split(',').map(|one| one.trim().to_owned()).collect()),
        retry: if says_when {
            Patch::Set(RetryInput::Numbers(Box::new(numbers)))
        } else {
            Patch::Keep
        },
        timeout_seconds: number("TIMEOUT")?.map_or(Patch::Keep, Patch::Set),
        ..EndpointDraft::default()
    };
    Ok(Declared {
        id: EndpointId::declared(sha2::Sha256::digest(url).into()),
        draft,
        secret: secret.map_err(|invalid| {
            Invalid::new(format!("WEBHOOK_{n}_SECRET"), invalid.rule.into_owned())
        })?,
    })
}

impl Declared {
    /// The endpoint as it is declared, one version on from the one that is there; `None` if it is
    /// so already. `generated` is the secret of a new one unless it is declared; a secret that is
    /// declared anew is rotated in, with the overlap of all rotations.
    ///
    /// # Errors
    /// The field that breaks its rule.
    pub fn apply(
        &self,
        current: Option<&Endpoint>,
        tenant: &TenantId,
        generated: Secret,
        allowed: &AllowedTargets,
        now: Timestamp,
    ) -> Result<Option<Endpoint>, Invalid> {
        let secret = self.secret.clone();
        let fresh = self.draft.clone().create(
            self.id.clone(),
            tenant.clone(),
            secret.clone().unwrap_or_else(|| generated.clone()),
            allowed,
            now,
        )?;
        let fresh = Endpoint {
            managed_by: Some(ManagedBy::Deployment),
            ..fresh
        };
        let Some(current) = current else {
            return Ok(Some(fresh));
        };
        let signs = |secret: &Secret| {
            let newest = current.signing_keys.first();
            newest.is_some_and(|newest| newest.secret == *secret)
        };
        let keys = match secret {
            Some(secret) if !signs(&secret) => {
                let draft = RotationDraft::to(secret);
                draft.rotate(current, generated, now)?.signing_keys
            }
            Some(_) | None => current.signing_keys.clone(),
        };
        let state = match current.state {
            EndpointState::Disabled(DisabledBy::Deployment) => EndpointState::Active,
            // Whoever is on call may stop it, and 410 does.
            EndpointState::Active | EndpointState::Paused | EndpointState::Disabled(_) => {
                current.state
            }
        };
        let same_but_for_what_is_declared = Endpoint {
            signing_keys: keys,
            state,
            resumed_at: current.resumed_at,
            created_at: current.created_at,
            updated_at: current.updated_at,
            version: current.version,
            ..fresh
        };
        if same_but_for_what_is_declared == *current {
            return Ok(None);
        }
        Ok(Some(Endpoint {
            updated_at: now,
            version: current.version + 1,
            ..same_but_for_what_is_declared
        }))
    }
}

impl Endpoint {
    /// What becomes of an endpoint that is declared no more, one version on; `None` if it is not
    /// the deployment's.
    pub fn released(&self, now: Timestamp) -> Option<Self> {
        if self.managed_by != Some(ManagedBy::Deployment) {
            return None;
        }
        let disabled = self.with_state(EndpointState::Disabled(DisabledBy::Deployment), now);
        Some(Self {
            managed_by: None,
            event_types: Vec::new(),
            ..disabled
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::retry::Backoff;

    fn read(variables: &[(&str, &str)]) -> Result<Vec<Declared>, String> {
        let find = |name: &str| variables.iter().find(|(known, _)| *known == name);
        Declarations::collect(|name| find(name).map(|(_, value)| (*value).to_owned()))
            .read()
            .map_err(|invalid| invalid.field.into_owned())
    }

    fn apply(declared: &Declared, current: Option<&Endpoint>, at: u64) -> Option<Endpoint> {
        let (tenant, secret) = (TenantId::default(), Secret::generate([9; 32]));
        let (allowed, now) = (AllowedTargets::default(), Timestamp::from_millis(at));
        declared
            .apply(current, &tenant, secret, &allowed, now)
            .unwrap()
    }

    #[test]
    fn the_variables_of_the_wished_for_document_are_understood() {
        let all = read(&[
            ("WEBHOOK_URLS", "https://a.example/hook, https://b.example/"),
            ("WEBHOOK_0_SECRET", "a secret of one's own"),
            ("WEBHOOK_0_MAX_RETRIES", "7"),
            ("WEBHOOK_0_INITIAL_DELAY", "500"),
            ("WEBHOOK_0_MAX_DELAY", "30000"),
            ("WEBHOOK_0_BACKOFF_MULTIPLIER", "3"),
            ("WEBHOOK_0_JITTER", "false"),
            (
                "WEBHOOK_SETTINGS",
                "WEBHOOK_1_EVENTS=order.*,user.created\nWEBHOOK_1_TIMEOUT=5",
            ),
        ])
        .unwrap();
        let first = apply(&all[0], None, 0).unwrap();
        assert_eq!(first.name, "webhook-0");
        assert_eq!(first.managed_by, Some(ManagedBy::Deployment));
        assert_eq!(
            first.signing_keys[0].secret.reveal(),
            "a secret of one's own"
        );
        let retry = first.retry.unwrap();
        assert_eq!(retry.max_attempts(), 7);
        assert_eq!(
            *retry.backoff(),
            Backoff::Exponential {
                first: 0.5,
                factor: 3.0,
                max: 30.0,
                attempts: 7
            }
        );
        let second = apply(&all[1], None, 0).unwrap();
        assert_eq!((second.event_types.len(), second.retry), (2, None));
        assert_eq!(second.timeout_seconds, Some(5));
    }

    #[test]
    fn what_is_as_declared_is_left_alone_and_what_is_not_is_changed() {
        let one = |settings: &str| {
            read(&[
                ("WEBHOOK_URLS", "https://a.example/"),
                ("WEBHOOK_SETTINGS", settings),
            ])
            .unwrap()
            .remove(0)
        };
        let made = apply(&one(""), None, 1).unwrap();
        assert_eq!(apply(&one(""), Some(&made), 2), None);
        let changed = apply(&one("WEBHOOK_0_EVENTS=a"), Some(&made), 2).unwrap();
        assert_eq!(changed.version, made.version + 1);
        assert_eq!(changed.signing_keys, made.signing_keys);
        assert_eq!(changed.created_at, made.created_at);
        // Both secrets sign for a day.
        let secret = one("WEBHOOK_0_SECRET=another-secret");
        let rotated = apply(&secret, Some(&made), 2).unwrap();
        assert_eq!(rotated.secrets(Timestamp::from_millis(3)).len(), 2);
        assert_eq!(apply(&secret, Some(&rotated), 3), None);
        // What somebody on call has paused stays so.
        let paused = made.with_state(EndpointState::Paused, Timestamp::default());
        assert_eq!(apply(&one(""), Some(&paused), 2), None);
    }

    #[test]
    fn what_is_declared_no_more_gets_no_events_until_it_is_declared_again() {
        let urls = [("WEBHOOK_URLS", "https://a.example/")];
        let one = read(&urls).unwrap().remove(0);
        let made = apply(&one, None, 1).unwrap();
        let released = made.released(Timestamp::from_millis(2)).unwrap();
        assert!(released.event_types.is_empty());
        assert_eq!(released.managed_by, None);
        assert_eq!(released.released(Timestamp::default()), None);
        let again = apply(&one, Some(&released), 3).unwrap();
        assert_eq!(again.state, EndpointState::Active);
        assert_eq!(again.event_types, made.event_types);
    }

    #[test]
    fn ids_are_of_urls_and_not_of_places() {
        let ids = |urls| -> Vec<EndpointId> {
            let all = read(&[("WEBHOOK_URLS", urls)]).unwrap();
            all.into_iter().map(|one| one.id).collect()
        };
        let both = ids("https://a.example/,https://b.example/");
        assert_eq!(ids("https://b.example/"), both[1..]);
        assert_eq!(ids(""), []);
    }

    #[test]
    fn what_is_wrong_is_named() {
        let urls = ("WEBHOOK_URLS", "https://a.example/");
        for (variable, field) in [
            (("WEBHOOK_0_MAX_RETRIES", "many"), "WEBHOOK_0_MAX_RETRIES"),
            (("WEBHOOK_0_INITIAL_DELAY", "1s"), "WEBHOOK_0_INITIAL_DELAY"),
            (("WEBHOOK_0_SECRET", "x"), "WEBHOOK_0_SECRET"),
            (
                ("WEBHOOK_SETTINGS", "WEBHOOK_1_SECRET=abcdefgh"),
                "WEBHOOK_SETTINGS",
            ),
            (
                ("WEBHOOK_SETTINGS", "WEBHOOK_0_COLOUR=red"),
                "WEBHOOK_SETTINGS",
            ),
            (("WEBHOOK_SETTINGS", "x"), "WEBHOOK_SETTINGS"),
        ] {
            assert_eq!(read(&[urls, variable]).unwrap_err(), field, "{variable:?}");
        }
        let twice = ("WEBHOOK_URLS", "https://a.example/,https://a.example/");
        assert_eq!(read(&[twice]).unwrap_err(), "WEBHOOK_URLS");
    }
}

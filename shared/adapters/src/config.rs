//! The environment of a function, read once and checked as a whole.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use hookpost_domain::TenantId;
use hookpost_domain::access::{KeyDigest, Networks};
use hookpost_domain::bus_event::TenantOf;
use hookpost_domain::endpoint::{Declarations, RetryInput, RetryNumbers};
use hookpost_domain::outcome::{MAX_KEEP_BACK, Patience};
use hookpost_domain::retry::RetryPolicy;
use hookpost_domain::target::AllowedTargets;
use tracing::Level;

/// What a deployment says. Every function reads the same variables; infra/template.yaml sets them.
#[derive(Debug, Clone)]
pub struct Config {
    /// `LOG_LEVEL`: `ERROR`, `WARN`, `INFO`, `DEBUG` or `TRACE`.
    pub log_level: Level,
    /// `METRICS`: the name that metrics are told under; without one none are.
    pub metrics: Option<String>,
    /// `AUTH`: whether calls need a key.
    pub auth_required: bool,
    /// `ADMIN_KEY_SHA256`: of the key that may do everything.
    pub admin_key_sha256: Option<KeyDigest>,
    /// `ADMIN_KEY_SECRET_ARN`: the secret that holds such a key.
    pub admin_key_secret_arn: Option<String>,
    /// `ALLOWED_NETWORKS`: where calls may come from.
    pub allowed_networks: Networks,
    /// `SECRETS_KEY_ARN`: the KMS key under which new data keys are made. Only functions that store
    /// endpoints make any.
    pub secrets_key: Option<String>,
    /// `ALLOWED_TARGETS`: reachable over plain HTTP or at a private address.
    pub allowed_targets: AllowedTargets,
    /// `TRUSTED_CA_PEM`: certificate authorities trusted besides the web's.
    pub trusted_ca_pem: String,
    /// `RETRY_PRESET` and `RETRY_*`: for endpoints without a policy of their own.
    pub retry: RetryPolicy,
    /// `DELIVERIES_PER_SECOND`: for all endpoints together.
    pub deliveries_per_second: Option<u32>,
    /// `PARK_AFTER_SECONDS`, `MAX_AGE_HOURS`
    pub patience: Patience,
    /// `MAX_ENDPOINTS` of one tenant.
    pub max_endpoints: usize,
    /// `WEBHOOK_URLS` and what goes with it: endpoints that are there without a call. Only the function
    /// that makes them has it.
    pub declarations: Declarations,
    /// `RETENTION_DAYS` of events and deliveries.
    pub retention: Duration,
    /// `AUDIT_RETENTION_DAYS` of the audit log.
    pub audit_retention: Duration,
    /// `DLQ_RETENTION_DAYS` of the dead-letter queue.
    pub dlq_retention: Duration,
    /// The tables' names.
    pub tables: Tables,
    /// `DELIVERY_QUEUE_URL`
    pub delivery_queue_url: String,
    /// `SLOW_QUEUE_URL`, if there is a slow lane.
    pub slow_queue_url: Option<String>,
    /// `EXHAUSTED_QUEUE_URL`
    pub exhausted_queue_url: String,
    /// `DEAD_LETTER_QUEUE_URL`
    pub dead_letter_queue_url: String,
    /// `OPERATIONS_TENANT`: whose endpoints are told of all tenants' endpoints and replays.
    pub operations_tenant: Option<TenantId>,
    /// `EVENTS_QUEUE_URL`: where events come in besides HTTP, if there is such a queue.
    pub events_queue_url: Option<String>,
    /// `EVENT_BUS_TENANT`: whose the events of an EventBridge bus are.
    pub event_bus_tenant: TenantOf,
    /// `ORDERED_QUEUE_URL`, where endpoints may ask for order.
    pub ordered_queue_url: Option<String>,
}

/// The names of the tables.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tables {
    /// `ENDPOINTS_TABLE`
    pub endpoints: String,
    /// `EVENTS_TABLE`
    pub events: String,
    /// `DELIVERIES_TABLE`
    pub deliveries: String,
    /// `SETTINGS_TABLE`
    pub settings: String,
    /// `KEYS_TABLE`
    pub keys: String,
    /// `COUNTERS_TABLE`
    pub counters: String,
}

/// Every variable that is missing or wrong.
#[derive(Debug, PartialEq, Eq)]
pub struct ConfigError(Vec<String>);

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the environment is not complete: {}", self.0.join("; "))
    }
}

impl std::error::Error for ConfigError {}

impl Config {
    /// Reads the process's environment.
    ///
    /// # Errors
    /// Names every variable that is missing or wrong.
    #[expect(clippy::disallowed_methods, reason = "this is the configuration")]
    pub fn from_env() -> Result<Self, ConfigError> {
        Self::parse(|name| std::env::var(name).ok())
    }

    /// Reads what `lookup` finds.
    ///
    /// # Errors
    /// Names every variable that is missing or wrong.
    pub fn parse(lookup: impl Fn(&str) -> Option<String>) -> Result<Self, ConfigError> {
        let mut read = Reader {
            lookup,
            wrong: Vec::new(),
        };
        let config = Self {
            log_level: read.or("LOG_LEVEL", Level::INFO),
            metrics: read.text("METRICS"),
            auth_required: read.auth(),
            admin_key_sha256: read.some("ADMIN_KEY_SHA256"),
            admin_key_secret_arn: read.text("ADMIN_KEY_SECRET_ARN"),
            allowed_networks: read.or("ALLOWED_NETWORKS", Networks::default()),
            secrets_key: Some(read.or("SECRETS_KEY_ARN", String::new()))
                .filter(|key| !key.is_empty()),
            allowed_targets: read.or("ALLOWED_TARGETS", AllowedTargets::default()),
            trusted_ca_pem: read.or("TRUSTED_CA_PEM", String::new()),
            retry: read.retry(),
            deliveries_per_second: Some(read.or("DELIVERIES_PER_SECOND", 0))
                .filter(|rate| *rate > 0),
            patience: Patience {
                park_after: Duration::from_secs(read.or("PARK_AFTER_SECONDS", 900))
                    .min(MAX_KEEP_BACK),
                max_age: Duration::from_secs(3600 * read.or("MAX_AGE_HOURS", 72u64)),
            },
            max_endpoints: read.or("MAX_ENDPOINTS", 1000),
            declarations: Declarations::collect(&read.lookup),
            retention: days(read.or("RETENTION_DAYS", 30)),
            audit_retention: days(read.or("AUDIT_RETENTION_DAYS", 365)),
            dlq_retention: days(read.or("DLQ_RETENTION_DAYS", 7)),
            tables: Tables {
                endpoints: read.needed("ENDPOINTS_TABLE"),
                events: read.needed("EVENTS_TABLE"),
                deliveries: read.needed("DELIVERIES_TABLE"),
                settings: read.needed("SETTINGS_TABLE"),
                keys: read.needed("KEYS_TABLE"),
                counters: read.needed("COUNTERS_TABLE"),
            },
            delivery_queue_url: read.needed("DELIVERY_QUEUE_URL"),
            slow_queue_url: read.text("SLOW_QUEUE_URL"),
            exhausted_queue_url: read.needed("EXHAUSTED_QUEUE_URL"),
            dead_letter_queue_url: read.needed("DEAD_LETTER_QUEUE_URL"),
            operations_tenant: read.some("OPERATIONS_TENANT"),
            events_queue_url: read.text("EVENTS_QUEUE_URL"),
            event_bus_tenant: read.or("EVENT_BUS_TENANT", TenantOf::default()),
            ordered_queue_url: read.text("ORDERED_QUEUE_URL"),
        };
        if read.wrong.is_empty() {
            Ok(config)
        } else {
            Err(ConfigError(read.wrong))
        }
    }
}

fn days(days: u32) -> Duration {
    Duration::from_secs(u64::from(days) * 24 * 3600)
}

fn is_loopback(url: &str) -> bool {
    let host = url.split_once("://").map_or(url, |(_, rest)| rest);
    let authority = host.split(['/', '?', '#']).next().unwrap_or_default();
    if authority.contains('@') {
        return false;
    }
    let host = match authority
        .strip_prefix('[')
        .and_then(|rest| rest.split_once(']'))
    {
        Some((v6, _)) => v6,
        None => authority.split(':').next().unwrap_or_default(),
    };
    let address: Option<std::net::IpAddr> = host.parse().ok();
    host == "localhost" || address.is_some_and(|address| address.to_canonical().is_loopback())
}

struct Reader<F> {
    lookup: F,
    wrong: Vec<String>,
}

impl<F: Fn(&str) -> Option<String>> Reader<F> {
    fn text(&self, name: &str) -> Option<String> {
        (self.lookup)(name).filter(|text| !text.is_empty())
    }

    fn needed(&mut self, name: &str) -> String {
        self.text(name).unwrap_or_else(|| {
            self.wrong.push(format!("{name} is missing"));
            String::new()
        })
    }

    fn some<T: FromStr>(&mut self, name: &str) -> Option<T> {
        let text = self.text(name)?;
        let parsed = text.parse().ok();
        if parsed.is_none() {
            self.wrong.push(format!("{name} cannot be {text:?}"));
        }
        parsed
    }

    fn or<T: FromStr>(&mut self, name: &str, default: T) -> T {
        self.some(name).unwrap_or(default)
    }

    fn one_of(&mut self, name: &str, choices: &[&str]) -> String {
        let text = self.text(name).unwrap_or_default();
        if !text.is_empty() && !choices.contains(&text.as_str()) {
            self.wrong
                .push(format!("{name} must be one of {}", choices.join(", ")));
        }
        text
    }

    /// Only a system that is all on one machine does without keys: one that was deployed so by
    /// mistake does not start.
    fn auth(&mut self) -> bool {
        let off = self.one_of("AUTH", &["required", "off"]) == "off";
        let tables = self
            .text("AWS_ENDPOINT_URL_DYNAMODB")
            .or_else(|| self.text("AWS_ENDPOINT_URL"));
        if off && !tables.is_some_and(|url| is_loopback(&url)) {
            let rule = "AUTH can be off only where AWS_ENDPOINT_URL_DYNAMODB is this machine";
            self.wrong.push(rule.to_owned());
        }
        !off
    }

    fn retry(&mut self) -> RetryPolicy {
        let numbers = RetryNumbers::deployment(
            self.text("RETRY_PRESET"),
            self.some("RETRY_INITIAL_DELAY"),
            self.some("RETRY_MAX_DELAY"),
            self.some("RETRY_MULTIPLIER"),
            self.some("RETRY_MAX_ATTEMPTS"),
        );
        RetryInput::Numbers(Box::new(numbers))
            .policy(None)
            .unwrap_or_else(|invalid| {
                self.wrong.push(format!("RETRY_*: {invalid}"));
                RetryPolicy::default()
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(set: &[(&str, &str)]) -> Result<Config, ConfigError> {
        let names = [
            "ENDPOINTS",
            "EVENTS",
            "DELIVERIES",
            "SETTINGS",
            "KEYS",
            "COUNTERS",
        ]
        .map(|name| format!("{name}_TABLE"));
        Config::parse(|name| {
            let given = set
                .iter()
                .find(|(key, _)| *key == name)
                .map(|(_, value)| (*value).to_owned());
            given.or_else(|| {
                (names.iter().any(|known| known == name) || name.ends_with("_URL"))
                    .then(|| "x".to_owned())
            })
        })
    }

    #[test]
    fn a_bare_environment_gives_the_documented_defaults() {
        let config = parse(&[]).unwrap();
        assert!(config.auth_required);
        assert_eq!(config.retry, RetryPolicy::preset("quick").unwrap());
        assert_eq!(config.deliveries_per_second, None);
        assert_eq!(config.patience, Patience::default());
    }

    #[test]
    fn keys_can_be_off_on_one_machine_only() {
        let off = |url: &str| parse(&[("AUTH", "off"), ("AWS_ENDPOINT_URL_DYNAMODB", url)]);
        for url in [
            "http://127.0.0.1:8000",
            "http://[::1]:8000",
            "http://localhost",
        ] {
            assert!(!off(url).unwrap().auth_required, "{url}");
        }
        for url in [
            "",
            "https://dynamodb.eu-west-1.amazonaws.com",
            "http://127.0.0.1.example.com",
            "http://127.0.0.1@example.com",
            "http://localhost.example.com:80",
        ] {
            let error = off(url).unwrap_err().to_string();
            assert!(error.contains("AUTH can be off only"), "{url}: {error}");
        }
    }

    #[test]
    fn everything_that_is_wrong_is_named_at_once() {
        let error = parse(&[
            ("AUTH", "maybe"),
            ("RETENTION_DAYS", "-1"),
            ("RETRY_PRESET", "often"),
            ("EVENTS_TABLE", ""),
            ("ALLOWED_TARGETS", "x"),
        ])
        .unwrap_err()
        .to_string();
        for name in [
            "AUTH",
            "RETENTION_DAYS",
            "RETRY_",
            "EVENTS_TABLE",
            "ALLOWED_TARGETS",
        ] {
            assert!(error.contains(name), "{error}");
        }
    }

    #[test]
    fn single_numbers_change_a_preset() {
        let config = parse(&[("RETRY_PRESET", "capped"), ("RETRY_MAX_ATTEMPTS", "3")]).unwrap();
        assert_eq!(config.retry.max_attempts(), 3);
    }
}

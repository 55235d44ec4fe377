//! The `counters` table: `tenant#day` / `h#scope#hour` and `m#scope#minute` for sums over time, and
//! `tenant#ever` / `scope` for those from the beginning. The scope is `all`, `ep#` and an endpoint's
//! id, or `type#` and an event type.
//!
//! What a read costs depends on the time, the endpoints and the event types that are asked about,
//! and never on how many deliveries there were.

use std::collections::HashMap;
use std::time::Duration;

use aws_sdk_dynamodb::types::{AttributeValue, KeysAndAttributes};
use futures::stream::{self, StreamExt, TryStreamExt};
use hookpost_domain::counters::{Counters, Key, Period, Scope};
use hookpost_domain::ports::{self, Error, World};
use hookpost_domain::{TenantId, Timestamp};

use super::item::{Item, Read, n, s};
use super::{Store, failed};
use crate::RealWorld;

/// How long minutes are kept.
const MINUTES_LIFETIME: Duration = Duration::from_secs(2 * 24 * 3600);
/// How long the totals of an endpoint or event type are kept that nothing happens to.
const TOTALS_LIFETIME: Duration = Duration::from_secs(90 * 24 * 3600);
const DAY: Duration = Duration::from_secs(24 * 3600);
const DAY_MS: u64 = 24 * 3600 * 1000;
/// Days that are read at once.
const CONCURRENT_DAYS: usize = 8;
/// Pages (of a megabyte) that a breakdown reads.
const MAX_PAGES: usize = 8;
/// Most keys in one `BatchGetItem`.
const MAX_KEYS: usize = 100;
/// Tries of what a `BatchGetItem` did not answer.
const TRIES: usize = 5;

/// How finely sums are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Resolution {
    /// By the minute: the last two days only.
    Minutes,
    /// By the hour.
    Hours,
}

impl Resolution {
    /// How long one sum's time is.
    pub const fn step(self) -> Duration {
        Duration::from_secs(match self {
            Self::Minutes => 60,
            Self::Hours => 3600,
        })
    }

    const fn prefix(self) -> &'static str {
        match self {
            Self::Minutes => "m",
            Self::Hours => "h",
        }
    }

    /// How the time of day is written in a key.
    fn time_of_day(self, at: Timestamp) -> String {
        let minutes = at.as_secs() / 60 % (24 * 60);
        let (hour, minute) = (minutes / 60, minutes % 60);
        match self {
            Self::Minutes => format!("{hour:02}{minute:02}"),
            Self::Hours => format!("{hour:02}"),
        }
    }
}

/// By what a breakdown divides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// By endpoint.
    Endpoint,
    /// By event type.
    EventType,
}

impl Part {
    const fn prefix(self) -> &'static str {
        match self {
            Self::Endpoint => "ep#",
            Self::EventType => "type#",
        }
    }
}

/// Sums by endpoint or by event type.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Breakdown {
    /// By the endpoint's id, or the type.
    pub parts: HashMap<String, Counters>,
    /// Whether all of it was read.
    pub complete: bool,
}

fn day(tenant: &TenantId, at: Timestamp) -> String {
    let text = at.to_string();
    format!("{tenant}#{}", text.get(..10).unwrap_or(&text))
}

fn ever(tenant: &TenantId) -> String {
    format!("{tenant}#ever")
}

fn scope_key(scope: &Scope) -> String {
    match scope {
        Scope::All => "all".to_owned(),
        Scope::Endpoint(id) => format!("{}{id}", Part::Endpoint.prefix()),
        Scope::EventType(name) => format!("{}{name}", Part::EventType.prefix()),
    }
}

fn key(of: &Key) -> HashMap<String, AttributeValue> {
    let scope = scope_key(&of.scope);
    let within = |resolution: Resolution, at| {
        let time = resolution.time_of_day(at);
        let sk = format!("{}#{scope}#{time}", resolution.prefix());
        (day(&of.tenant, at), sk)
    };
    let (pk, sk) = match of.period {
        Period::Minute(at) => within(Resolution::Minutes, at),
        Period::Hour(at) => within(Resolution::Hours, at),
        Period::Ever => (ever(&of.tenant), scope),
    };
    HashMap::from([("pk".to_owned(), s(pk)), ("sk".to_owned(), s(sk))])
}

fn counters(item: &Item) -> Counters {
    let mut counters = Counters::default();
    for (name, sum) in counters.each() {
        *sum = item.maybe_number(name).unwrap_or_default();
    }
    let time = |name| item.maybe_number(name).map(Timestamp::from_millis);
    counters.last_success = time("last_success");
    counters.last_failure = time("last_failure");
    counters
}

/// How long a sum is kept from its time on, or from now.
fn expires(of: &Key, retention: Duration, now: Timestamp) -> Option<Timestamp> {
    match (of.period, &of.scope) {
        (Period::Minute(at), _) => Some(at.after(MINUTES_LIFETIME)),
        (Period::Hour(at), _) => Some(at.after(retention)),
        (Period::Ever, Scope::All) => None,
        (Period::Ever, Scope::Endpoint(_) | Scope::EventType(_)) => {
            Some(now.after(TOTALS_LIFETIME))
        }
    }
}

impl ports::Counting for Store {
    async fn add_counts(&self, of: &Key, mut counts: Counters) -> Result<(), Error> {
        let mut values = HashMap::new();
        let mut add = Vec::new();
        for (name, sum) in counts.each().filter(|(_, sum)| **sum > 0) {
            add.push(format!("{name} :{name}"));
            values.insert(format!(":{name}"), n(*sum));
        }
        let ever = of.period == Period::Ever;
        let last = |at: Option<Timestamp>| at.filter(|_| ever).map(Timestamp::as_millis);
        let expires = expires(of, self.retention, RealWorld.now());
        let mut set = Vec::new();
        for (name, value) in [
            ("last_success", last(counts.last_success)),
            ("last_failure", last(counts.last_failure)),
            ("expires_at", expires.map(Timestamp::as_secs)),
        ] {
            if let Some(value) = value {
                set.push(format!("{name} = :{name}"));
                values.insert(format!(":{name}"), n(value));
            }
        }
        let mut expression = format!("ADD {}", add.join(", "));
        if !set.is_empty() {
            expression = format!("{expression} SET {}", set.join(", "));
        }
        self.db
            .update_item()
            .table_name(&self.tables.counters)
            .set_key(Some(key(of)))
            .update_expression(expression)
            .set_expression_attribute_values(Some(values))
            .send()
            .await
            .map(|_| ())
            .map_err(failed("UpdateItem counters"))
    }
}

/// The parts of `[from, to)` that lie in one day each.
fn days(from: Timestamp, to: Timestamp) -> Vec<(Timestamp, Timestamp)> {
    let mut days = Vec::new();
    let mut begin = from;
    while begin < to {
        let midnight = Timestamp::from_millis(begin.as_millis() / DAY_MS * DAY_MS).after(DAY);
        let end = midnight.min(to);
        days.push((begin, end));
        if midnight <= begin {
            break;
        }
        begin = midnight;
    }
    days
}

/// The last moment of a time that ends before `to`.
fn just_before(to: Timestamp) -> Timestamp {
    Timestamp::from_millis(to.as_millis().saturating_sub(1))
}

impl Store {
    /// The sums of one scope in `[from, to)`, by minute or hour, in no order; those with nothing in
    /// them are left out.
    ///
    /// # Errors
    /// A read failed.
    pub async fn counts(
        &self,
        tenant: &TenantId,
        scope: &Scope,
        resolution: Resolution,
        from: Timestamp,
        to: Timestamp,
    ) -> Result<Vec<(Timestamp, Counters)>, Error> {
        let scope = scope_key(scope);
        let read = |(begin, end): (Timestamp, Timestamp)| {
            let prefix = format!("{}#{scope}#", resolution.prefix());
            async move {
                let sk = |at| format!("{prefix}{}", resolution.time_of_day(at));
                let (first, last) = (sk(begin), sk(just_before(end)));
                let items = self
                    .counts_of_day(&day(tenant, begin), &first, &last)
                    .await?;
                let midnight = begin.as_millis() / DAY_MS * DAY_MS;
                let timed = |item: &Item| {
                    let time = item.maybe_text("sk")?.strip_prefix(&prefix)?;
                    let since = time_of_day(time)?;
                    Some((
                        Timestamp::from_millis(midnight).after(since),
                        counters(item),
                    ))
                };
                Ok::<_, Error>(items.iter().filter_map(timed).collect::<Vec<_>>())
            }
        };
        let found: Vec<Vec<_>> = stream::iter(days(from, to))
            .map(read)
            .buffer_unordered(CONCURRENT_DAYS)
            .try_collect()
            .await?;
        Ok(found.into_iter().flatten().collect())
    }

    async fn counts_of_day(&self, pk: &str, first: &str, last: &str) -> Result<Vec<Item>, Error> {
        let mut found = Vec::new();
        let mut start = None;
        loop {
            let answer = self
                .db
                .query()
                .table_name(&self.tables.counters)
                .key_condition_expression("pk = :pk AND sk BETWEEN :first AND :last")
                .expression_attribute_values(":pk", s(pk))
                .expression_attribute_values(":first", s(first))
                .expression_attribute_values(":last", s(last))
                .set_exclusive_start_key(start)
                .send()
                .await
                .map_err(failed("Query counters"))?;
            found.extend(answer.items.unwrap_or_default());
            start = answer.last_evaluated_key;
            if start.is_none() {
                return Ok(found);
            }
        }
    }

    /// The sums of `[from, to)`, which are whole hours, by endpoint or by event type: of the newest
    /// days, if it is too much to read.
    ///
    /// # Errors
    /// A read failed.
    pub async fn breakdown(
        &self,
        tenant: &TenantId,
        part: Part,
        from: Timestamp,
        to: Timestamp,
    ) -> Result<Breakdown, Error> {
        let prefix = format!("{}#{}", Resolution::Hours.prefix(), part.prefix());
        let mut found = Breakdown {
            parts: HashMap::new(),
            complete: true,
        };
        let mut pages = 0;
        for (begin, end) in days(from, to).into_iter().rev() {
            let hours = (
                Resolution::Hours.time_of_day(begin),
                Resolution::Hours.time_of_day(just_before(end)),
            );
            let mut start = None;
            loop {
                if pages == MAX_PAGES {
                    found.complete = false;
                    return Ok(found);
                }
                pages += 1;
                let answer = self
                    .db
                    .query()
                    .table_name(&self.tables.counters)
                    .key_condition_expression("pk = :pk AND begins_with(sk, :prefix)")
                    .expression_attribute_values(":pk", s(day(tenant, begin)))
                    .expression_attribute_values(":prefix", s(&prefix))
                    .set_exclusive_start_key(start)
                    .send()
                    .await
                    .map_err(failed("Query counters"))?;
                for item in answer.items() {
                    let named = item
                        .maybe_text("sk")
                        .and_then(|sk| sk.strip_prefix(&prefix));
                    let Some((name, hour)) = named.and_then(|named| named.rsplit_once('#')) else {
                        continue;
                    };
                    if (hours.0.as_str()..=hours.1.as_str()).contains(&hour) {
                        let sum = found.parts.entry(name.to_owned()).or_default();
                        sum.merge(counters(item));
                    }
                }
                start = answer.last_evaluated_key;
                if start.is_none() {
                    break;
                }
            }
        }
        Ok(found)
    }

    /// All of a tenant's sums from the beginning.
    ///
    /// # Errors
    /// The read failed.
    pub async fn total_counts(&self, tenant: &TenantId) -> Result<Counters, Error> {
        let answer = self
            .db
            .get_item()
            .table_name(&self.tables.counters)
            .key("pk", s(ever(tenant)))
            .key("sk", s(scope_key(&Scope::All)))
            .send()
            .await
            .map_err(failed("GetItem counters"))?;
        Ok(answer.item.as_ref().map(counters).unwrap_or_default())
    }

    /// The sums from the beginning of the first `limit` event types by name.
    ///
    /// # Errors
    /// The read failed.
    pub async fn total_counts_by_type(
        &self,
        tenant: &TenantId,
        limit: i32,
    ) -> Result<HashMap<String, Counters>, Error> {
        let prefix = Part::EventType.prefix();
        let answer = self
            .db
            .query()
            .table_name(&self.tables.counters)
            .key_condition_expression("pk = :pk AND begins_with(sk, :prefix)")
            .expression_attribute_values(":pk", s(ever(tenant)))
            .expression_attribute_values(":prefix", s(prefix))
            .limit(limit)
            .send()
            .await
            .map_err(failed("Query counters"))?;
        let named = |item: &Item| {
            let name = item.maybe_text("sk")?.strip_prefix(prefix)?;
            Some((name.to_owned(), counters(item)))
        };
        Ok(answer.items().iter().filter_map(named).collect())
    }

    /// The sums that these keys name; those with nothing in them are left out.
    ///
    /// # Errors
    /// A read failed.
    pub async fn counts_of(&self, keys: &[Key]) -> Result<HashMap<Key, Counters>, Error> {
        let name = |item: &HashMap<String, AttributeValue>| {
            let part = |name| item.maybe_text(name).unwrap_or_default().to_owned();
            (part("pk"), part("sk"))
        };
        let by_name: HashMap<_, _> = keys.iter().map(|of| (name(&key(of)), of)).collect();
        let mut found = HashMap::new();
        for keys in keys.chunks(MAX_KEYS) {
            let items = self.batch_of_counts(keys.iter().map(key).collect()).await?;
            for item in items {
                if let Some(of) = by_name.get(&name(&item)) {
                    found.insert((*of).clone(), counters(&item));
                }
            }
        }
        Ok(found)
    }

    async fn batch_of_counts(&self, keys: Vec<Item>) -> Result<Vec<Item>, Error> {
        let mut wanted = keys;
        let mut found = Vec::new();
        for _ in 0..TRIES {
            let request = KeysAndAttributes::builder()
                .set_keys(Some(wanted))
                .build()
                .map_err(|error| Error {
                    call: "BatchGetItem counters",
                    source: error.into(),
                })?;
            let answer = self
                .db
                .batch_get_item()
                .request_items(&self.tables.counters, request)
                .send()
                .await
                .map_err(failed("BatchGetItem counters"))?;
            found.extend(answer.responses.unwrap_or_default().into_values().flatten());
            let rest = answer
                .unprocessed_keys
                .unwrap_or_default()
                .into_values()
                .next();
            wanted = rest.map(|rest| rest.keys).unwrap_or_default();
            if wanted.is_empty() {
                return Ok(found);
            }
        }
        Err(Error {
            call: "BatchGetItem counters",
            source: "the table is throttled".into(),
        })
    }
}

/// How long after midnight `07` or `0712` is.
fn time_of_day(text: &str) -> Option<Duration> {
    let (hours, minutes) = text.split_at_checked(2)?;
    let hours: u64 = hours.parse().ok()?;
    let minutes: u64 = if minutes.is_empty() {
        0
    } else {
        minutes.parse().ok()?
    };
    Some(Duration::from_secs((hours * 60 + minutes) * 60))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn size(item: &Item) -> usize {
        let text = |value: &AttributeValue| {
            value
                .as_s()
                .or_else(|_| value.as_n())
                .map_or(0, String::len)
        };
        item.iter()
            .map(|(name, value)| name.len() + text(value))
            .sum()
    }

    #[test]
    fn keys_are_in_the_order_of_time_within_their_scope() {
        let named = |scope: Scope, period| {
            let of = Key {
                tenant: "acme".parse().unwrap(),
                scope,
                period,
            };
            let item = key(&of);
            format!(
                "{} / {}",
                item.text("pk").unwrap(),
                item.text("sk").unwrap()
            )
        };
        let hour = at("2026-11-24T07:00:00Z");
        assert_eq!(
            named(Scope::All, Period::Hour(hour)),
            "acme#2026-11-24 / h#all#07"
        );
        assert_eq!(
            named(
                Scope::Endpoint("ep_1".parse().unwrap()),
                Period::Minute(at("2026-11-24T07:12:00Z"))
            ),
            "acme#2026-11-24 / m#ep#ep_1#0712"
        );
        let order = Scope::EventType("order.created".parse().unwrap());
        assert_eq!(named(order, Period::Ever), "acme#ever / type#order.created");
        assert_eq!(
            time_of_day("0712"),
            Some(Duration::from_secs(7 * 3600 + 12 * 60))
        );
        assert_eq!(time_of_day("07"), Some(Duration::from_secs(7 * 3600)));
    }

    #[test]
    fn a_range_is_cut_at_midnight_and_nothing_is_left_out() {
        let cut = days(at("2026-11-24T22:00:00Z"), at("2026-11-26T01:00:00Z"));
        assert_eq!(
            cut,
            [
                (at("2026-11-24T22:00:00Z"), at("2026-11-25T00:00:00Z")),
                (at("2026-11-25T00:00:00Z"), at("2026-11-26T00:00:00Z")),
                (at("2026-11-26T00:00:00Z"), at("2026-11-26T01:00:00Z")),
            ]
        );
        assert!(days(at("2026-11-26T01:00:00Z"), at("2026-11-26T01:00:00Z")).is_empty());
        let last = Timestamp::from_millis(u64::MAX);
        assert!(days(Timestamp::from_millis(last.as_millis() - 5), last).len() <= 1);
    }

    #[test]
    fn a_busy_hour_of_the_longest_names_is_one_write_unit() {
        let long = "x".repeat(128);
        let of = Key {
            tenant: "t".repeat(64).parse().unwrap(),
            scope: Scope::EventType(long.parse().unwrap()),
            period: Period::Hour(at("2026-11-24T07:00:00Z")),
        };
        let mut item = key(&of);
        for (name, _) in Counters::default().each() {
            item.insert(name.to_owned(), n(999_999_999u64));
        }
        item.insert("expires_at".to_owned(), n(1_795_262_400u64));
        assert!(size(&item) <= 1024, "{} bytes", size(&item));
        let read = counters(&item);
        assert_eq!(read.delivered, 999_999_999);
        assert_eq!(read.latency.sum_ms(), 999_999_999);
    }
}

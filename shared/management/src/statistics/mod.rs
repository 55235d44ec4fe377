//! `stats`, `metrics` and the health of all endpoints: from sums that are kept as things happen,
//! never from the deliveries themselves, so that what it costs does not grow with how many are
//! stored.

mod prometheus;
mod range;

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use hookpost_adapters::api::Problem;
use hookpost_adapters::auth::Caller;
use hookpost_adapters::table::Part;
use hookpost_domain::breaker::Health;
use hookpost_domain::counters::{Counters, Key, Period, Scope};
use hookpost_domain::endpoint::{Endpoint, EndpointState};
use hookpost_domain::ports::{Error, World};
use hookpost_domain::{EndpointId, Invalid, TenantId, Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Management;
use crate::page::{self, Page};
use crate::view::{
    CountsView, CriteriaView, CriterionView, EndpointStatsView, GroupView, GroupsView, HealthView,
    MetricsView, PointView, QueuesView, RecentView, StatsView, SubscriberHealthView, to_six_digits,
    to_tenths,
};

use prometheus::Snapshot;
pub use range::Interval;
use range::Range;

/// Groups that are shown.
const MAX_GROUPS: usize = 200;
/// Event types that are read for Prometheus.
const MAX_TYPES: i32 = 500;
/// Criteria of success that this product was wished for with.
const DELIVERED_TARGET: f64 = 0.999;
const RECOVERED_TARGET: f64 = 0.95;
const LATENCY_TARGET_MS: f64 = 500.0;

/// By what sums are divided.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum GroupBy {
    /// By endpoint.
    #[serde(alias = "endpoint_id")]
    Endpoint,
    /// By event type.
    EventType,
}

/// What statistics are asked of.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct StatsQuery {
    /// From when on; a day before `to` unless given.
    pub from: Option<Timestamp>,
    /// Until when; now unless given.
    pub to: Option<Timestamp>,
    /// Only deliveries to this endpoint.
    #[serde(alias = "subscriber_id")]
    pub endpoint_id: Option<String>,
    /// Only events of this type.
    pub event_type: Option<String>,
    /// The steps of the series; by the length of the time unless given.
    pub interval: Option<Interval>,
    /// Sums by endpoint or event type as well, in whole hours.
    pub group_by: Option<GroupBy>,
}

/// Of which time criteria are judged.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct CriteriaQuery {
    /// From when on; a day before `to` unless given.
    pub from: Option<Timestamp>,
    /// Until when; now unless given.
    pub to: Option<Timestamp>,
}

/// Which endpoints' health to list.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct HealthQuery {
    /// How many, 1 to 200; 50 unless given.
    pub limit: Option<usize>,
    /// The `next` of the page before.
    pub after: Option<String>,
}

impl StatsQuery {
    fn scope(&self) -> Result<Scope, Invalid> {
        match (&self.endpoint_id, &self.event_type) {
            (None, None) => Ok(Scope::All),
            (Some(id), None) => Ok(Scope::Endpoint(id.parse()?)),
            (None, Some(name)) => Ok(Scope::EventType(name.parse()?)),
            (Some(_), Some(_)) => Err(Invalid::new(
                "event_type",
                "cannot be asked for together with `endpoint_id`",
            )),
        }
    }
}

impl<W: World> Management<W> {
    /// Sums over a time, and over each step of it.
    ///
    /// # Errors
    /// 422 for a time that cannot be told.
    pub async fn stats(&self, caller: &Caller, query: StatsQuery) -> Result<StatsView, Problem> {
        let now = self.world.now();
        let range = Range::of(query.from, query.to, query.interval, now)?;
        let scope = query.scope()?;
        if query.group_by.is_some() && scope != Scope::All {
            let rule = "cannot be asked for together with `endpoint_id` or `event_type`";
            return Err(Problem::invalid(&Invalid::new("group_by", rule)));
        }
        let by_step = self.by_step(&caller.tenant, &scope, &range).await?;
        let mut totals = Counters::default();
        let mut series = Vec::new();
        for at in range.steps() {
            let counts = by_step.get(&at).copied().unwrap_or_default();
            totals.merge(counts);
            series.push(PointView {
                at,
                counts: CountsView::of(&counts),
            });
        }
        let groups = match query.group_by {
            Some(by) => Some(self.groups(&caller.tenant, by, &range).await?),
            None => None,
        };
        Ok(StatsView {
            from: range.from,
            to: range.to,
            interval: range.interval,
            approximate: true,
            totals: CountsView::of(&totals),
            series,
            groups,
            queues: self.queues_for(caller).await?,
        })
    }

    async fn by_step(
        &self,
        tenant: &TenantId,
        scope: &Scope,
        range: &Range,
    ) -> Result<BTreeMap<Timestamp, Counters>, Error> {
        let resolution = range.interval.resolution();
        let counts = self
            .store
            .counts(tenant, scope, resolution, range.from, range.to)
            .await?;
        let mut by_step: BTreeMap<Timestamp, Counters> = BTreeMap::new();
        for (at, counts) in counts {
            by_step.entry(range.step_of(at)).or_default().merge(counts);
        }
        Ok(by_step)
    }

    async fn groups(
        &self,
        tenant: &TenantId,
        by: GroupBy,
        range: &Range,
    ) -> Result<GroupsView, Error> {
        let part = match by {
            GroupBy::Endpoint => Part::Endpoint,
            GroupBy::EventType => Part::EventType,
        };
        let found = self
            .store
            .breakdown(tenant, part, range.from, range.to)
            .await?;
        let busy = |counts: &Counters| counts.delivered + counts.failed + counts.events;
        let mut groups: Vec<_> = found.parts.into_iter().collect();
        groups.sort_by(|(key, counts), (other, others)| {
            busy(others).cmp(&busy(counts)).then(key.cmp(other))
        });
        let complete = found.complete && groups.len() <= MAX_GROUPS;
        let shown = groups.into_iter().take(MAX_GROUPS);
        Ok(GroupsView {
            by,
            complete,
            data: shown
                .map(|(key, counts)| GroupView {
                    key,
                    counts: CountsView::of(&counts),
                })
                .collect(),
        })
    }

    /// The queues are everybody's: only who speaks for all tenants sees how full they are.
    async fn queues_for(&self, caller: &Caller) -> Result<Option<QueuesView>, Error> {
        if !caller.speaks_for_all() {
            return Ok(None);
        }
        Ok(Some(self.queues.levels().await?.into()))
    }

    /// How well the goals of delivering are met.
    ///
    /// # Errors
    /// 422 for a time that cannot be told.
    pub async fn criteria(
        &self,
        caller: &Caller,
        query: CriteriaQuery,
    ) -> Result<CriteriaView, Problem> {
        let now = self.world.now();
        let to = query.to.unwrap_or(now);
        // Whole hours where they can be told, days otherwise.
        let hours = Range::of(query.from, Some(to), Some(Interval::Hour), now);
        let range = hours.or_else(|_| Range::of(query.from, Some(to), Some(Interval::Day), now))?;
        let by_step = self.by_step(&caller.tenant, &Scope::All, &range).await?;
        let mut counts = Counters::default();
        for (_, step) in by_step {
            counts.merge(step);
        }
        Ok(CriteriaView {
            from: range.from,
            to: range.to,
            approximate: true,
            criteria: criteria(&counts),
        })
    }

    /// What a tenant's deliveries came to from the beginning, and how things are now.
    ///
    /// # Errors
    /// A read failed.
    pub async fn metrics(&self, caller: &Caller) -> Result<MetricsView, Problem> {
        let total = self.store.total_counts(&caller.tenant).await?;
        let endpoints = self.store.endpoints_and_healths(&caller.tenant).await?;
        let census = Census::of(&endpoints);
        let accepted = total.latency.count();
        Ok(MetricsView {
            approximate: true,
            total_events: total.events,
            total_deliveries: total.delivered + total.dead + total.cancelled,
            total_attempts: accepted + total.failed,
            successful_deliveries: total.delivered,
            failed_deliveries: total.dead,
            failed_attempts: total.failed,
            retries: total.retried,
            success_rate: total.success_rate().map(to_six_digits),
            average_latency_ms: total.latency.average_ms().map(to_tenths),
            p95_latency_ms: total.latency.percentile_ms(0.95).map(to_tenths),
            total_subscribers: census.all,
            active_subscribers: census.active,
            open_breakers: census.open,
            queues: self.queues_for(caller).await?,
        })
    }

    /// The same in Prometheus's text format.
    ///
    /// # Errors
    /// A read failed.
    pub async fn prometheus(&self, caller: &Caller) -> Result<String, Problem> {
        let tenant = &caller.tenant;
        let endpoints = self.store.endpoints_and_healths(tenant).await?;
        let census = Census::of(&endpoints);
        let queues = if caller.speaks_for_all() {
            Some(self.queues.levels().await?)
        } else {
            None
        };
        Ok(prometheus::text(&Snapshot {
            // Types before the total, so that they are never more than it.
            by_type: self.store.total_counts_by_type(tenant, MAX_TYPES).await?,
            total: self.store.total_counts(tenant).await?,
            endpoints: census.all,
            active: census.active,
            open_breakers: census.open,
            queues,
        }))
    }

    /// The health of all endpoints, newest first.
    ///
    /// # Errors
    /// 422 for a page that cannot be.
    pub async fn list_health(
        &self,
        caller: &Caller,
        query: HealthQuery,
    ) -> Result<Page<SubscriberHealthView>, Problem> {
        let limit = page::limit(query.limit)?;
        let tenant = &caller.tenant;
        let mut endpoints = self.store.endpoints_and_healths(tenant).await?;
        endpoints.sort_by(|(one, _), (other, _)| {
            (other.created_at, &other.id).cmp(&(one.created_at, &one.id))
        });
        let after = query.after.as_deref();
        if let Some(after) = self.place("endpoints/health", caller, after).await? {
            let place = endpoints
                .iter()
                .position(|(endpoint, _)| endpoint.id.as_str() == after);
            endpoints.drain(..=place.ok_or_else(page::unknown_place)?);
        }
        let more = endpoints.len() > limit;
        endpoints.truncate(limit);
        let ids: Vec<EndpointId> = endpoints.iter().map(|(one, _)| one.id.clone()).collect();
        let stats = self.endpoint_stats(tenant, &ids).await?;
        let now = self.world.now();
        let show = |((endpoint, health), stats): (&(Endpoint, Health), EndpointStatsView)| {
            health_view(endpoint, health, stats, now)
        };
        let data = endpoints.iter().zip(stats).map(show).collect();
        let next = ids.last().filter(|_| more).map(ToString::to_string);
        let next = self.next("endpoints/health", caller, next).await?;
        Ok(Page { data, next })
    }

    /// What is counted of these endpoints, in their order.
    ///
    /// # Errors
    /// A read failed.
    pub async fn endpoint_stats(
        &self,
        tenant: &TenantId,
        ids: &[EndpointId],
    ) -> Result<Vec<EndpointStatsView>, Error> {
        let now = self.world.now();
        let this_hour = Timestamp::from_millis(now.as_millis() / HOUR_MS * HOUR_MS);
        let last_hour = Timestamp::from_millis(this_hour.as_millis().saturating_sub(HOUR_MS));
        let key = |id: &EndpointId, period| Key {
            tenant: tenant.clone(),
            scope: Scope::Endpoint(id.clone()),
            period,
        };
        let periods = [
            Period::Hour(last_hour),
            Period::Hour(this_hour),
            Period::Ever,
        ];
        let keys: Vec<Key> = ids
            .iter()
            .flat_map(|id| periods.map(|period| key(id, period)))
            .collect();
        let found = self.store.counts_of(&keys).await?;
        let one = |id: &EndpointId| endpoint_stats(&found, |period| key(id, period), last_hour);
        Ok(ids.iter().map(one).collect())
    }
}

const HOUR_MS: u64 = 3_600_000;

fn endpoint_stats(
    found: &HashMap<Key, Counters>,
    key: impl Fn(Period) -> Key,
    last_hour: Timestamp,
) -> EndpointStatsView {
    let this_hour = last_hour.after(Duration::from_secs(3600));
    let of = |period| found.get(&key(period)).copied().unwrap_or_default();
    let mut recent = of(Period::Hour(last_hour));
    recent.merge(of(Period::Hour(this_hour)));
    let ever = of(Period::Ever);
    EndpointStatsView {
        last_hour: RecentView::of(last_hour, &recent),
        last_success_at: ever.last_success,
        last_failure_at: ever.last_failure,
    }
}

fn health_view(
    endpoint: &Endpoint,
    health: &Health,
    stats: EndpointStatsView,
    now: Timestamp,
) -> SubscriberHealthView {
    let shown = HealthView::of(endpoint.id.clone(), health, stats, None, now);
    SubscriberHealthView {
        endpoint_id: endpoint.id.clone(),
        subscriber_id: endpoint.id.clone(),
        name: endpoint.name.clone(),
        endpoint_url: endpoint.url.for_logs(),
        state: match endpoint.state {
            EndpointState::Active => "active",
            EndpointState::Paused => "paused",
            EndpointState::Disabled(_) => "disabled",
        },
        circuit_state: shown.breaker.state,
        breaker: shown.breaker,
        consecutive_failures: shown.consecutive_failures,
        failing_since: shown.failing_since,
        stats: shown.stats,
    }
}

/// How many endpoints there are, and of which kind.
#[derive(Debug, Clone, Copy, Default)]
struct Census {
    all: u64,
    active: u64,
    open: u64,
}

impl Census {
    fn of(endpoints: &[(Endpoint, Health)]) -> Self {
        endpoints
            .iter()
            .fold(Self::default(), |sum, (endpoint, health)| Self {
                all: sum.all + 1,
                active: sum.active + u64::from(endpoint.state == EndpointState::Active),
                open: sum.open + u64::from(health.is_open()),
            })
    }
}

fn criteria(counts: &Counters) -> Vec<CriterionView> {
    let at_least = |name, description, target: f64, value: Option<f64>| CriterionView {
        name,
        description,
        target,
        met: value.map(|value| value >= target),
        value: value.map(to_six_digits),
    };
    let average = counts.latency.average_ms();
    vec![
        at_least(
            "delivery_success_rate",
            "share of the deliveries that were accepted, of those that were accepted or given up",
            DELIVERED_TARGET,
            counts.success_rate(),
        ),
        at_least(
            "retry_efficiency",
            "share of the deliveries that were accepted within three attempts, of those whose first failed",
            RECOVERED_TARGET,
            counts.recovery_rate(),
        ),
        CriterionView {
            name: "average_latency_ms",
            description: "how long accepted requests took on average; at most",
            target: LATENCY_TARGET_MS,
            met: average.map(|ms| ms < LATENCY_TARGET_MS),
            value: average.map(to_tenths),
        },
        at_least(
            "error_reporting",
            "share of the failed requests that are in their delivery's log with their error: a failure is counted by the write that logs it",
            1.0,
            (counts.failed > 0).then_some(1.0),
        ),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(counts: &Counters, name: &str) -> (Option<f64>, Option<bool>) {
        let found = criteria(counts)
            .into_iter()
            .find(|one| one.name == name)
            .unwrap();
        (found.value, found.met)
    }

    #[test]
    fn criteria_are_judged_only_by_what_has_happened() {
        let nothing = Counters::default();
        for criterion in criteria(&nothing) {
            assert_eq!(
                (criterion.value, criterion.met),
                (None, None),
                "{}",
                criterion.name
            );
        }
        let mut some = Counters {
            delivered: 999,
            dead: 1,
            recovered: 9,
            unrecovered: 1,
            failed: 3,
            ..Counters::default()
        };
        some.latency.observe(100);
        assert_eq!(
            value(&some, "delivery_success_rate"),
            (Some(0.999), Some(true))
        );
        assert_eq!(value(&some, "retry_efficiency"), (Some(0.9), Some(false)));
        assert_eq!(
            value(&some, "average_latency_ms"),
            (Some(100.0), Some(true))
        );
        assert_eq!(value(&some, "error_reporting"), (Some(1.0), Some(true)));
    }

    #[test]
    fn one_thing_at_a_time_is_asked_of() {
        let query = StatsQuery {
            endpoint_id: Some("ep_1".to_owned()),
            event_type: Some("a".to_owned()),
            ..StatsQuery::default()
        };
        assert_eq!(query.scope().unwrap_err().field, "event_type");
        let query = StatsQuery {
            endpoint_id: Some("a#b".to_owned()),
            ..StatsQuery::default()
        };
        assert_eq!(query.scope().unwrap_err().field, "endpoint_id");
    }
}

//! What can be asked for and done: a line each here, in the table and in the dispatcher.

use hookpost_adapters::api::Problem;
use hookpost_adapters::auth::Caller;
use hookpost_domain::access::Scope;
use hookpost_domain::catalogue::{EventTypeDraft, RetryPolicyDraft, SettingsDraft};
use hookpost_domain::endpoint::{EndpointDraft, RotationDraft};
use hookpost_domain::inbound::SourceDraft;
use hookpost_domain::ports::World;
use hookpost_management::page::{Found, Page};
use hookpost_management::view::{
    CancelledView, DeadLetterGroupsView, DeadLetterView, DeliveryView, EndpointView,
    EventStatusView, EventSummary, EventTypeView, EventView, HealthView, MetricsView,
    RetryPolicyView, SettingsView, StatsView, TestView,
};
use hookpost_management::{
    AuditEntryView, AuditQuery, DeadLetterGroupQuery, DeadLetterQuery, DeliveryQuery,
    EndpointQuery, EventQuery, EventTypeQuery, JobQuery, KeyDraft, KeyQuery, KeyView, Management,
    OpenBreaker, ResolveOrder, RetryOrder, RetryPolicyQuery, SourceQuery, SourceView, StatsQuery,
    StatusQuery, TestDraft,
};
use serde_json::{Map, Value, json};

use crate::given::{input, read, shown};
use crate::shapes::{Arguments, Shapes};

/// One of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Op {
    Endpoints,
    Endpoint,
    EndpointHealth,
    Events,
    Event,
    EventStatus,
    Deliveries,
    Delivery,
    DeadLetters,
    DeadLetterGroups,
    DeadLetter,
    Jobs,
    Job,
    Stats,
    Metrics,
    ApiKeys,
    AuditLog,
    EventTypes,
    EventType,
    RetryPolicies,
    Settings,
    PutEventType,
    DeleteEventType,
    PutRetryPolicy,
    DeleteRetryPolicy,
    UpdateSettings,
    CreateEndpoint,
    UpdateEndpoint,
    DeleteEndpoint,
    EnableEndpoint,
    DisableEndpoint,
    PauseEndpoint,
    ResumeEndpoint,
    RotateSecret,
    TestEndpoint,
    OpenBreaker,
    CloseBreaker,
    CancelEvent,
    RetryDelivery,
    CancelDelivery,
    DeleteDelivery,
    ReplayDeadLetter,
    ResolveDeadLetter,
    DeleteDeadLetter,
    CancelJob,
    CreateApiKey,
    RevokeApiKey,
    Sources,
    Source,
    CreateSource,
    UpdateSource,
    DeleteSource,
}

/// Its name, and whether it changes something.
#[rustfmt::skip]
pub(crate) const OPERATIONS: &[(Op, &str, bool)] = &[
    (Op::Endpoints, "endpoints", false),
    (Op::Endpoint, "endpoint", false),
    (Op::EndpointHealth, "endpointHealth", false),
    (Op::Events, "events", false),
    (Op::Event, "event", false),
    (Op::EventStatus, "eventStatus", false),
    (Op::Deliveries, "deliveries", false),
    (Op::Delivery, "delivery", false),
    (Op::DeadLetters, "deadLetters", false),
    (Op::DeadLetterGroups, "deadLetterGroups", false),
    (Op::DeadLetter, "deadLetter", false),
    (Op::Jobs, "jobs", false),
    (Op::Job, "job", false),
    (Op::Stats, "stats", false),
    (Op::Metrics, "metrics", false),
    (Op::ApiKeys, "apiKeys", false),
    (Op::AuditLog, "auditLog", false),
    (Op::EventTypes, "eventTypes", false),
    (Op::EventType, "eventType", false),
    (Op::RetryPolicies, "retryPolicies", false),
    (Op::Settings, "settings", false),
    (Op::PutEventType, "putEventType", true),
    (Op::DeleteEventType, "deleteEventType", true),
    (Op::PutRetryPolicy, "putRetryPolicy", true),
    (Op::DeleteRetryPolicy, "deleteRetryPolicy", true),
    (Op::UpdateSettings, "updateSettings", true),
    (Op::CreateEndpoint, "createEndpoint", true),
    (Op::UpdateEndpoint, "updateEndpoint", true),
    (Op::DeleteEndpoint, "deleteEndpoint", true),
    (Op::EnableEndpoint, "enableEndpoint", true),
    (Op::DisableEndpoint, "disableEndpoint", true),
    (Op::PauseEndpoint, "pauseEndpoint", true),
    (Op::ResumeEndpoint, "resumeEndpoint", true),
    (Op::RotateSecret, "rotateSecret", true),
    (Op::TestEndpoint, "testEndpoint", true),
    (Op::OpenBreaker, "openBreaker", true),
    (Op::CloseBreaker, "closeBreaker", true),
    (Op::CancelEvent, "cancelEvent", true),
    (Op::RetryDelivery, "retryDelivery", true),
    (Op::CancelDelivery, "cancelDelivery", true),
    (Op::DeleteDelivery, "deleteDelivery", true),
    (Op::ReplayDeadLetter, "replayDeadLetter", true),
    (Op::ResolveDeadLetter, "resolveDeadLetter", true),
    (Op::DeleteDeadLetter, "deleteDeadLetter", true),
    (Op::CancelJob, "cancelJob", true),
    (Op::CreateApiKey, "createApiKey", true),
    (Op::RevokeApiKey, "revokeApiKey", true),
    (Op::Sources, "sources", false),
    (Op::Source, "source", false),
    (Op::CreateSource, "createSource", true),
    (Op::UpdateSource, "updateSource", true),
    (Op::DeleteSource, "deleteSource", true),
];

impl Op {
    /// What it takes, what it gives, and what is said of it.
    #[expect(clippy::too_many_lines, reason = "a table, however it is folded")]
    pub(crate) fn describe(self, shapes: &mut Shapes) -> (Arguments, Value, &'static str) {
        let id = || Arguments::default().id();
        match self {
            Self::Endpoints => (
                shapes.arguments::<EndpointQuery>(),
                shapes.answer::<Page<EndpointView>>(),
                "Endpoints, newest first",
            ),
            Self::Endpoint => (id(), shapes.answer::<EndpointView>(), "An endpoint"),
            Self::EndpointHealth => {
                let shape = shapes.answer::<HealthView>();
                (id(), shape, "An endpoint's breaker and failures in a row")
            }
            Self::Event => {
                let shape = shapes.answer::<EventView>();
                (id(), shape, "An event, and where its deliveries stand")
            }
            Self::Delivery => {
                let shape = shapes.answer::<DeliveryView>();
                (id(), shape, "A delivery with every attempt")
            }
            Self::EventStatus => (
                shapes.arguments::<StatusQuery>(),
                shapes.answer::<EventStatusView>(),
                "Where an event stands, over all of its deliveries",
            ),
            Self::Deliveries => (
                shapes.arguments::<DeliveryQuery>(),
                shapes.answer::<Found<DeliveryView>>(),
                "Deliveries, newest event first",
            ),
            Self::Jobs => (
                shapes.arguments::<JobQuery>(),
                json!({}),
                "Jobs that do something to many deliveries, newest first",
            ),
            Self::Job => (id(), json!({}), "How far a job has got"),
            Self::CancelJob => (id(), json!({}), "Calls a job off: what is done stays done"),
            Self::Events => (
                shapes.arguments::<EventQuery>(),
                shapes.answer::<Page<EventSummary>>(),
                "Events, newest first",
            ),
            Self::ApiKeys => (
                shapes.arguments::<KeyQuery>(),
                shapes.answer::<Page<KeyView>>(),
                "API keys, newest first; needs the scope `admin`",
            ),
            Self::AuditLog => (
                shapes.arguments::<AuditQuery>(),
                shapes.answer::<Page<AuditEntryView>>(),
                "Who did what, newest first; needs the scope `admin`",
            ),
            Self::EventTypes => (
                shapes.arguments::<EventTypeQuery>(),
                shapes.answer::<Page<EventTypeView>>(),
                "Event types, newest first",
            ),
            Self::EventType => {
                let shape = shapes.answer::<EventTypeView>();
                (id(), shape, "An event type, by its name")
            }
            Self::RetryPolicies => (
                shapes.arguments::<RetryPolicyQuery>(),
                shapes.answer::<Page<RetryPolicyView>>(),
                "Retry policies for event types, by name",
            ),
            Self::Settings => (
                Arguments::default(),
                shapes.answer::<SettingsView>(),
                "What the tenant has set for all of its events",
            ),
            Self::PutEventType => (
                shapes.input::<EventTypeDraft>().id(),
                shapes.answer::<EventTypeView>(),
                "Tells of an event type, by its name",
            ),
            Self::PutRetryPolicy => (
                shapes.input::<RetryPolicyDraft>().id(),
                shapes.answer::<RetryPolicyView>(),
                "Sets a retry policy for event types, by its name",
            ),
            Self::UpdateSettings => (
                shapes.input::<SettingsDraft>(),
                shapes.answer::<SettingsView>(),
                "Changes what the input names",
            ),
            Self::CreateApiKey => (
                shapes.input::<KeyDraft>(),
                shapes.answer::<KeyView>(),
                "Makes an API key, which is shown once; needs the scope `admin`",
            ),
            Self::RevokeApiKey => (
                id(),
                json!({ "type": "boolean" }),
                "Revokes an API key; needs the scope `admin`",
            ),
            Self::RotateSecret => (
                shapes.arguments::<RotationDraft>().id(),
                shapes.answer::<EndpointView>(),
                "A new secret, shown once; the old one signs as well for as long as is said",
            ),
            Self::TestEndpoint => (
                shapes.arguments::<TestDraft>().id(),
                shapes.answer::<TestView>(),
                "Sends an event to this endpoint only",
            ),
            Self::OpenBreaker => (
                shapes.arguments::<OpenBreaker>().id(),
                shapes.answer::<HealthView>(),
                "Lets no request through for a while",
            ),
            Self::CloseBreaker => {
                let shape = shapes.answer::<HealthView>();
                (id(), shape, "Lets requests through again")
            }
            Self::CancelEvent => {
                let shape = shapes.answer::<CancelledView>();
                (
                    id(),
                    shape,
                    "Calls off what has not been delivered yet of an event",
                )
            }
            Self::RetryDelivery => (
                shapes.arguments::<RetryOrder>().id(),
                shapes.answer::<DeliveryView>(),
                "Tries a delivery now",
            ),
            Self::ReplayDeadLetter => (
                shapes.arguments::<RetryOrder>().id(),
                shapes.answer::<DeliveryView>(),
                "Begins a dead letter anew",
            ),
            Self::CancelDelivery => {
                let shape = shapes.answer::<DeliveryView>();
                (id(), shape, "No attempt of it is made any more")
            }
            Self::ResolveDeadLetter => (
                shapes.arguments::<ResolveOrder>().id(),
                shapes.answer::<DeadLetterView>(),
                "Marks a dead letter as dealt with",
            ),
            Self::DeleteDelivery
            | Self::DeleteDeadLetter
            | Self::DeleteEventType
            | Self::DeleteSource
            | Self::DeleteRetryPolicy => (id(), json!({ "type": "boolean" }), "Forgets it"),
            Self::Sources => (
                shapes.arguments::<SourceQuery>(),
                shapes.answer::<Page<SourceView>>(),
                "Where somebody else's webhooks come from, newest first",
            ),
            Self::Source => (id(), shapes.answer::<SourceView>(), "A source"),
            Self::CreateSource => (
                shapes.input::<SourceDraft>(),
                shapes.answer::<SourceView>(),
                "Takes somebody else's webhooks; a secret that is made is shown once",
            ),
            Self::UpdateSource => (
                shapes.input::<SourceDraft>().id(),
                shapes.answer::<SourceView>(),
                "Changes what the input names",
            ),
            Self::DeadLetters => (
                shapes.arguments::<DeadLetterQuery>(),
                shapes.answer::<Found<DeadLetterView>>(),
                "Dead letters, newest event first",
            ),
            Self::DeadLetterGroups => (
                shapes.arguments::<DeadLetterGroupQuery>(),
                shapes.answer::<DeadLetterGroupsView>(),
                "How many dead letters there are of each endpoint and failure, the most first",
            ),
            Self::DeadLetter => (id(), shapes.answer::<DeadLetterView>(), "A dead letter"),
            Self::Stats => (
                shapes.arguments::<StatsQuery>(),
                shapes.answer::<StatsView>(),
                "What happened, by time, endpoint or event type; approximate",
            ),
            Self::Metrics => {
                let shape = shapes.answer::<MetricsView>();
                (
                    Arguments::default(),
                    shape,
                    "What happened since the beginning",
                )
            }
            Self::CreateEndpoint => (
                shapes.input::<EndpointDraft>(),
                shapes.answer::<EndpointView>(),
                "Makes an endpoint; its secret is shown once",
            ),
            Self::UpdateEndpoint => (
                shapes.input::<EndpointDraft>().id(),
                shapes.answer::<EndpointView>(),
                "Changes what the input names; null takes a setting back to its default",
            ),
            Self::DeleteEndpoint => {
                let shape = json!({ "type": "boolean" });
                (
                    id(),
                    shape,
                    "Deletes an endpoint; its deliveries end cancelled",
                )
            }
            Self::EnableEndpoint => {
                let shape = shapes.answer::<EndpointView>();
                (id(), shape, "Lets an endpoint have events again")
            }
            Self::DisableEndpoint => {
                let shape = shapes.answer::<EndpointView>();
                (id(), shape, "Events for it become dead letters")
            }
            Self::PauseEndpoint => {
                let shape = shapes.answer::<EndpointView>();
                (id(), shape, "Its deliveries wait")
            }
            Self::ResumeEndpoint => {
                let shape = shapes.answer::<EndpointView>();
                (id(), shape, "What waited goes out")
            }
        }
    }

    /// Does it.
    #[expect(clippy::too_many_lines, reason = "a line for each operation")]
    pub(crate) async fn run<W: World>(
        self,
        services: &Management<W>,
        caller: &Caller,
        mut given: Map<String, Value>,
    ) -> Result<Value, Problem> {
        let id = match given.remove("id") {
            Some(Value::String(id)) => id,
            _ => String::new(),
        };
        let id = id.as_str();
        match self {
            Self::Endpoints => shown(&services.list_endpoints(caller, read(given)?).await?),
            Self::Endpoint => shown(&services.get_endpoint(caller, id).await?),
            Self::EndpointHealth => shown(&services.endpoint_health(caller, id).await?),
            Self::Event => shown(&services.get_event(caller, id).await?),
            Self::Delivery => shown(&services.get_delivery(caller, id).await?),
            Self::DeadLetters => shown(&services.list_dead_letters(caller, read(given)?).await?),
            Self::DeadLetterGroups => {
                shown(&services.group_dead_letters(caller, read(given)?).await?)
            }
            Self::DeadLetter => shown(&services.get_dead_letter(caller, id).await?),
            Self::EventStatus => shown(&services.event_status(caller, read(given)?).await?),
            Self::Deliveries => shown(&services.list_deliveries(caller, read(given)?).await?),
            Self::Jobs => shown(&services.list_jobs(caller, read(given)?).await?),
            Self::Job => services.get_job(caller, id).await,
            Self::CancelJob => services.cancel_job(caller, id).await,
            Self::Events => shown(&services.list_events(caller, read(given)?).await?),
            Self::CancelEvent => shown(&services.cancel_event(caller, id).await?),
            Self::RotateSecret => shown(&services.rotate_secret(caller, id, read(given)?).await?),
            Self::TestEndpoint => shown(&services.test_endpoint(caller, id, read(given)?).await?),
            Self::OpenBreaker => shown(&services.open_breaker(caller, id, read(given)?).await?),
            Self::CloseBreaker => shown(&services.close_breaker(caller, id).await?),
            Self::EventTypes => shown(&services.list_event_types(caller, read(given)?).await?),
            Self::EventType => shown(&services.get_event_type(caller, id).await?),
            Self::RetryPolicies => {
                shown(&services.list_retry_policies(caller, read(given)?).await?)
            }
            Self::Settings => shown(&services.get_settings(caller).await?),
            Self::PutEventType => {
                let put = services.put_event_type(caller, id, input(given)?).await?;
                shown(&put.0)
            }
            Self::PutRetryPolicy => {
                let put = services.put_retry_policy(caller, id, input(given)?).await?;
                shown(&put.0)
            }
            Self::DeleteEventType => {
                services.delete_event_type(caller, id).await?;
                Ok(json!(true))
            }
            Self::DeleteRetryPolicy => {
                services.delete_retry_policy(caller, id).await?;
                Ok(json!(true))
            }
            Self::UpdateSettings => shown(&services.change_settings(caller, input(given)?).await?),
            Self::Sources => shown(&services.list_sources(caller, read(given)?).await?),
            Self::Source => shown(&services.get_source(caller, id).await?),
            Self::CreateSource => shown(&services.create_source(caller, input(given)?).await?),
            Self::UpdateSource => shown(&services.change_source(caller, id, input(given)?).await?),
            Self::DeleteSource => {
                services.delete_source(caller, id).await?;
                Ok(json!(true))
            }
            Self::ApiKeys => {
                caller.require(Scope::Admin)?;
                shown(&services.list_keys(caller, read(given)?).await?)
            }
            Self::AuditLog => {
                caller.require(Scope::Admin)?;
                shown(&services.list_audit(caller, read(given)?).await?)
            }
            Self::CreateApiKey => {
                caller.require(Scope::Admin)?;
                shown(&services.create_key(caller, input(given)?).await?)
            }
            Self::RevokeApiKey => {
                caller.require(Scope::Admin)?;
                services.revoke_key(caller, id).await?;
                Ok(json!(true))
            }
            Self::RetryDelivery => shown(&services.retry_delivery(caller, id, read(given)?).await?),
            Self::ReplayDeadLetter => {
                services.get_dead_letter(caller, id).await?;
                shown(&services.retry_delivery(caller, id, read(given)?).await?)
            }
            Self::CancelDelivery => shown(&services.cancel_delivery(caller, id).await?),
            Self::ResolveDeadLetter => shown(
                &services
                    .resolve_dead_letter(caller, id, read(given)?)
                    .await?,
            ),
            Self::DeleteDelivery => {
                services.delete_delivery(caller, id).await?;
                Ok(json!(true))
            }
            Self::DeleteDeadLetter => {
                services.delete_dead_letter(caller, id).await?;
                Ok(json!(true))
            }
            Self::Stats => shown(&services.stats(caller, read(given)?).await?),
            Self::Metrics => shown(&services.metrics(caller).await?),
            Self::CreateEndpoint => shown(&services.create_endpoint(caller, input(given)?).await?),
            Self::UpdateEndpoint => {
                shown(&services.change_endpoint(caller, id, input(given)?).await?)
            }
            Self::DeleteEndpoint => {
                services.delete_endpoint(caller, id).await?;
                Ok(json!(true))
            }
            Self::EnableEndpoint => change(services, caller, id, "active", true).await,
            Self::DisableEndpoint => change(services, caller, id, "active", false).await,
            Self::PauseEndpoint => change(services, caller, id, "paused", true).await,
            Self::ResumeEndpoint => change(services, caller, id, "paused", false).await,
        }
    }
}

async fn change<W: World>(
    services: &Management<W>,
    caller: &Caller,
    id: &str,
    field: &str,
    value: bool,
) -> Result<Value, Problem> {
    let draft = read(Map::from_iter([(field.to_owned(), json!(value))]))?;
    shown(&services.change_endpoint(caller, id, draft).await?)
}

//! What the document says of each call.

use hookpost_domain::endpoint::{DirectDraft, EndpointDraft, RotationDraft};
use hookpost_management::page::{Found, Page};
use hookpost_management::view::{
    CancelledView, CriteriaView, DeadLetterGroupsView, DeadLetterView, DeliveryView, DirectView,
    EndpointView, EventStatusView, EventSummary, EventView, HealthView, MatchView, MetricsView,
    PreviewView, StatsView, SubscriberHealthView, TestView,
};
use hookpost_management::{
    BacklogView, CriteriaQuery, DeadLetterGroupQuery, DeadLetterQuery, DeliveryQuery,
    EndpointQuery, EventQuery, HealthQuery, JobQuery, MatchInput, OpenBreaker, PreviewInput,
    ResolveOrder, RetryOrder, StatsQuery, StatusQuery, TestDraft, TicketView,
};
use schemars::generate::SchemaGenerator;
use schemars::{JsonSchema, Schema};
use serde_json::{Value, json};

use super::{access, catalogue, elsewhere, sources};
use crate::routes::{Elsewhere, Event, Key, Op, Operate, Statistics};

/// What an answer holds: its media type and shape.
pub(super) type Content = Option<(&'static str, Value)>;

/// What is said of a call.
pub(super) struct Described {
    pub(super) id: &'static str,
    pub(super) tag: &'static str,
    pub(super) summary: &'static str,
    pub(super) query: Option<Schema>,
    /// Parameters besides those.
    pub(super) parameters: Vec<Value>,
    pub(super) headers: &'static [(&'static str, &'static str)],
    pub(super) body: Option<Value>,
    /// Other media types that the body may be of, and their shapes.
    pub(super) other_bodies: Vec<(&'static str, Value)>,
    /// Whether the call may come without a body.
    pub(super) body_optional: bool,
    pub(super) answers: Vec<(u16, &'static str, Content)>,
    pub(super) problems: &'static [(u16, &'static str)],
}

/// A call with nothing but a name.
pub(super) fn call(id: &'static str, tag: &'static str, summary: &'static str) -> Described {
    Described {
        id,
        tag,
        summary,
        query: None,
        parameters: Vec::new(),
        headers: &[],
        body: None,
        other_bodies: Vec::new(),
        body_optional: false,
        answers: Vec::new(),
        problems: &[],
    }
}

impl Described {
    /// With parameters in the query.
    pub(super) fn query<T: JsonSchema>(mut self, shapes: &mut SchemaGenerator) -> Self {
        self.query = Some(shapes.subschema_for::<T>());
        self
    }

    /// With one more parameter in the query, of a few values.
    fn choice(mut self, name: &str, text: &str, values: &[&str]) -> Self {
        self.parameters.push(json!({
            "name": name,
            "in": "query",
            "description": text,
            "schema": { "type": "string", "enum": values },
        }));
        self
    }

    /// With a body.
    pub(super) fn body<T: JsonSchema>(mut self, shapes: &mut SchemaGenerator) -> Self {
        self.body = Some(shapes.subschema_for::<T>().to_value());
        self
    }

    /// With a body of a shape that another function reads.
    pub(super) fn body_of(mut self, shape: Value) -> Self {
        self.body = Some(shape);
        self
    }

    /// With a body of another media type, if the caller likes that better.
    pub(super) fn or_body(mut self, media: &'static str, shape: Value) -> Self {
        self.other_bodies.push((media, shape));
        self
    }

    /// The body may be left out.
    fn optional(mut self) -> Self {
        self.body_optional = true;
        self
    }

    /// With a header.
    pub(super) fn headers(mut self, headers: &'static [(&'static str, &'static str)]) -> Self {
        self.headers = headers;
        self
    }

    /// Answered with JSON.
    pub(super) fn json<T: JsonSchema>(self, status: u16, shapes: &mut SchemaGenerator) -> Self {
        let shape = shapes.subschema_for::<T>().to_value();
        self.answers(status, "Done", Some(("application/json", shape)))
    }

    /// Answered with this.
    pub(super) fn answers(mut self, status: u16, text: &'static str, content: Content) -> Self {
        self.answers.push((status, text, content));
        self
    }

    /// With problems that only some calls have.
    pub(super) fn problems(mut self, problems: &'static [(u16, &'static str)]) -> Self {
        self.problems = problems;
        self
    }
}

pub(super) const CONFLICT: &[(u16, &str)] = &[(
    409,
    "It is being changed by others, or cannot be as it stands",
)];

fn statistics(what: Statistics, shapes: &mut SchemaGenerator) -> Described {
    match what {
        Statistics::Stats => call(
            "stats",
            "statistics",
            "Sums over a time, and over each step of it",
        )
        .query::<StatsQuery>(shapes)
        .json::<StatsView>(200, shapes),
        Statistics::Criteria => call(
            "criteria",
            "statistics",
            "How well the goals of delivering are met",
        )
        .query::<CriteriaQuery>(shapes)
        .json::<CriteriaView>(200, shapes),
        Statistics::Backlog => call(
            "backlog",
            "statistics",
            "What waits after a failure, or behind a breaker or a pause, and since when",
        )
        .json::<BacklogView>(200, shapes),
        Statistics::Metrics => call(
            "metrics",
            "statistics",
            "What deliveries came to from the beginning, and how things are now",
        )
        .json::<MetricsView>(200, shapes),
        Statistics::Prometheus => call(
            "prometheus",
            "statistics",
            "The same in Prometheus's text format; also at /metrics",
        )
        .answers(
            200,
            "Done",
            Some(("text/plain", json!({ "type": "string" }))),
        ),
        Statistics::HealthOfAll => call(
            "healthOfAll",
            "statistics",
            "The health of all endpoints, newest first",
        )
        .query::<HealthQuery>(shapes)
        .json::<Page<SubscriberHealthView>>(200, shapes),
    }
}

/// What is said of what is done to an endpoint.
fn event(what: Event, shapes: &mut SchemaGenerator) -> Described {
    match what {
        Event::List => call("listEvents", "events", "Events, newest first")
            .query::<EventQuery>(shapes)
            .json::<Page<EventSummary>>(200, shapes),
        Event::Delete => call(
            "deleteEvent",
            "events",
            "Call off what has not been delivered yet of an event; the event stays",
        )
        .json::<CancelledView>(200, shapes),
        Event::Cancel => call(
            "cancelEvent",
            "events",
            "Call off what has not been delivered yet of an event",
        )
        .json::<CancelledView>(200, shapes),
        Event::Get => call(
            "getEvent",
            "events",
            "An event, and where its deliveries stand",
        )
        .json::<EventView>(200, shapes),
    }
}

fn operate(what: Operate, shapes: &mut SchemaGenerator) -> Described {
    match what {
        Operate::Enable => call("enableEndpoint", "endpoints", "Enable an endpoint")
            .json::<EndpointView>(200, shapes)
            .problems(CONFLICT),
        Operate::Disable => call(
            "disableEndpoint",
            "endpoints",
            "Disable an endpoint: its deliveries become dead letters, to be replayed later",
        )
        .json::<EndpointView>(200, shapes)
        .problems(CONFLICT),
        Operate::Pause => call(
            "pauseEndpoint",
            "endpoints",
            "Pause an endpoint: its deliveries wait",
        )
        .json::<EndpointView>(200, shapes)
        .problems(CONFLICT),
        Operate::Resume => call(
            "resumeEndpoint",
            "endpoints",
            "Resume a paused endpoint: what waits goes out",
        )
        .json::<EndpointView>(200, shapes)
        .problems(CONFLICT),
        Operate::Test => call(
            "testEndpoint",
            "endpoints",
            "Send a test event to this endpoint only",
        )
        .body::<TestDraft>(shapes)
        .optional()
        .json::<TestView>(202, shapes),
        Operate::OpenBreaker => call(
            "openBreaker",
            "endpoints",
            "Open the breaker: nothing goes out for a while",
        )
        .body::<OpenBreaker>(shapes)
        .optional()
        .json::<HealthView>(200, shapes)
        .problems(CONFLICT),
        Operate::CloseBreaker => call(
            "closeBreaker",
            "endpoints",
            "Close the breaker: what is held goes out",
        )
        .json::<HealthView>(200, shapes)
        .problems(CONFLICT),
    }
}

/// What is said of `op`.
#[expect(clippy::too_many_lines, reason = "an arm a call, and nothing else")]
pub(super) fn describe(op: Op, shapes: &mut SchemaGenerator) -> Described {
    match op {
        Op::Elsewhere(other) => elsewhere(other),
        Op::ListEndpoints => call("listEndpoints", "endpoints", "Endpoints, newest first")
            .query::<EndpointQuery>(shapes)
            .json::<Page<EndpointView>>(200, shapes),
        Op::CreateEndpoint => call(
            "createEndpoint",
            "endpoints",
            "Make an endpoint; its secret is shown once",
        )
        .body::<EndpointDraft>(shapes)
        .json::<EndpointView>(201, shapes),
        Op::GetEndpoint => {
            call("getEndpoint", "endpoints", "An endpoint").json::<EndpointView>(200, shapes)
        }
        Op::ChangeEndpoint => call(
            "changeEndpoint",
            "endpoints",
            "Change what the body names; null takes a setting back to its default",
        )
        .body::<EndpointDraft>(shapes)
        .json::<EndpointView>(200, shapes)
        .problems(CONFLICT),
        Op::DeleteEndpoint => call(
            "deleteEndpoint",
            "endpoints",
            "Delete an endpoint; its deliveries end cancelled",
        )
        .answers(204, "Deleted", None),
        Op::RotateSecret => call(
            "rotateSecret",
            "endpoints",
            "A new secret, which is shown once; the present one signs beside it for a while",
        )
        .body::<RotationDraft>(shapes)
        .json::<EndpointView>(200, shapes)
        .problems(CONFLICT),
        Op::EndpointHealth => call("endpointHealth", "endpoints", "An endpoint's breaker")
            .json::<HealthView>(200, shapes),
        Op::MatchEvent => call(
            "matchEvent",
            "endpoints",
            "Which endpoints an event would reach, and why; nothing is sent",
        )
        .body::<MatchInput>(shapes)
        .json::<MatchView>(200, shapes),
        Op::PreviewRequest => call(
            "previewRequest",
            "endpoints",
            "The request that an endpoint would get for an event; nothing is sent",
        )
        .body::<PreviewInput>(shapes)
        .json::<PreviewView>(200, shapes),
        Op::Operate(what) => operate(what, shapes),
        Op::Event(what) => event(what, shapes),
        Op::Catalogue(what) => catalogue::describe(what, shapes),
        Op::GetDelivery => call("getDelivery", "deliveries", "A delivery with every attempt")
            .json::<DeliveryView>(200, shapes),
        Op::ListDeliveries => call(
            "listDeliveries",
            "deliveries",
            "Deliveries, newest event first. Where there is no index a page may be short: go on while there is a `next`",
        )
        .query::<DeliveryQuery>(shapes)
        .json::<Found<DeliveryView>>(200, shapes),
        Op::PostDelivery => call(
            "postDelivery",
            "deliveries",
            "Send to a URL that is not registered: 202 once it is stored and queued",
        )
        .headers(elsewhere::KEY)
        .body::<DirectDraft>(shapes)
        .json::<DirectView>(202, shapes)
        .problems(&[(409, "The key was used for another delivery")]),
        Op::ExportDeliveries => call(
            "exportDeliveries",
            "deliveries",
            "Deliveries as CSV, or with `format=jsonl` as JSON lines, in parts: `Link` and `X-Next-After` lead to the next",
        )
        .query::<DeliveryQuery>(shapes)
        .choice("format", "`csv` unless given", &["csv", "jsonl"])
        .answers(
            200,
            "A part",
            Some(("text/csv; charset=utf-8", json!({ "type": "string" }))),
        )
        .answers(
            200,
            "A part",
            Some(("application/jsonl", json!({ "type": "string" }))),
        ),
        Op::RetryDelivery => call(
            "retryDelivery",
            "deliveries",
            "Send a delivery now; `force` also what was delivered or cancelled",
        )
        .body::<RetryOrder>(shapes)
        .optional()
        .json::<DeliveryView>(202, shapes)
        .problems(CONFLICT),
        Op::CancelDelivery => call("cancelDelivery", "deliveries", "Call a delivery off")
            .json::<DeliveryView>(200, shapes)
            .problems(CONFLICT),
        Op::DeleteDelivery => call(
            "deleteDelivery",
            "deliveries",
            "Forget a delivery that is over",
        )
        .answers(204, "Deleted", None)
        .problems(CONFLICT),
        Op::EventStatus => call(
            "eventStatus",
            "events",
            "Where an event stands, over all of its deliveries",
        )
        .query::<StatusQuery>(shapes)
        .json::<EventStatusView>(200, shapes),
        Op::ResolveDeadLetter => call(
            "resolveDeadLetter",
            "dead letters",
            "Mark a dead letter as dealt with",
        )
        .body::<ResolveOrder>(shapes)
        .optional()
        .json::<DeadLetterView>(200, shapes)
        .problems(CONFLICT),
        Op::DeleteDeadLetter => call("deleteDeadLetter", "dead letters", "Forget a dead letter")
            .answers(204, "Deleted", None)
            .problems(CONFLICT),
        Op::ListDeadLetters => call(
            "listDeadLetters",
            "dead letters",
            "What was given up, newest event first",
        )
        .query::<DeadLetterQuery>(shapes)
        .json::<Found<DeadLetterView>>(200, shapes),
        Op::GroupDeadLetters => call(
            "groupDeadLetters",
            "dead letters",
            "How many dead letters there are of each endpoint and failure, the most first. A call counts the newest 2,000 at most and says whether that was all",
        )
        .query::<DeadLetterGroupQuery>(shapes)
        .json::<DeadLetterGroupsView>(200, shapes),
        Op::GetDeadLetter => call("getDeadLetter", "dead letters", "A dead letter")
            .json::<DeadLetterView>(200, shapes),
        Op::GetReplay => call("getReplay", "replays", "How far a replay has got").answers(
            200,
            "Done",
            Some(("application/json", elsewhere::job())),
        ),
        Op::Statistics(what) => statistics(what, shapes),
        Op::Key(Key::List) => access::list_keys(shapes),
        Op::Key(Key::Create) => access::create_key(shapes),
        Op::Key(Key::Get) => access::get_key(shapes),
        Op::Key(Key::Revoke) => access::revoke_key(),
        Op::Key(Key::Token) => access::create_token(shapes),
        Op::Source(what) => sources::source(what, shapes),
        Op::ListAudit => access::list_audit(shapes),
        Op::WhoAmI => access::whoami(shapes),
        Op::Deployment => access::deployment(shapes),
        Op::LiveTicket => call(
            "createLiveTicket",
            "live",
            "Leave to watch attempts as they happen, over WebSocket; for a minute",
        )
        .json::<TicketView>(201, shapes),
        Op::ListJobs => call("listJobs", "jobs", "Jobs, newest first")
            .query::<JobQuery>(shapes)
            .answers(200, "Done", Some(("application/json", elsewhere::jobs()))),
        Op::GetJob => call("getJob", "jobs", "How far a job has got").answers(
            200,
            "Done",
            Some(("application/json", elsewhere::job())),
        ),
        Op::CancelJob => call(
            "cancelJob",
            "jobs",
            "Call a job off; what it has done stays done",
        )
        .answers(200, "Done", Some(("application/json", elsewhere::job())))
        .problems(CONFLICT),
        Op::Health => call("health", "system", "Whether it is up").answers(
            200,
            "It is",
            Some((
                "application/json",
                json!({
                    "type": "object",
                    "required": ["status", "version"],
                    "properties": { "status": { "const": "ok" }, "version": { "type": "string" } },
                }),
            )),
        ),
        Op::OpenApi => call("openapi", "system", "This document").answers(
            200,
            "The document",
            Some(("application/json", json!({ "type": "object" }))),
        ),
        Op::Docs => call("docs", "system", "This document, to be read").answers(
            200,
            "A page",
            Some(("text/html; charset=utf-8", json!({ "type": "string" }))),
        ),
    }
}

fn elsewhere(other: Elsewhere) -> Described {
    match other {
        Elsewhere::PostEvent => elsewhere::post_event(call(
            "postEvent",
            "events",
            "Post an event: 202 once it is stored and queued for every endpoint that it matches",
        )),
        Elsewhere::PostBatch => elsewhere::post_batch(call(
            "postEvents",
            "events",
            "Post up to 100 events, each answered for itself",
        )),
        Elsewhere::PostReplay => elsewhere::post_replay(call(
            "postReplay",
            "replays",
            "Replay the dead letters that a filter means, at a rate; `dry_run` counts only",
        )),
        Elsewhere::PostJob => elsewhere::post_job(call(
            "postJob",
            "jobs",
            "Retry, replay, cancel, resolve or delete what a filter means, at a rate; `dry_run` counts only",
        )),
        Elsewhere::ReplayOne => elsewhere::replay_one(call(
            "replayDeadLetter",
            "dead letters",
            "Replay a dead letter",
        )),
    }
}

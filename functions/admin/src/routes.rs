//! Every call of the API, in one table: the dispatcher, the documents and the tests go by it.

use hookpost_domain::access::Scope;

/// One call.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Route {
    pub(crate) method: &'static str,
    /// Its path; below `/api/v1` unless it is one of [`ROOT`].
    pub(crate) path: &'static str,
    pub(crate) access: Access,
    pub(crate) op: Op,
}

/// Who may make a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Access {
    /// Anybody: it tells nothing of any tenant.
    Open,
    /// Whoever has this scope.
    Needs(Scope),
}

/// What a call does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Op {
    /// Another function serves it: API Gateway brings it here only for another method.
    Elsewhere(Elsewhere),
    ListEndpoints,
    CreateEndpoint,
    GetEndpoint,
    ChangeEndpoint,
    DeleteEndpoint,
    RotateSecret,
    EndpointHealth,
    MatchEvent,
    PreviewRequest,
    /// Something is done to an endpoint without changing what it is like.
    Operate(Operate),
    Event(Event),
    Catalogue(Catalogue),
    GetDelivery,
    ListDeliveries,
    PostDelivery,
    ExportDeliveries,
    RetryDelivery,
    CancelDelivery,
    DeleteDelivery,
    EventStatus,
    ListDeadLetters,
    GroupDeadLetters,
    GetDeadLetter,
    ResolveDeadLetter,
    DeleteDeadLetter,
    GetReplay,
    Statistics(Statistics),
    Key(Key),
    Source(Source),
    ListAudit,
    WhoAmI,
    LiveTicket,
    Deployment,
    ListJobs,
    GetJob,
    CancelJob,
    Health,
    OpenApi,
    Docs,
}

impl Route {
    /// What it does, as the audit log calls it.
    pub(crate) fn action(&self) -> String {
        format!("{} {}", self.method, self.path)
    }

    /// Whether the audit log says of it that it was done: what changes something, and exports.
    pub(crate) fn is_audited(&self) -> bool {
        let changes = match self.access {
            Access::Needs(Scope::Manage | Scope::Admin) => self.method != "GET",
            Access::Needs(Scope::Publish | Scope::Read) | Access::Open => false,
        };
        changes || self.path.ends_with("/export")
    }
}

/// What is done to an endpoint without changing what it is like.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Operate {
    Enable,
    Disable,
    Pause,
    Resume,
    Test,
    OpenBreaker,
    CloseBreaker,
}

/// What is asked or done of events that were accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Event {
    List,
    Get,
    Cancel,
    Delete,
}

/// What is told of event types, and what holds for them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Catalogue {
    ListTypes,
    CreateType,
    ImportTypes,
    GetType,
    PutType,
    DeleteType,
    ListPolicies,
    GetPolicy,
    PutPolicy,
    DeletePolicy,
    GetSettings,
    ChangeSettings,
    Page,
    PublicPage,
}

/// What is done with what lets callers in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Key {
    List,
    Create,
    Get,
    Revoke,
    Token,
}

/// What is done with where webhooks come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Source {
    List,
    Create,
    Get,
    Change,
    Delete,
}

/// What another function does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Elsewhere {
    PostEvent,
    PostBatch,
    PostReplay,
    PostJob,
    ReplayOne,
}

/// What is told of what happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Statistics {
    Stats,
    Criteria,
    Backlog,
    Metrics,
    Prometheus,
    HealthOfAll,
}

const READ: Access = Access::Needs(Scope::Read);
const MANAGE: Access = Access::Needs(Scope::Manage);
const ADMIN: Access = Access::Needs(Scope::Admin);
const PUBLISH: Access = Access::Needs(Scope::Publish);

const fn route(method: &'static str, path: &'static str, access: Access, op: Op) -> Route {
    Route {
        method,
        path,
        access,
        op,
    }
}

/// The table.
#[rustfmt::skip]
pub(crate) const ROUTES: &[Route] = &[
    route("POST", "/events", PUBLISH, Op::Elsewhere(Elsewhere::PostEvent)),
    route("POST", "/events/batch", PUBLISH, Op::Elsewhere(Elsewhere::PostBatch)),
    route("GET", "/events", READ, Op::Event(Event::List)),
    route("GET", "/events/{id}", READ, Op::Event(Event::Get)),
    route("DELETE", "/events/{id}", MANAGE, Op::Event(Event::Delete)),
    route("POST", "/events/{id}/cancel", MANAGE, Op::Event(Event::Cancel)),

    route("GET", "/endpoints", READ, Op::ListEndpoints),
    route("POST", "/endpoints", MANAGE, Op::CreateEndpoint),
    route("GET", "/endpoints/health", READ, Op::Statistics(Statistics::HealthOfAll)),
    route("GET", "/endpoints/{id}", READ, Op::GetEndpoint),
    route("PATCH", "/endpoints/{id}", MANAGE, Op::ChangeEndpoint),
    route("PUT", "/endpoints/{id}", MANAGE, Op::ChangeEndpoint),
    route("DELETE", "/endpoints/{id}", MANAGE, Op::DeleteEndpoint),
    route("POST", "/endpoints/{id}/rotate-secret", MANAGE, Op::RotateSecret),
    route("GET", "/endpoints/{id}/health", READ, Op::EndpointHealth),
    route("POST", "/endpoints/match", READ, Op::MatchEvent),
    // A preview is signed: whoever sees it could send it.
    route("POST", "/endpoints/{id}/preview", MANAGE, Op::PreviewRequest),
    route("POST", "/endpoints/{id}/enable", MANAGE, Op::Operate(Operate::Enable)),
    route("POST", "/endpoints/{id}/disable", MANAGE, Op::Operate(Operate::Disable)),
    route("POST", "/endpoints/{id}/pause", MANAGE, Op::Operate(Operate::Pause)),
    route("POST", "/endpoints/{id}/resume", MANAGE, Op::Operate(Operate::Resume)),
    route("POST", "/endpoints/{id}/test", MANAGE, Op::Operate(Operate::Test)),
    route("POST", "/endpoints/{id}/breaker/open", MANAGE, Op::Operate(Operate::OpenBreaker)),
    route("POST", "/endpoints/{id}/breaker/close", MANAGE, Op::Operate(Operate::CloseBreaker)),

    route("GET", "/event-types", READ, Op::Catalogue(Catalogue::ListTypes)),
    route("POST", "/event-types", MANAGE, Op::Catalogue(Catalogue::CreateType)),
    route("PATCH", "/event-types", MANAGE, Op::Catalogue(Catalogue::ImportTypes)),
    route("GET", "/event-types/{name}", READ, Op::Catalogue(Catalogue::GetType)),
    route("PUT", "/event-types/{name}", MANAGE, Op::Catalogue(Catalogue::PutType)),
    route("DELETE", "/event-types/{name}", MANAGE, Op::Catalogue(Catalogue::DeleteType)),
    route("GET", "/retry-policies", READ, Op::Catalogue(Catalogue::ListPolicies)),
    route("GET", "/retry-policies/{policy}", READ, Op::Catalogue(Catalogue::GetPolicy)),
    route("PUT", "/retry-policies/{policy}", MANAGE, Op::Catalogue(Catalogue::PutPolicy)),
    route("DELETE", "/retry-policies/{policy}", MANAGE, Op::Catalogue(Catalogue::DeletePolicy)),
    route("GET", "/settings", READ, Op::Catalogue(Catalogue::GetSettings)),
    route("PATCH", "/settings", MANAGE, Op::Catalogue(Catalogue::ChangeSettings)),
    route("GET", "/catalogue", READ, Op::Catalogue(Catalogue::Page)),
    // Only of a tenant that has said so.
    route("GET", "/catalogue/{tenant}", Access::Open, Op::Catalogue(Catalogue::PublicPage)),

    route("GET", "/deliveries", READ, Op::ListDeliveries),
    route("POST", "/deliveries", PUBLISH, Op::PostDelivery),
    route("GET", "/deliveries/export", READ, Op::ExportDeliveries),
    route("GET", "/deliveries/{id}", READ, Op::GetDelivery),
    route("DELETE", "/deliveries/{id}", MANAGE, Op::DeleteDelivery),
    route("POST", "/deliveries/{id}/retry", MANAGE, Op::RetryDelivery),
    route("POST", "/deliveries/{id}/cancel", MANAGE, Op::CancelDelivery),
    route("GET", "/status", READ, Op::EventStatus),

    route("GET", "/dead-letters", READ, Op::ListDeadLetters),
    route("GET", "/dead-letters/groups", READ, Op::GroupDeadLetters),
    route("GET", "/dead-letters/{id}", READ, Op::GetDeadLetter),
    route("DELETE", "/dead-letters/{id}", MANAGE, Op::DeleteDeadLetter),
    route("POST", "/dead-letters/{id}/resolve", MANAGE, Op::ResolveDeadLetter),
    route("POST", "/dead-letters/{id}/replay", MANAGE, Op::Elsewhere(Elsewhere::ReplayOne)),

    route("POST", "/replays", MANAGE, Op::Elsewhere(Elsewhere::PostReplay)),
    route("GET", "/replays/{id}", READ, Op::GetReplay),

    route("GET", "/stats", READ, Op::Statistics(Statistics::Stats)),
    route("GET", "/stats/criteria", READ, Op::Statistics(Statistics::Criteria)),
    route("GET", "/stats/backlog", READ, Op::Statistics(Statistics::Backlog)),
    route("GET", "/metrics", READ, Op::Statistics(Statistics::Metrics)),
    route("GET", "/metrics/prometheus", READ, Op::Statistics(Statistics::Prometheus)),
    route("POST", "/jobs", MANAGE, Op::Elsewhere(Elsewhere::PostJob)),
    route("GET", "/jobs", READ, Op::ListJobs),
    route("GET", "/jobs/{id}", READ, Op::GetJob),
    route("POST", "/jobs/{id}/cancel", MANAGE, Op::CancelJob),

    route("GET", "/api-keys", ADMIN, Op::Key(Key::List)),
    route("POST", "/api-keys", ADMIN, Op::Key(Key::Create)),
    route("GET", "/api-keys/{id}", ADMIN, Op::Key(Key::Get)),
    route("DELETE", "/api-keys/{id}", ADMIN, Op::Key(Key::Revoke)),
    route("POST", "/tokens", MANAGE, Op::Key(Key::Token)),
    route("GET", "/audit", ADMIN, Op::ListAudit),
    route("GET", "/whoami", READ, Op::WhoAmI),
    route("POST", "/live/tickets", READ, Op::LiveTicket),
    route("GET", "/deployment", READ, Op::Deployment),

    route("GET", "/sources", READ, Op::Source(Source::List)),
    route("POST", "/sources", MANAGE, Op::Source(Source::Create)),
    route("GET", "/sources/{id}", READ, Op::Source(Source::Get)),
    route("PATCH", "/sources/{id}", MANAGE, Op::Source(Source::Change)),
    route("DELETE", "/sources/{id}", MANAGE, Op::Source(Source::Delete)),

    route("GET", "/health", Access::Open, Op::Health),
    route("GET", "/openapi.json", Access::Open, Op::OpenApi),
    route("GET", "/docs", Access::Open, Op::Docs),
];

/// The first segments of the paths that are at the root as well as below `/api/v1`.
pub(crate) const ROOT: &[&str] = &["health", "openapi.json", "docs", "metrics", "catalogue"];

/// The names that the documents this product was wished for in have for our paths: what begins
/// like the left side is read as if it began like the right one. The first that fits counts.
pub(crate) const ALIASES: &[(&str, &str)] = &[
    ("subscribers-health", "endpoints/health"),
    ("webhooks/status", "status"),
    ("webhooks", "endpoints"),
    ("subscribers", "endpoints"),
    ("dlq", "dead-letters"),
    ("dead_letters", "dead-letters"),
];

/// What a path and method lead to.
#[derive(Debug)]
pub(crate) enum Found<'a> {
    /// A call, and the parts of the path that its template leaves open, in order.
    Route(&'static Route, Vec<&'a str>),
    /// The path exists, but only for these methods.
    OtherMethods(String),
    /// Nothing is there.
    Nothing,
}

/// Finds the call that `method` and `path` mean. `HEAD` is `GET`.
pub(crate) fn find<'a>(method: &str, path: &'a str) -> Found<'a> {
    let method = if method == "HEAD" { "GET" } else { method };
    let below = path.strip_prefix("/api/v1");
    let segments: Vec<&str> = below
        .unwrap_or(path)
        .split('/')
        .filter(|segment| !segment.is_empty())
        .collect();
    // Prometheus asks at the root, where people expect its text.
    let segments = match (below, segments.as_slice()) {
        (None, ["metrics"]) => vec!["metrics", "prometheus"],
        _ => unaliased(segments),
    };
    let known_at_root = |first: &&str| ROOT.contains(first) || is_alias(path);
    if below.is_none() && !segments.first().is_some_and(known_at_root) {
        return Found::Nothing;
    }
    let fitting = ROUTES
        .iter()
        .filter_map(|route| Some((route, fit(route.path, &segments)?)));
    // `/deliveries/export` is no delivery's id: what leaves the least open is meant.
    let least = fitting.clone().map(|(_, open)| open.len()).min();
    let mut methods = Vec::new();
    for (route, open) in fitting.filter(|(_, open)| Some(open.len()) == least) {
        if route.method == method {
            return Found::Route(route, open);
        }
        methods.push(route.method);
    }
    if methods.is_empty() {
        return Found::Nothing;
    }
    Found::OtherMethods(methods.join(", "))
}

/// The parts that a template leaves open, if it fits. An event type's name may have slashes in it,
/// and API Gateway tells them as they are: it is all that follows, and its first part is told.
fn fit<'a>(template: &str, segments: &[&'a str]) -> Option<Vec<&'a str>> {
    let mut open = Vec::new();
    let mut wanted = template.split('/').filter(|part| !part.is_empty());
    for segment in segments {
        let part = wanted.next()?;
        if part == "{name}" {
            open.push(*segment);
            return Some(open);
        }
        if part.starts_with('{') {
            open.push(*segment);
        } else if part != *segment {
            return None;
        }
    }
    wanted.next().is_none().then_some(open)
}

fn unaliased(segments: Vec<&str>) -> Vec<&str> {
    for (alias, name) in ALIASES {
        let parts: Vec<&str> = alias.split('/').collect();
        if let Some(rest) = segments.strip_prefix(parts.as_slice()) {
            return name.split('/').chain(rest.iter().copied()).collect();
        }
    }
    segments
}

/// Whether a path that is not below `/api/v1` is one of the other names: the documents use some of
/// them at the root.
fn is_alias(path: &str) -> bool {
    let path = path.trim_start_matches('/');
    ALIASES.iter().any(|(alias, _)| {
        path.strip_prefix(alias)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    })
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    fn op(method: &str, path: &str) -> Option<Op> {
        match find(method, path) {
            Found::Route(route, _) => Some(route.op),
            Found::OtherMethods(_) | Found::Nothing => None,
        }
    }

    #[test]
    fn no_call_is_in_the_table_twice() {
        let mut seen = HashSet::new();
        for route in ROUTES {
            assert!(seen.insert((route.method, route.path)), "{route:?}");
        }
    }

    #[test]
    fn what_changes_something_is_audited_and_what_shows_something_is_not() {
        let audited = |method, path| match find(method, path) {
            Found::Route(route, _) => route.is_audited(),
            Found::OtherMethods(_) | Found::Nothing => panic!("{path} is not in the table"),
        };
        assert!(audited("POST", "/api/v1/endpoints"));
        assert!(audited("DELETE", "/api/v1/api-keys/x"));
        assert!(audited("POST", "/api/v1/tokens"));
        assert!(!audited("GET", "/api/v1/api-keys"));
        assert!(!audited("POST", "/api/v1/events"));
        for route in ROUTES {
            let changes = matches!(route.method, "PUT" | "PATCH" | "DELETE");
            assert!(!changes || route.is_audited(), "{route:?}");
        }
    }

    #[test]
    fn a_path_leads_to_its_call_under_each_of_its_names() {
        for path in [
            "/api/v1/endpoints/x",
            "/api/v1/webhooks/x",
            "/api/v1/subscribers/x/",
            "/webhooks/x",
        ] {
            assert_eq!(op("GET", path), Some(Op::GetEndpoint), "{path}");
        }
        assert_eq!(op("HEAD", "/api/v1/dlq"), Some(Op::ListDeadLetters));
        assert_eq!(op("GET", "/health"), Some(Op::Health));
        assert_eq!(
            op("GET", "/metrics"),
            Some(Op::Statistics(Statistics::Prometheus))
        );
        assert_eq!(
            op("GET", "/api/v1/metrics"),
            Some(Op::Statistics(Statistics::Metrics))
        );
        assert_eq!(
            op("GET", "/api/v1/subscribers-health"),
            Some(Op::Statistics(Statistics::HealthOfAll))
        );
        assert_eq!(op("GET", "/webhooks/status"), Some(Op::EventStatus));
        assert_eq!(
            op("GET", "/api/v1/deliveries/export"),
            Some(Op::ExportDeliveries)
        );
        assert_eq!(op("GET", "/endpoints"), None);
        assert_eq!(op("GET", "/webhooksx"), None);
        assert_eq!(op("GET", "/"), None);
    }

    #[test]
    fn open_parts_are_told_in_order_and_wrong_methods_by_the_right_ones() {
        let Found::Route(_, open) = find("GET", "/api/v1/endpoints/ep_1/health") else {
            panic!("it is in the table");
        };
        assert_eq!(open, ["ep_1"]);
        let Found::OtherMethods(allow) = find("POST", "/api/v1/endpoints/ep_1") else {
            panic!("it is there for others");
        };
        assert_eq!(allow, "GET, PATCH, PUT, DELETE");
        assert!(matches!(
            find("GET", "/api/v1/events/batch"),
            Found::OtherMethods(allow) if allow == "POST"
        ));
    }
}

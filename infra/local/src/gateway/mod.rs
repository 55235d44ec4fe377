//! API Gateway's HTTP API on one machine: the template's routes, CORS,
//! throttling and limits, and the errors that it answers by itself.

mod answer;
mod cors;
mod event;
mod routes;
mod throttle;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::request::Parts;
use http::{HeaderValue, Request, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::announce::Addresses;
use crate::clock;
use crate::console::Console;
use crate::http::{Answer, BodyError, Client, body, message};
use crate::lambda::{Host, Outcome, PAYLOAD_LIMIT, random_id};
use crate::template::{Api, Plan};
use event::Surroundings;
use routes::Routes;
use throttle::Throttles;

/// The longest body.
const BODY_LIMIT: usize = 10 * 1024 * 1024;

/// A path of the receiver that the API's address has too: one of the documents this product was
/// wished for in registers it there.
const TEST_WEBHOOK: &str = "/test/webhook";

/// How long a function may take to answer.
const TIMEOUT: Duration = Duration::from_secs(30);

/// The HTTP API. Clones share its buckets.
#[derive(Debug, Clone)]
pub struct Gateway {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    host: Host,
    routes: Routes,
    api: Api,
    throttles: Throttles,
    surroundings: Surroundings,
    receiver: SocketAddr,
    client: Client,
    console: Console,
}

impl Gateway {
    /// The API that the plan declares.
    pub fn new(plan: &Plan, account: &str, at: &Addresses, host: Host, console: Console) -> Self {
        let mut routes = Routes::default();
        for function in &plan.functions {
            for route in &function.routes {
                routes.add(&route.method, &route.path, &function.logical_id);
            }
        }
        let api = plan.api.clone().unwrap_or_default();
        let throttles = Throttles::new(&api, routes.keys());
        Self {
            shared: Arc::new(Shared {
                host,
                routes,
                throttles,
                api,
                surroundings: Surroundings {
                    account: account.to_owned(),
                    domain: at.api.to_string(),
                },
                receiver: at.receiver,
                client: crate::http::client(),
                console,
            }),
        }
    }

    /// Serves until `ending` turns true.
    pub async fn serve(self, listener: TcpListener, ending: watch::Receiver<bool>) {
        crate::http::serve(listener, ending, move |request, peer| {
            let gateway = self.clone();
            async move { gateway.handle(request, peer).await }
        })
        .await;
    }

    async fn handle(&self, request: Request<Incoming>, peer: SocketAddr) -> Answer {
        let (parts, incoming) = request.into_parts();
        if parts.uri.path() == TEST_WEBHOOK {
            return self.pass_on(parts, incoming).await;
        }
        let cors = self.shared.api.cors.as_ref();
        if let Some(answer) = cors.and_then(|c| cors::preflight(c, &parts.method, &parts.headers)) {
            return answer;
        }
        let request_id = random_id();
        let mut answer = match self.event(&parts, incoming, peer, &request_id).await {
            Ok((function, event)) => self.ask(&function, event).await,
            Err(answer) => answer,
        };
        let headers = answer.headers_mut();
        if let Ok(id) = HeaderValue::from_str(&request_id) {
            headers.insert("apigw-requestid", id);
        }
        if let Some(configured) = cors {
            cors::apply(configured, &parts.headers, headers);
        }
        answer
    }

    /// The function to ask and its event, or the gateway's own answer.
    async fn event(
        &self,
        parts: &Parts,
        incoming: Incoming,
        peer: SocketAddr,
        request_id: &str,
    ) -> Result<(String, Bytes), Answer> {
        let shared = &self.shared;
        let too_large = || message(StatusCode::PAYLOAD_TOO_LARGE, "Request Entity Too Large");
        let matched = shared
            .routes
            .find(parts.method.as_str(), parts.uri.path())
            .ok_or_else(|| message(StatusCode::NOT_FOUND, "Not Found"))?;
        if !shared
            .throttles
            .admits(matched.route_key, clock::monotonic())
        {
            return Err(message(StatusCode::TOO_MANY_REQUESTS, "Too Many Requests"));
        }
        let body = body(incoming, BODY_LIMIT)
            .await
            .map_err(|error| match error {
                BodyError::TooLong => too_large(),
                BodyError::Broken => message(StatusCode::BAD_REQUEST, "Bad Request"),
            })?;
        let event = event::build(
            parts,
            &body,
            &matched,
            peer,
            request_id,
            clock::wall(),
            &shared.surroundings,
        )
        .map_err(|_| answer::failure())?;
        if event.len() > PAYLOAD_LIMIT {
            return Err(too_large());
        }
        Ok((matched.function.to_owned(), event))
    }

    /// To the receiver, as it came.
    async fn pass_on(&self, mut parts: Parts, incoming: Incoming) -> Answer {
        let failed = || message(StatusCode::BAD_GATEWAY, "Bad Gateway");
        let Ok(body) = body(incoming, BODY_LIMIT).await else {
            return message(StatusCode::BAD_REQUEST, "Bad Request");
        };
        let Ok(uri) = format!("http://{}{TEST_WEBHOOK}", self.shared.receiver).parse() else {
            return failed();
        };
        parts.uri = uri;
        let request = Request::from_parts(parts, Full::new(body));
        match self.shared.client.request(request).await {
            Ok(answer) => message(answer.status(), "passed on to the receiver"),
            Err(_) => failed(),
        }
    }

    async fn ask(&self, function: &str, event: Bytes) -> Answer {
        let asked = self.shared.host.invoke(function, event);
        match tokio::time::timeout(TIMEOUT, asked).await {
            Ok(Outcome::Answered(answer)) => answer::of(&answer),
            Ok(Outcome::Failed(document)) => {
                let document = String::from_utf8_lossy(&document);
                self.shared
                    .console
                    .warn(&format!("{function} failed: {document}"));
                answer::failure()
            }
            Ok(Outcome::Unavailable(_)) => answer::failure(),
            Err(_) => message(StatusCode::SERVICE_UNAVAILABLE, "Service Unavailable"),
        }
    }
}

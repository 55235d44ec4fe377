//! Publishing.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::batch::{self, BatchAnswer};
use crate::exchange::{Answer, Http};
use crate::patience::{self, Patience};
use crate::world;
use crate::{Accepted, Event, Failure, FakeLog, Problem, PublishError, SetupError};

/// Publishes events. Cheap to clone; clones share their connections.
///
/// A call that gets no answer, or one that says "not now" (408, 425, 429, 5xx), is made again, with
/// waits that double and are left to chance by half, and no sooner than `Retry-After` says. All
/// calls for one event carry the same key, so that it is accepted once whatever got lost on the
/// way. [`Builder::give_up_after`] bounds the whole of it.
#[derive(Debug, Clone)]
pub struct Client(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    via: Via,
    patience: Patience,
}

#[derive(Debug)]
enum Via {
    Http(Http),
    Fake(FakeLog),
}

/// Makes a [`Client`] with other than the usual settings.
#[derive(Debug, Clone)]
#[must_use = "a client is made by `build`"]
pub struct Builder {
    url: String,
    key: String,
    tenant: Option<String>,
    http: Option<reqwest::Client>,
    patience: Patience,
}

impl Client {
    /// A client of the API at `url` (the stack's `ApiUrl`), with an API key. An empty key is none,
    /// as the local system needs it.
    ///
    /// # Errors
    /// The URL is not one, or not of HTTPS; the key cannot be one.
    pub fn new(url: &str, key: &str) -> Result<Self, SetupError> {
        Self::builder(url, key).build()
    }

    /// The same, to be set up further.
    pub fn builder(url: &str, key: &str) -> Builder {
        Builder {
            url: url.to_owned(),
            key: key.to_owned(),
            tenant: None,
            http: None,
            patience: Patience::default(),
        }
    }

    /// A client for tests, which sends nothing, and the log of what it would have sent.
    pub fn fake() -> (Self, FakeLog) {
        let log = FakeLog::default();
        let client = Self(Arc::new(Inner {
            via: Via::Fake(log.clone()),
            patience: Patience::default(),
        }));
        (client, log)
    }

    /// Publishes an event. Once this is `Ok` it is stored, and will be delivered or end as a dead
    /// letter for every endpoint that it matched.
    ///
    /// # Errors
    /// It was refused, or no answer came within the time.
    pub async fn publish(&self, event: &Event) -> Result<Accepted, PublishError> {
        let http = match &self.0.via {
            Via::Fake(log) => return log.publish(event),
            Via::Http(http) => http,
        };
        let body = serde_json::to_vec(&event.posted()).map_err(PublishError::Unreadable)?;
        let answer = self.call(http, "/api/v1/events", event.key(), body).await?;
        if !answer.status.is_success() {
            let problem = Problem::read(answer.status.as_u16(), &answer.body);
            return Err(PublishError::Refused(problem));
        }
        serde_json::from_slice(&answer.body).map_err(PublishError::Unreadable)
    }

    /// Publishes any number of events, in as few calls as they fit in. The answers are in the order
    /// of the events: each is accepted or refused by itself.
    ///
    /// # Errors
    /// No answer came within the time, which each of the calls has for itself. Some events may have
    /// been accepted: publish the same ones again, which are sent to nobody twice.
    pub async fn publish_batch(
        &self,
        events: &[Event],
    ) -> Result<Vec<Result<Accepted, Problem>>, PublishError> {
        let http = match &self.0.via {
            Via::Fake(log) => return log.publish_batch(events),
            Via::Http(http) => http,
        };
        let mut results = Vec::with_capacity(events.len());
        for call in batch::calls(events).map_err(PublishError::Unreadable)? {
            let answer = self
                .call(http, "/api/v1/events/batch", None, call.body)
                .await?;
            // All refused, each by itself, is 422.
            if let Ok(read) = serde_json::from_slice::<BatchAnswer>(&answer.body) {
                results.extend(read.results(call.events));
            } else {
                let problem = Problem::read(answer.status.as_u16(), &answer.body);
                if call.events > 1 || answer.status.is_success() {
                    return Err(PublishError::Refused(problem));
                }
                results.push(Err(problem));
            }
        }
        Ok(results)
    }

    /// Calls until there is an answer that stays the same.
    async fn call(
        &self,
        http: &Http,
        path: &str,
        key: Option<&str>,
        body: Vec<u8>,
    ) -> Result<Answer, PublishError> {
        let patience = &self.0.patience;
        let began = Instant::now();
        let mut attempts = 0;
        loop {
            attempts += 1;
            let timeout = patience.timeout(began.elapsed());
            let (last, asked) = match http.post(path, key, body.clone(), timeout).await {
                Ok(answer) if patience::is_transient(answer.status.as_u16()) => {
                    let problem = Problem::read(answer.status.as_u16(), &answer.body);
                    (Failure::Answered(problem), answer.retry_after)
                }
                Ok(answer) => return Ok(answer),
                Err(failure) => (failure, None),
            };
            let wait = patience.wait_after(attempts, asked, began.elapsed(), world::roll());
            let Some(wait) = wait else {
                return Err(PublishError::GaveUp { attempts, last });
            };
            tokio::time::sleep(wait).await;
        }
    }
}

impl Builder {
    /// For whose events: with a key that may speak for all tenants.
    pub fn tenant(mut self, tenant: &str) -> Self {
        self.tenant = Some(tenant.to_owned());
        self
    }

    /// How long a single call may take; 10 s unless it is set.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.patience.timeout = timeout;
        self
    }

    /// How long it is tried in all; 30 s unless it is set. Zero means once.
    pub fn give_up_after(mut self, time: Duration) -> Self {
        self.patience.give_up_after = time;
        self
    }

    /// The wait before the second call, doubled before each further one up to `longest`; 100 ms
    /// and 5 s unless they are set.
    pub fn backoff(mut self, first: Duration, longest: Duration) -> Self {
        self.patience.first_wait = first;
        self.patience.longest_wait = longest;
        self
    }

    /// An HTTP client of your own: for a proxy, another certificate authority, a client
    /// certificate. It should follow no redirects.
    pub fn http_client(mut self, client: reqwest::Client) -> Self {
        self.http = Some(client);
        self
    }

    /// The client.
    ///
    /// # Errors
    /// The URL is not one, or not of HTTPS; the key or the tenant cannot be one.
    pub fn build(self) -> Result<Client, SetupError> {
        let http = Http::new(self.http, &self.url, &self.key, self.tenant.as_deref())?;
        Ok(Client(Arc::new(Inner {
            via: Via::Http(http),
            patience: self.patience,
        })))
    }
}

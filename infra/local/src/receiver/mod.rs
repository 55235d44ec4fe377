//! A receiver of webhooks to send to: it plays the endpoints that a sender
//! meets in the field, checks signatures, and shows what it got.
//!
//! Every request is recorded before it is answered, with the verdict on its
//! signatures. Memory is bounded however much comes: the last requests are
//! kept by number and by bytes, counts by path have limits. `/success` stays
//! cheap enough to be the far end of a load test.
//!
//! | path | answer |
//! | --- | --- |
//! | `/success` | 200 |
//! | `/fail` | 500 |
//! | `/slow?ms=20000` | 200, that much later |
//! | `/flaky?fail=2` | 500 for the first so many requests with a `webhook-id`, then 200 |
//! | `/gone` | 410 |
//! | `/throttle?times=1&after=2` | 429 with `Retry-After` (seconds, `after=date&in=2`, or any text) for the first so many requests with a `webhook-id`, then 200 |
//! | `/status/{code}?after=` | that status, with a `Retry-After` if asked for |
//! | `/redirect?to=` | 302, to `/success` |
//! | `/big?bytes=10485760` | 200 with so long a body |
//! | `/drip?ms=100` | 200 with a body that never ends, a byte at a time |
//! | `/hang` | none |
//! | `/reset` | half a one, then the connection is closed |
//! | `/switch/{name}` | 200, or what `PUT /_control/switch/{name} {"status":500}` has set |
//!
//! Each path takes a name behind it: `/success/alice`; `/webhook/success` and so on are the same,
//! and `/test/webhook` is `/success`. To look and to steer:
//!
//! | call | |
//! | --- | --- |
//! | `GET /` | the last requests, for people |
//! | `GET /_requests?path=&webhook_id=&since=&limit=` | the same, as JSON |
//! | `DELETE /_requests?path=` | forgets requests and counts |
//! | `GET /_counts?prefix=` | counts per path |
//! | `PUT /_control/secrets {"/success/alice":"whsec_.."}` | the secrets to check signatures with: one, a list while rotating, or null |
//! | `PUT /_control/switch/{name} {"status":500}` | sets a switch |
//! | `PUT /_control/settings {"record":false,"measure":true}` | turns the recording of requests off, the measuring of `data.sent_at_us` on |

mod behaviour;
mod control;
mod page;
mod record;
mod signature;
mod tally;
#[cfg(test)]
mod tests;
mod webhook;

use std::collections::HashMap;
use std::future::{Future, IntoFuture};
use std::io;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, RwLock};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::routing::{get, put};
use axum::serve::ListenerExt;
use http::StatusCode;
use tokio::net::TcpListener;
use tokio::sync::watch;

use self::record::Record;
use self::signature::Secrets;
use self::tally::{Repeats, Tallies};

/// How long requests under way may go on once the receiver is told to stop.
const STOPPING: Duration = Duration::from_millis(250);

/// What a receiver is made with.
#[derive(Debug, Clone, Copy)]
pub struct Settings {
    /// Whether requests are recorded at all; counts are kept in any case.
    pub record: bool,
    /// Whether the way from a payload's `sent_at_us` to here is measured.
    pub measure: bool,
    /// How many requests are kept.
    pub max_requests: usize,
    /// How many bytes the kept requests may take.
    pub max_bytes: usize,
    /// The longest request body that is taken.
    pub max_body_bytes: usize,
    /// The time of day.
    pub now: fn() -> SystemTime,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            record: true,
            measure: false,
            max_requests: 20_000,
            max_bytes: 64 * 1024 * 1024,
            max_body_bytes: 4 * 1024 * 1024,
            now: crate::clock::wall,
        }
    }
}

/// The receiver's state: a handle, cheap to clone.
#[derive(Clone)]
pub struct Receiver(Arc<State>);

struct State {
    settings: Settings,
    recording: AtomicBool,
    measuring: AtomicBool,
    record: Record,
    tallies: Tallies,
    repeats: Repeats,
    secrets: Secrets,
    switches: RwLock<HashMap<String, StatusCode>>,
}

impl std::fmt::Debug for Receiver {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Receiver")
            .field("settings", &self.0.settings)
            .finish_non_exhaustive()
    }
}

impl Default for Receiver {
    fn default() -> Self {
        Self::new(Settings::default())
    }
}

impl Receiver {
    /// A receiver that has got nothing yet.
    pub fn new(settings: Settings) -> Self {
        Self(Arc::new(State {
            settings,
            recording: settings.record.into(),
            measuring: settings.measure.into(),
            record: Record::new(settings.max_requests, settings.max_bytes),
            tallies: Tallies::default(),
            repeats: Repeats::default(),
            secrets: Secrets::default(),
            switches: RwLock::default(),
        }))
    }

    /// The receiver as a service, for a server of one's own.
    pub fn router(self) -> Router {
        let max_body_bytes = self.0.settings.max_body_bytes;
        Router::new()
            .route("/", get(page::show))
            .route("/_page.js", get(page::script))
            .route("/_requests", get(control::requests).delete(control::clear))
            .route("/_counts", get(control::counts))
            .route("/_control/secrets", put(control::put_secrets))
            .route(
                "/_control/switch/{name}",
                put(control::put_switch).get(control::switch),
            )
            .route("/_control/settings", put(control::put_settings))
            .fallback(webhook::receive)
            .layer(DefaultBodyLimit::max(max_body_bytes))
            .with_state(self)
    }

    fn now_us(&self) -> u64 {
        let since = (self.0.settings.now)()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        u64::try_from(since.as_micros()).unwrap_or(u64::MAX)
    }
}

/// Serves until `shutdown` resolves; what is under way then has a moment to end.
///
/// Fails where the listener does.
pub async fn serve(
    listener: TcpListener,
    receiver: Receiver,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    serve_router(listener, receiver.router(), shutdown).await
}

/// The same, of a receiver with something before it.
///
/// Fails where the listener does.
pub async fn serve_router(
    listener: TcpListener,
    router: Router,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    let (stop, mut stopped) = watch::channel(false);
    let listener = listener.tap_io(|connection| {
        // Without it the last packet of an answer can wait 40 ms for an acknowledgement.
        let _unsupported = connection.set_nodelay(true);
    });
    let server = axum::serve(listener, router)
        .with_graceful_shutdown(async move {
            shutdown.await;
            stop.send_replace(true);
        })
        .into_future();
    // What hangs on purpose would keep a graceful shutdown waiting for ever.
    let patience = async {
        if stopped.wait_for(|stopped| *stopped).await.is_err() {
            std::future::pending::<()>().await;
        }
        tokio::time::sleep(STOPPING).await;
    };
    tokio::select! {
        ended = server => ended,
        () = patience => Ok(()),
    }
}

//! The demonstration: events go out to four endpoints on the receiver, and the
//! terminal tells what becomes of each delivery, line by line as it happens.
//!
//! It is a client like any other: it knows the public HTTP API and the
//! receiver's control calls, and nothing else. It ends well only where every
//! delivery ended as the play says and every signature was verified, so it is
//! also a test of the whole system.

mod api;
mod play;
mod print;
mod story;
#[cfg(test)]
mod tests;

use std::io::Write;
use std::time::{Duration, SystemTime};

use serde_json::json;
use tokio::time::Instant;
use url::Url;

use self::api::{Api, Status};
use self::play::{EVENTS, Endpoint, REPAIRED, cast};
use self::print::{Printer, Tone};
use self::story::{Followed, News};
use crate::client::{Client, with_path};

pub use crate::client::CallError;

const LOOK_EVERY: Duration = Duration::from_millis(50);
/// The play takes about ten seconds: the flaky endpoint's two waits.
const PATIENCE: Duration = Duration::from_secs(90);

/// Why a demonstration did not end well.
#[derive(Debug, thiserror::Error)]
pub enum DemoError {
    /// A call failed.
    #[error(transparent)]
    Call(#[from] CallError),
    /// An event was accepted, but not for an endpoint that had asked for it.
    #[error("{event_type} was accepted without a delivery to {endpoint}")]
    Unmatched {
        /// The event's type.
        event_type: &'static str,
        /// The endpoint's name.
        endpoint: &'static str,
    },
    /// Deliveries were neither delivered nor dead after a long while.
    #[error("still not delivered and not dead: {}", .0.join(", "))]
    Unfinished(Vec<String>),
    /// A delivery ended otherwise than it has to.
    #[error("{delivery} ended {ended}")]
    WrongEnd {
        /// The delivery.
        delivery: String,
        /// Its status.
        ended: String,
    },
    /// The receiver could not verify every request's signatures.
    #[error("the receiver verified the signatures of {verified} requests out of {requests}")]
    Unsigned {
        /// How many it verified.
        verified: u64,
        /// How many came.
        requests: u64,
    },
    /// The terminal is gone.
    #[error("the story cannot be printed: {0}")]
    Print(#[from] std::io::Error),
}

/// Plays the demonstration against a running system and its receiver.
///
/// `colour` is for terminals. Fails where anything went otherwise than played.
pub async fn run(
    api_base: &Url,
    receiver_base: &Url,
    colour: bool,
    out: &mut (impl Write + Send),
) -> Result<(), DemoError> {
    let client = Client::new();
    let mut demo = Demo {
        api: Api::new(&client, api_base),
        receiver: Receiver {
            client: &client,
            base: receiver_base,
        },
        print: Printer::new(out, colour),
        endpoints: cast(&run_name(crate::clock::wall())),
    };
    demo.play().await
}

/// A name that earlier runs' endpoints do not share, so that none of their requests count here.
fn run_name(now: SystemTime) -> String {
    format!("demo-{:x}", crate::clock::epoch_ms(now) & 0xff_ffff)
}

struct Demo<'a, W> {
    api: Api<'a>,
    receiver: Receiver<'a>,
    print: Printer<'a, W>,
    endpoints: Vec<Endpoint>,
}

impl<W: Write + Send> Demo<'_, W> {
    async fn play(&mut self) -> Result<(), DemoError> {
        self.register().await?;
        let begun = Instant::now();
        let mut deliveries = self.fire(begun).await?;
        self.print.heading("What becomes of them")?;
        self.follow(&mut deliveries, begun).await?;
        self.repair_and_replay(&mut deliveries, begun).await?;
        self.sum_up(&deliveries).await
    }

    async fn register(&mut self) -> Result<(), DemoError> {
        self.api.remove_earlier_endpoints().await?;
        self.print
            .heading(&format!("Four endpoints on {}", self.receiver.base))?;
        self.receiver.switch(&self.endpoints).await?;
        for endpoint in &mut self.endpoints {
            let url = with_path(self.receiver.base, &endpoint.path, endpoint.query);
            let created = self.api.create_endpoint(endpoint, &url).await?;
            endpoint.id = created.id;
            self.receiver
                .secret(&endpoint.path, &created.secret)
                .await?;
            self.print.endpoint(endpoint)?;
        }
        Ok(())
    }

    async fn fire(&mut self, begun: Instant) -> Result<Vec<Followed>, DemoError> {
        self.print.heading("Three events")?;
        let mut deliveries = Vec::new();
        for event in EVENTS {
            let accepted = self.api.post_event(event).await?;
            let of_ours = |endpoint: &Endpoint| {
                let mut sent = accepted.deliveries.iter();
                sent.find(|delivery| delivery.endpoint_id == endpoint.id)
            };
            let before = deliveries.len();
            for endpoint in &self.endpoints {
                match of_ours(endpoint) {
                    Some(delivery) => {
                        deliveries.push(Followed::new(&delivery.id, endpoint, event.event_type));
                    }
                    None if endpoint.asks_for(event.event_type) => {
                        return Err(DemoError::Unmatched {
                            event_type: event.event_type,
                            endpoint: endpoint.name,
                        });
                    }
                    None => {}
                }
            }
            let count = deliveries.len() - before;
            self.print
                .event(begun.elapsed(), event.event_type, &accepted.id, count)?;
        }
        Ok(deliveries)
    }

    /// Tells what happens to the deliveries until each has ended.
    async fn follow(
        &mut self,
        deliveries: &mut [Followed],
        begun: Instant,
    ) -> Result<(), DemoError> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            for delivery in deliveries
                .iter_mut()
                .filter(|delivery| !delivery.has_ended())
            {
                let seen = self.api.delivery(&delivery.id).await?;
                for news in delivery.look(&seen, crate::clock::wall()) {
                    self.print.news(begun.elapsed(), delivery, &news)?;
                }
            }
            if deliveries.iter().all(Followed::has_ended) {
                return Ok(());
            }
            if Instant::now() > deadline {
                let open = deliveries.iter().filter(|delivery| !delivery.has_ended());
                return Err(DemoError::Unfinished(
                    open.map(ToString::to_string).collect(),
                ));
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    async fn repair_and_replay(
        &mut self,
        deliveries: &mut [Followed],
        begun: Instant,
    ) -> Result<(), DemoError> {
        self.print
            .heading(&format!("{REPAIRED} is repaired, its dead letter replayed"))?;
        for endpoint in &mut self.endpoints {
            if endpoint.name == REPAIRED {
                endpoint.switch = Some(200);
            }
        }
        self.receiver.switch(&self.endpoints).await?;
        for delivery in deliveries.iter_mut() {
            if delivery.endpoint == REPAIRED && delivery.ended() == Some(Status::Dead) {
                delivery.replay();
                self.api.replay(&delivery.id).await?;
                self.print
                    .news(begun.elapsed(), delivery, &News::Replayed)?;
            }
        }
        self.follow(deliveries, begun).await
    }

    async fn sum_up(&mut self, deliveries: &[Followed]) -> Result<(), DemoError> {
        self.print.heading("In the end")?;
        self.print.summary_head()?;
        let (mut verified, mut requests) = (0, 0);
        for endpoint in &self.endpoints {
            let counts = self.receiver.counts(&endpoint.path).await?;
            verified += counts.verified;
            requests += counts.requests;
            self.print.summary(endpoint, deliveries, &counts)?;
        }
        let tone = if verified == requests {
            Tone::Good
        } else {
            Tone::Bad
        };
        self.print.line(
            tone,
            &format!("\nsignatures verified: {verified} of {requests}"),
        )?;
        for delivery in deliveries {
            let right = self.endpoints.iter().any(|endpoint| {
                endpoint.id == delivery.endpoint_id && delivery.ended() == Some(endpoint.ends)
            });
            if !right {
                return Err(DemoError::WrongEnd {
                    delivery: delivery.to_string(),
                    ended: delivery
                        .ended()
                        .map_or("open".into(), |status| status.to_string()),
                });
            }
        }
        if verified < requests || requests == 0 {
            return Err(DemoError::Unsigned { verified, requests });
        }
        Ok(())
    }
}

/// The receiver's control calls.
struct Receiver<'a> {
    client: &'a Client,
    base: &'a Url,
}

/// What the receiver counted on a path.
#[derive(Debug, Default)]
struct Counts {
    requests: u64,
    verified: u64,
}

impl Receiver<'_> {
    async fn secret(&self, path: &str, secret: &str) -> Result<(), CallError> {
        let url = with_path(self.base, "/_control/secrets", None);
        self.client.put(url, &json!({ path: secret })).await
    }

    async fn switch(&self, endpoints: &[Endpoint]) -> Result<(), CallError> {
        for endpoint in endpoints {
            if let (Some(status), Some(name)) =
                (endpoint.switch, endpoint.path.strip_prefix("/switch/"))
            {
                let url = with_path(self.base, &format!("/_control/switch/{name}"), None);
                self.client.put(url, &json!({ "status": status })).await?;
            }
        }
        Ok(())
    }

    async fn counts(&self, path: &str) -> Result<Counts, CallError> {
        let mut url = with_path(self.base, "/_counts", None);
        url.query_pairs_mut().append_pair("prefix", path);
        let answer: serde_json::Value = self.client.get(url).await?;
        let number = |name: &str| {
            let total = answer.pointer("/total").and_then(|total| total.get(name));
            total
                .and_then(serde_json::Value::as_u64)
                .unwrap_or_default()
        };
        Ok(Counts {
            requests: number("requests"),
            verified: number("verified"),
        })
    }
}

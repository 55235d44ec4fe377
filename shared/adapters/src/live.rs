//! The ways of the live feed: from delivery to the live function (Lambda's asynchronous Invoke),
//! and from there to the connections (API Gateway's `@connections`).
//!
//! Two calls, written out like those of [`crate::aws_json`] and for the same reason. Each is made
//! once: what is shown a little later is worth nothing. None lasts longer than [`WITHIN`].

use std::time::Duration;

use aws_config::SdkConfig;
use hookpost_domain::live::{ConnectionId, Handover};
use hookpost_domain::ports::{self, Error, Sent};
use http_body_util::{BodyExt, Limited};
use serde::Serialize;
use tokio::sync::OnceCell;

use crate::Config;
use crate::aws::{HyperClient, hyper_client};
use crate::aws_json::CallError;
use crate::aws_signed;
use crate::queue::Queues;

/// How long one call may take.
const WITHIN: Duration = Duration::from_secs(2);
/// More than any answer of these two.
const MAX_ANSWER_BYTES: usize = 64 * 1024;

/// A service that takes a POST and says little.
#[derive(Debug)]
struct Postbox {
    sdk: SdkConfig,
    name: &'static str,
    /// Made when it is first needed: most processes never call.
    client: OnceCell<HyperClient>,
}

impl Postbox {
    fn new(sdk: &SdkConfig, name: &'static str) -> Self {
        Self {
            sdk: sdk.clone(),
            name,
            client: OnceCell::new(),
        }
    }

    /// The status that a POST is answered with.
    async fn post(
        &self,
        url: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Result<u16, CallError> {
        let exchange = async {
            let request = aws_signed::post(&self.sdk, self.name, url, headers, body).await?;
            let made = || async { hyper_client().map_err(CallError::not_made) };
            let client = self.client.get_or_try_init(made).await?;
            let answer = client.request(request).await;
            let answer = answer.map_err(CallError::no_answer)?;
            let status = answer.status().as_u16();
            // Read to its end, so that the connection can be used again.
            let body = Limited::new(answer.into_body(), MAX_ANSWER_BYTES);
            body.collect().await.map_err(CallError::NoAnswer)?;
            Ok(status)
        };
        match tokio::time::timeout(WITHIN, exchange).await {
            Ok(outcome) => outcome,
            Err(elapsed) => Err(CallError::no_answer(elapsed)),
        }
    }
}

fn failed(call: &'static str, error: CallError) -> Error {
    Error {
        call,
        source: error.into(),
    }
}

fn refused(call: &'static str, status: u16) -> Error {
    let refusal = CallError::Refused {
        status,
        code: String::new(),
        message: String::new(),
    };
    failed(call, refusal)
}

/// The function that shows attempts.
#[derive(Debug)]
pub(crate) struct Stage {
    lambda: Postbox,
    url: String,
}

impl Stage {
    /// The one that `config` names.
    pub(crate) fn new(sdk: &SdkConfig, config: &Config) -> Option<Self> {
        let function = config.live_function.as_deref()?;
        let region = aws_signed::region(sdk).ok()?;
        let endpoint = aws_signed::endpoint(sdk, "lambda", "Lambda", region);
        let endpoint = endpoint.trim_end_matches('/');
        Some(Self {
            lambda: Postbox::new(sdk, "lambda"),
            url: format!("{endpoint}/2015-03-31/functions/{function}/invocations"),
        })
    }
}

/// What the live function is invoked with.
#[derive(Serialize)]
struct Show<'a> {
    show: &'a Handover,
}

impl ports::Feed for Queues {
    async fn hand_over(&self, handover: &Handover) -> Result<(), Error> {
        const CALL: &str = "Invoke live";
        let Some(stage) = &self.stage else {
            return Ok(());
        };
        let headers = [
            ("content-type", "application/json"),
            ("x-amz-invocation-type", "Event"),
        ];
        let body = serde_json::to_vec(&Show { show: handover }).unwrap_or_default();
        let posted = stage.lambda.post(&stage.url, &headers, &body).await;
        match posted.map_err(|error| failed(CALL, error))? {
            202 => Ok(()),
            status => Err(refused(CALL, status)),
        }
    }
}

/// The connections of a WebSocket API.
#[derive(Debug)]
pub struct Sockets {
    api: Postbox,
    /// The stage's address, for calls.
    url: String,
}

impl Sockets {
    /// Those of the API at `LIVE_URL`; `None` without one.
    pub fn new(sdk: &SdkConfig, config: &Config) -> Option<Self> {
        // `ws://` becomes `http://`, and `wss://` `https://`.
        let rest = config.live_url.as_deref()?.strip_prefix("ws")?;
        Some(Self {
            api: Postbox::new(sdk, "execute-api"),
            url: format!("http{}", rest.trim_end_matches('/')),
        })
    }
}

impl ports::Connections for Sockets {
    async fn send_text(&self, connection: &ConnectionId, text: &str) -> Result<Sent, Error> {
        const CALL: &str = "PostToConnection";
        // What an id has besides letters and digits.
        let id = connection.as_str().replace('=', "%3D");
        let url = format!("{}/%40connections/{id}", self.url);
        let headers = [("content-type", "application/json")];
        let posted = self.api.post(&url, &headers, text.as_bytes()).await;
        match posted.map_err(|error| failed(CALL, error))? {
            200..=299 => Ok(Sent::Taken),
            410 => Ok(Sent::Gone),
            status => Err(refused(CALL, status)),
        }
    }
}

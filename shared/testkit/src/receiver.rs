//! An endpoint that answers by script.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use hookpost_domain::delivery::{AttemptResult, FailureKind};
use hookpost_domain::ports::{Answer, Transport};
use hookpost_domain::request::SignedRequest;
use hookpost_domain::target::TargetUrl;

use crate::lock;

#[derive(Debug, Default)]
struct State {
    script: Vec<u16>,
    got: Vec<String>,
}

/// Answers with the statuses of its script, one a request, and the last one from then on.
#[derive(Debug, Clone, Default)]
pub struct Receiver {
    state: Arc<Mutex<State>>,
}

impl Receiver {
    /// A receiver with this script; 200 if it is empty.
    pub fn scripted(script: &[u16]) -> Self {
        let receiver = Self::default();
        lock(&receiver.state).script = script.to_vec();
        receiver
    }

    /// The `webhook-id` of each request that came.
    pub fn got(&self) -> Vec<String> {
        lock(&self.state).got.clone()
    }
}

impl Transport for Receiver {
    async fn post(
        &self,
        _url: &TargetUrl,
        request: SignedRequest,
        _timeout: Duration,
        _with_body: bool,
    ) -> Answer {
        let mut state = lock(&self.state);
        let nth = state.got.len();
        let id = request
            .headers
            .into_iter()
            .find(|(name, _)| name == "webhook-id");
        state
            .got
            .push(id.map(|(_, value)| value).unwrap_or_default());
        let status = state
            .script
            .get(nth)
            .or(state.script.last())
            .copied()
            .unwrap_or(200);
        let result = if (200..300).contains(&status) {
            AttemptResult::Accepted(status)
        } else {
            AttemptResult::Failed {
                kind: FailureKind::Http(status),
                detail: "scripted".to_owned(),
                response: String::new(),
            }
        };
        Answer {
            result,
            retry_after: None,
            body: Vec::new(),
        }
    }
}

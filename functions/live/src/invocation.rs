//! What the function is invoked with, and what it says to that.

use std::collections::HashMap;

use hookpost_domain::live::{Handover, LiveFilter};
use serde::{Deserialize, Serialize};

/// What delivery hands over, or something that came over the WebSocket API.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub enum Invocation {
    /// Attempts to show.
    Show {
        /// They.
        show: Handover,
    },
    /// A connection, or a message over one.
    Socket(Box<SocketEvent>),
}

/// API Gateway's event for a WebSocket route, as far as it matters here.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SocketEvent {
    pub(crate) request_context: Context,
    #[serde(default)]
    pub(crate) query_string_parameters: Option<HashMap<String, String>>,
    #[serde(default)]
    pub(crate) body: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Context {
    pub(crate) route_key: String,
    pub(crate) connection_id: String,
    #[serde(default)]
    pub(crate) identity: Identity,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Identity {
    #[serde(default)]
    pub(crate) source_ip: Option<String>,
}

/// What a client says.
#[derive(Debug, Deserialize)]
#[serde(tag = "action", rename_all = "lowercase")]
pub(crate) enum Said {
    /// To be shown what passes the filter, from now on or still.
    Watch {
        ticket: String,
        #[serde(default)]
        filter: LiveFilter,
    },
    /// To be shown nothing more.
    Unwatch { ticket: String },
    /// Nothing, so that the connection is not idle.
    Ping,
}

/// What a client is told.
#[derive(Debug, Serialize)]
#[serde(tag = "type", rename_all = "lowercase")]
pub(crate) enum Told {
    /// It is shown attempts from now on.
    Watching {
        /// For how long, unless it says so again with a fresh ticket.
        for_seconds: u64,
        /// When it had better say so.
        renew_in_seconds: u64,
    },
    /// It is not.
    Unwatched,
    /// Nothing.
    Pong,
    /// What it said comes to nothing.
    Refused {
        /// `ticket`, `full`, `message` or `unavailable`.
        reason: &'static str,
        /// In words.
        detail: String,
    },
}

/// The answer.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub enum Outcome {
    /// How much was shown.
    #[serde(rename_all = "camelCase")]
    Shown {
        /// To how many connections.
        shown: usize,
    },
    /// To API Gateway.
    #[serde(rename_all = "camelCase")]
    Answered {
        /// 200 lets a connection in.
        status_code: u16,
        /// What the client is told, as JSON.
        #[serde(skip_serializing_if = "Option::is_none")]
        body: Option<String>,
    },
}

impl Outcome {
    pub(crate) const fn status(status_code: u16) -> Self {
        Self::Answered {
            status_code,
            body: None,
        }
    }

    pub(crate) fn told(told: &Told) -> Self {
        Self::Answered {
            status_code: 200,
            body: serde_json::to_string(told).ok(),
        }
    }
}

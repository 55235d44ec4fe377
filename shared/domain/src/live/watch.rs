//! Who watches a tenant.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::{LiveFilter, WATCH_LIFETIME};
use crate::{Invalid, Timestamp};

/// Most watchers of a tenant at once.
pub const MAX_WATCHERS: usize = 20;

/// What API Gateway calls a connection.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ConnectionId(String);

impl ConnectionId {
    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ConnectionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for ConnectionId {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'=');
        if text.is_empty() || text.len() > 128 || !text.bytes().all(plain) {
            return Err(Invalid::new(
                "connectionId",
                "must be as API Gateway makes it",
            ));
        }
        Ok(Self(text.to_owned()))
    }
}

impl TryFrom<String> for ConnectionId {
    type Error = Invalid;

    fn try_from(text: String) -> Result<Self, Invalid> {
        text.parse()
    }
}

impl From<ConnectionId> for String {
    fn from(id: ConnectionId) -> Self {
        id.0
    }
}

impl Default for ConnectionId {
    fn default() -> Self {
        Self("none".to_owned())
    }
}

/// One who watches.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Watcher {
    /// Over which connection.
    pub connection: ConnectionId,
    /// Until when, unless they say so again.
    pub until: Timestamp,
    /// What they want to see.
    #[serde(default)]
    pub filter: LiveFilter,
}

/// All who watch a tenant.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Watch {
    /// Counts the writes; 0 if never written.
    pub version: u64,
    /// They.
    pub watchers: Vec<Watcher>,
}

/// As many watch as may.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Full;

impl Watch {
    /// With this one watching from now on, or again. Whoever's time is over makes room.
    ///
    /// # Errors
    /// As many watch as may.
    pub fn joined(
        &self,
        connection: &ConnectionId,
        filter: LiveFilter,
        now: Timestamp,
    ) -> Result<Self, Full> {
        let mut watchers = self.others(connection, now);
        if watchers.len() >= MAX_WATCHERS {
            return Err(Full);
        }
        watchers.push(Watcher {
            connection: connection.clone(),
            until: now.after(WATCH_LIFETIME),
            filter,
        });
        Ok(self.next(watchers))
    }

    /// Without these; `None` if none of them watches.
    pub fn left(&self, gone: &[ConnectionId], now: Timestamp) -> Option<Self> {
        let is_gone = |watcher: &Watcher| gone.contains(&watcher.connection);
        if !self.watchers.iter().any(is_gone) {
            return None;
        }
        let mut watchers = self.watchers.clone();
        watchers.retain(|watcher| watcher.until > now && !is_gone(watcher));
        Some(self.next(watchers))
    }

    /// Until when anybody watches.
    pub fn until(&self) -> Option<Timestamp> {
        self.watchers.iter().map(|watcher| watcher.until).max()
    }

    fn others(&self, connection: &ConnectionId, now: Timestamp) -> Vec<Watcher> {
        let mut others = self.watchers.clone();
        others.retain(|watcher| watcher.until > now && watcher.connection != *connection);
        others
    }

    fn next(&self, watchers: Vec<Watcher>) -> Self {
        Self {
            version: self.version + 1,
            watchers,
        }
    }
}

//! Tickets: what a browser shows to watch. It cannot send headers with a WebSocket, and what is in
//! a URL ends up in logs, so it gets something that is good for this alone, and for a minute.

use serde::{Deserialize, Serialize};

use crate::access::{SigningKey, TokenFault, signed};
use crate::{TenantId, Timestamp};

const PREFIX: &str = "hl_";
const PURPOSE: &str = "live";

/// Leave to watch one tenant, for whoever has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ticket {
    /// Whom it shows.
    pub tenant: TenantId,
    /// When it ends.
    pub expires_at: Timestamp,
}

impl Ticket {
    /// The ticket as its holder needs it.
    pub fn sign(&self, key: &SigningKey) -> String {
        signed::write(key, PURPOSE, PREFIX, self)
    }

    /// Reads what somebody shows.
    ///
    /// # Errors
    /// It is no ticket, not one of ours, or not any more.
    pub fn verify(text: &str, key: &SigningKey, now: Timestamp) -> Result<Self, TokenFault> {
        let ticket: Self = signed::read(key, PURPOSE, PREFIX, text)?;
        if ticket.expires_at <= now {
            return Err(TokenFault::Expired);
        }
        Ok(ticket)
    }
}

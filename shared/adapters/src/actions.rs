//! Carrying out what somebody wants done to a delivery: the record first, over the one it was
//! decided from, and anew if another was faster.

use hookpost_domain::Timestamp;
use hookpost_domain::action::{Asked, Change};
use hookpost_domain::carrier::Carrier;
use hookpost_domain::delivery::Delivery;
use hookpost_domain::ports::{Deliveries, Error, Outgoing, Write};

/// How often it is decided anew when the record was changed meanwhile.
const TRIES: u32 = 8;

/// What came of it.
#[derive(Debug, Clone, PartialEq)]
pub enum Acted {
    /// The record is written: now send its message, for this time.
    Send(Box<Delivery>, Timestamp),
    /// The record is written.
    Kept(Box<Delivery>),
    /// There was nothing to do, or another has done it.
    Already(Box<Delivery>),
    /// It cannot be done: why.
    Refused(Box<Delivery>, &'static str),
    /// It is no longer stored.
    Gone,
}

impl Acted {
    /// The message that is to be sent.
    pub fn message(&self, now: Timestamp) -> Option<(Outgoing, std::time::Duration)> {
        match self {
            Self::Send(delivery, at) => {
                let carrier = Carrier::pointing(delivery, now);
                Some((Outgoing::Deliver(Box::new(carrier)), at.since(now)))
            }
            Self::Kept(_) | Self::Already(_) | Self::Refused(..) | Self::Gone => None,
        }
    }
}

/// Does what is asked to `delivery`; what is sent goes out at `due`.
///
/// # Errors
/// The write failed: whether it took effect is not known.
pub async fn act(
    store: &impl Deliveries,
    asked: &Asked,
    delivery: Delivery,
    due: Timestamp,
    now: Timestamp,
) -> Result<Acted, Error> {
    let cycle = delivery.cycle;
    let mut current = delivery;
    for _ in 0..TRIES {
        if asked.action.sends() && current.cycle != cycle {
            // Another has put it back: once is enough.
            return Ok(Acted::Already(Box::new(current)));
        }
        let (next, acted) = match asked.change(&current, due, now) {
            Change::Send(next, at) => (next.clone(), Acted::Send(next, at)),
            Change::Keep(next) => (next.clone(), Acted::Kept(next)),
            Change::Already => return Ok(Acted::Already(Box::new(current))),
            Change::Refused(why) => return Ok(Acted::Refused(Box::new(current), why)),
        };
        match store.store_delivery(&next, current.version).await? {
            Write::Won => return Ok(acted),
            Write::Lost(Some(other)) => current = other,
            Write::Lost(None) => return Ok(Acted::Gone),
        }
    }
    Err(Error {
        call: "acting on a delivery",
        source: "its record changes all the time".into(),
    })
}

//! A dead letter's fresh run through the retry schedule.

use hookpost_domain::Timestamp;
use hookpost_domain::delivery::{Delivery, Status};
use hookpost_domain::ports::{Deliveries, Error, World, Write};

use crate::Replay;

/// How often it is decided anew when the record was changed meanwhile: it is, once, when a dead
/// letter that has just died is noted as buried.
const TRIES: u32 = 5;

/// What came of wanting to begin a cycle.
#[derive(Debug)]
pub(crate) enum Begun {
    /// The record is written: send its message.
    Fresh(Box<Delivery>),
    /// Somebody else was faster, and this is how it stands now.
    Overtaken(Box<Delivery>),
}

impl<W: World> Replay<W> {
    /// Begins the cycle after `delivery`'s, at `due`, unless it is no longer dead in that cycle.
    pub(crate) async fn begin_cycle(
        &self,
        delivery: Delivery,
        due: Timestamp,
    ) -> Result<Begun, Error> {
        let cycle = delivery.cycle;
        let mut current = delivery;
        for _ in 0..TRIES {
            if current.cycle != cycle || !matches!(current.status, Status::Dead { .. }) {
                return Ok(Begun::Overtaken(Box::new(current)));
            }
            let next = current.replayed(due);
            match self.store.store_delivery(&next, current.version).await? {
                Write::Won => return Ok(Begun::Fresh(Box::new(next))),
                Write::Lost(Some(other)) => current = other,
                Write::Lost(None) => return Ok(Begun::Overtaken(Box::new(current))),
            }
        }
        Err(Error {
            call: "beginning a cycle",
            source: "its record changes all the time".into(),
        })
    }
}

//! Receipt handles: which queue, which message, which receive of it.
//!
//! A handle is opaque to clients, carries all that is needed to find its
//! message at once, and says nothing about another queue's.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::errors::SqsError;

const MARK: [u8; 4] = *b"sqs1";

/// What a receipt handle stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Receipt {
    pub(crate) queue: u64,
    pub(crate) message: u64,
    /// The message's receive count when the handle was given out: a later receive makes it stale.
    pub(crate) receive: u32,
}

impl Receipt {
    pub(crate) fn to_handle(self) -> String {
        let mut bytes = [0; 24];
        let parts = MARK
            .into_iter()
            .chain(self.queue.to_be_bytes())
            .chain(self.message.to_be_bytes())
            .chain(self.receive.to_be_bytes());
        for (slot, byte) in bytes.iter_mut().zip(parts) {
            *slot = byte;
        }
        STANDARD.encode(bytes)
    }

    /// Reads a handle that `queue` gave out.
    pub(crate) fn parse(handle: &str, queue: u64) -> Result<Self, SqsError> {
        decode(handle)
            .filter(|receipt| receipt.queue == queue)
            .ok_or_else(|| SqsError::ReceiptHandleIsInvalid(handle.to_owned()))
    }
}

fn decode(handle: &str) -> Option<Receipt> {
    let bytes = STANDARD.decode(handle).ok()?;
    let (mark, rest) = bytes.split_first_chunk()?;
    let (queue, rest) = rest.split_first_chunk()?;
    let (message, rest) = rest.split_first_chunk()?;
    let receive = rest.try_into().ok()?;
    (*mark == MARK).then_some(Receipt {
        queue: u64::from_be_bytes(*queue),
        message: u64::from_be_bytes(*message),
        receive: u32::from_be_bytes(receive),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_handle_reads_back_in_its_own_queue_only() {
        let receipt = Receipt {
            queue: 7,
            message: 1 << 40,
            receive: 3,
        };
        let handle = receipt.to_handle();
        assert_eq!(Receipt::parse(&handle, 7), Ok(receipt));
        assert!(Receipt::parse(&handle, 8).is_err());
        for garbage in ["garbage", "", "c3FzMQ==", &handle[1..]] {
            assert!(Receipt::parse(garbage, 7).is_err(), "{garbage}");
        }
    }
}

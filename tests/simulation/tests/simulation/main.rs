//! What must always hold, under faults.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test that cannot go on fails where it stands"
)]

mod every_fault;
mod fan_out;
mod found_again;
mod lanes;
mod letting_go;
mod limits;
mod many_faults;
mod order;
mod weather;

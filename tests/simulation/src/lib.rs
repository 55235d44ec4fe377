//! The whole system in one test: ingest, delivery, replay and sweeper as they are, over tables,
//! queues and endpoints in memory, with the event sources, schedules and time-outs of
//! infra/template.yaml, on a clock that flies.
//!
//! A run is played with a plan of what goes wrong, and held against what must always hold. Where a
//! run breaks it, the plan makes it break again.

mod check;
mod pool;
mod runner;
mod sources;
mod system;

pub use hookpost_testkit::{Behaviour, Fault, Plan};
pub use runner::{Run, each_fault, faults_at, play, seeded};
pub use system::System;

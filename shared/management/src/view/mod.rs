//! Resources as they are shown. Secrets are shown when they are made, and never again.

mod delivery;
mod endpoint;
mod event;

pub use delivery::{AttemptError, AttemptView, DeadLetterView, DeliveryView};
pub use endpoint::{
    AuthView, BreakerPolicyView, BreakerView, EndpointView, HealthView, JitterView, RetryView,
    unmask_headers,
};
pub use event::{DeliverySummary, EventView};

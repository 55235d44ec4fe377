//! Resources as they are shown. Secrets are shown when they are made, and never again.

mod delivery;
mod direct;
mod endpoint;
mod event;
mod event_type;
mod matching;
mod statistics;

pub use delivery::{AttemptError, AttemptView, DeadLetterView, DeliveryView};
pub use direct::DirectView;
pub use endpoint::{
    AuthView, BreakerPolicyView, BreakerView, EndpointView, HealthView, JitterView, LineView,
    RetryView, TestView, unmask_headers,
};
pub use event::{CancelledView, DeliverySummary, EventStatusView, EventSummary, EventView};
pub use event_type::{EventTypeView, ImportView, RetryPolicyView, SettingsView};
pub use matching::{EndpointMatch, FilterMatch, MatchView, PreviewView, UnmetView};
pub use statistics::{
    CountsView, CriteriaView, CriterionView, EndpointStatsView, GroupView, GroupsView, LatencyView,
    LevelView, MetricsView, PointView, QueuesView, RecentView, StatsView, SubscriberHealthView,
};
pub(crate) use statistics::{to_six_digits, to_tenths};

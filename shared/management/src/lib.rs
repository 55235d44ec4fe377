//! The services behind the management API: what may be seen and changed, over the tables and
//! queues. HTTP, routes and documents are the business of whoever calls them.
//!
//! Guarantees: nothing of one tenant is visible to another, and what is another's is answered as
//! what is not there; whatever is answered as changed is stored.

mod audit;
mod dead_letters;
mod declared;
mod deliveries;
mod direct;
mod endpoint_states;
mod endpoints;
mod event_types;
mod events;
mod export;
mod health;
mod jobs;
mod keys;
mod lines;
mod listing;
mod matching;
pub mod page;
mod sources;
mod statistics;
mod tokens;
pub mod view;
mod whoami;

use std::sync::atomic::AtomicBool;

use hookpost_adapters::Config;
use hookpost_adapters::api::Problem;
use hookpost_adapters::auth::Caller;
use hookpost_adapters::counting::Tally;
use hookpost_adapters::queue::Queues;
use hookpost_adapters::table::Store;
use hookpost_domain::counters::Counters;
use hookpost_domain::delivery::Delivery;
use hookpost_domain::event::Event;
use hookpost_domain::ports::World;

use page::Places;

pub use audit::{AuditEntryView, AuditQuery};
pub use dead_letters::{DeadLetterQuery, ResolveOrder};
pub use declared::{Reconciled, Todo, Undeclared, Work};
pub use deliveries::{DeliveryQuery, RetryOrder, StatusQuery};
pub use endpoint_states::TestDraft;
pub use endpoints::EndpointQuery;
pub use event_types::{Catalogue, EventTypeQuery, RetryPolicyQuery};
pub use events::EventQuery;
pub use export::{Format, Part};
pub use health::OpenBreaker;
pub use jobs::JobQuery;
pub use keys::{KeyDraft, KeyQuery, KeyView};
pub use matching::{MatchInput, PreviewInput};
pub use sources::{SourceQuery, SourceView};
pub use statistics::{CriteriaQuery, GroupBy, HealthQuery, Interval, StatsQuery};
pub use tokens::{TokenDraft, TokenView};
pub use whoami::{CallerView, DeploymentView};

/// The services, over the tables, the queues, and clock and dice `W`.
#[derive(Debug)]
pub struct Management<W> {
    store: Store,
    queues: Queues,
    world: W,
    config: Config,
    /// What is counted here, and not by the functions that deliver.
    tally: Tally,
    /// Whether this process knows that no endpoint is, or was, declared.
    nothing_declared: AtomicBool,
}

impl<W: World> Management<W> {
    /// The services over these.
    pub fn new(store: Store, queues: Queues, world: W, config: Config) -> Self {
        Self {
            store,
            queues,
            world,
            config,
            tally: Tally::default(),
            nothing_declared: AtomicBool::new(false),
        }
    }

    /// Counts a delivery that was called off here.
    pub(crate) async fn count_cancelled(&self, delivery: &Delivery) {
        let (now, endpoint) = (self.world.now(), Some(&delivery.id.endpoint));
        let counts = Counters::of_cancelling();
        self.tally.note(
            &delivery.tenant,
            endpoint,
            &delivery.event_type,
            counts,
            now,
        );
        self.tally.flush(&self.store, now).await;
    }

    /// Counts an event that was accepted here.
    pub(crate) async fn count_event(&self, event: &Event) {
        let now = self.world.now();
        self.tally.note(
            &event.tenant,
            None,
            &event.event_type,
            Counters::of_event(),
            now,
        );
        self.tally.flush(&self.store, now).await;
    }

    /// The place in a list that an `after` means.
    pub(crate) async fn place(
        &self,
        list: &'static str,
        caller: &Caller,
        after: Option<&str>,
    ) -> Result<Option<String>, Problem> {
        let Some(token) = after else {
            return Ok(None);
        };
        let key = self.store.signing_key().await?;
        Places::new(list, &caller.tenant, key.clone())
            .read(token)
            .map(Some)
    }

    /// What a page says of the place after it.
    pub(crate) async fn next(
        &self,
        list: &'static str,
        caller: &Caller,
        place: Option<String>,
    ) -> Result<Option<String>, Problem> {
        let Some(place) = place else {
            return Ok(None);
        };
        let key = self.store.signing_key().await?;
        Ok(Some(
            Places::new(list, &caller.tenant, key.clone()).token(&place),
        ))
    }

    /// The tables.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// What the deployment says.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Clock and dice.
    pub fn world(&self) -> &W {
        &self.world
    }
}

//! `whoami` and `deployment`: what a page has to know to show whoever looks at it what they may do,
//! and what holds for all that they see.

use hookpost_adapters::auth::Caller;
use hookpost_domain::TenantId;
use hookpost_domain::access::{Scope, Scopes};
use hookpost_domain::ports::World;
use schemars::JsonSchema;
use serde::Serialize;

use crate::Management;
use crate::view::RetryView;

/// Whoever calls.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[schemars(rename = "Caller")]
pub struct CallerView {
    /// As the audit log calls them: `key:...`, `token:...`, `deploy-key`, `anonymous`.
    pub actor: String,
    /// Whose things this call shows.
    pub tenant: TenantId,
    /// Whether `X-Tenant` may name another.
    pub all_tenants: bool,
    /// What they may do. `admin` may all that the others may, `manage` may `read`.
    pub scopes: Vec<Scope>,
}

/// What the deployment has set for all of its tenants.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[schemars(rename = "Deployment")]
pub struct DeploymentView {
    /// Hookpost's.
    pub version: &'static str,
    /// Whether calls need a key.
    pub auth_required: bool,
    /// When failed deliveries are tried again, where neither endpoint nor event type says so.
    pub retry: RetryView,
    /// Most requests a second to all endpoints together.
    pub deliveries_per_second: Option<u32>,
    /// Waits longer than this are spent in the table, and not in the queue.
    pub park_after_seconds: u64,
    /// What waits longer than this, or than its retries take, is given up.
    pub max_age_hours: u64,
    /// Most endpoints a tenant may have.
    pub max_endpoints: usize,
    /// Days that events and deliveries are kept.
    pub retention_days: u64,
    /// Days that the audit log is kept.
    pub audit_retention_days: u64,
    /// Days that the dead-letter queue keeps its messages.
    pub dlq_retention_days: u64,
    /// Whether attempts can be watched as they happen.
    pub live: bool,
    /// Where there is a receiver to try endpoints with, if there is one.
    pub test_receiver_url: Option<String>,
}

const DAY: u64 = 24 * 3600;

impl<W: World> Management<W> {
    /// Who is calling.
    pub fn whoami(&self, caller: &Caller) -> CallerView {
        CallerView {
            actor: caller.actor.to_string(),
            tenant: caller.tenant.clone(),
            all_tenants: caller.speaks_for_all(),
            scopes: Scopes::as_slice(caller.scopes()).to_vec(),
        }
    }

    /// What holds for all tenants.
    pub fn deployment(&self) -> DeploymentView {
        let config = self.config();
        DeploymentView {
            version: env!("CARGO_PKG_VERSION"),
            auth_required: config.auth_required,
            retry: RetryView::of(&config.retry),
            deliveries_per_second: config.deliveries_per_second,
            park_after_seconds: config.patience.park_after.as_secs(),
            max_age_hours: config.patience.max_age.as_secs() / 3600,
            max_endpoints: config.max_endpoints,
            retention_days: config.retention.as_secs() / DAY,
            audit_retention_days: config.audit_retention.as_secs() / DAY,
            dlq_retention_days: config.dlq_retention.as_secs() / DAY,
            live: config.live_url.is_some(),
            test_receiver_url: config.test_receiver_url.clone(),
        }
    }
}

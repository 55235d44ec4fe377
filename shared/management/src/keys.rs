//! `api-keys`: make, list, look at, revoke.

use hookpost_adapters::api::Problem;
use hookpost_adapters::auth::Caller;
use hookpost_adapters::world::secret_bytes;
use hookpost_domain::access::{
    ApiKey, KeyId, KeyRecord, Network, Networks, Reach, Scope, Scopes, Standing,
};
use hookpost_domain::ports::{World, Write};
use hookpost_domain::{Invalid, TenantId, Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Management;
use crate::page::{self, Page};

/// Most calls a second that a limit can be.
const MAX_RATE: u32 = 10_000;
/// How often a key is revoked anew when others change it.
const TRIES: u32 = 3;

/// A key to make.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct KeyDraft {
    /// What to call it, at most 100 characters.
    #[serde(default)]
    name: String,
    /// What it may do.
    scopes: Vec<Scope>,
    /// The tenant that it speaks for; the call's own unless given.
    #[serde(default)]
    tenant: Option<TenantId>,
    /// Whether it speaks for all tenants.
    #[serde(default)]
    all_tenants: bool,
    /// Where its calls may come from, such as `203.0.113.0/24`; from anywhere if none is named.
    #[serde(default)]
    networks: Vec<Network>,
    /// How many calls a second it may make, 1 to 10000; as many as it likes unless given.
    #[serde(default)]
    requests_per_second: Option<u32>,
    /// When it ends by itself; never unless given.
    #[serde(default)]
    expires_at: Option<Timestamp>,
}

/// Which keys to list.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct KeyQuery {
    /// How many, 1 to 200; 50 unless given.
    pub limit: Option<usize>,
    /// The `next` of the page before.
    pub after: Option<String>,
    /// Only those whose id begins like this.
    pub prefix: Option<String>,
    /// Those that speak for all tenants, and not those of the call's own.
    pub all_tenants: bool,
}

/// A key as it is shown.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct KeyView {
    id: KeyId,
    name: String,
    /// `null` if it speaks for all.
    tenant: Option<TenantId>,
    all_tenants: bool,
    scopes: Scopes,
    /// The last four of its characters.
    last4: String,
    networks: Networks,
    requests_per_second: Option<u32>,
    status: Standing,
    created_at: Timestamp,
    /// Who made it, as in the audit log.
    created_by: String,
    expires_at: Option<Timestamp>,
    revoked_at: Option<Timestamp>,
    /// The key itself: only in the answer to whoever has just made it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("type" = "string"))]
    key: Option<String>,
}

impl KeyView {
    fn of(record: KeyRecord, now: Timestamp) -> Self {
        let status = record.standing(now);
        let tenant = match record.reach {
            Reach::Tenant(tenant) => Some(tenant),
            Reach::All => None,
        };
        Self {
            id: record.id,
            name: record.name,
            all_tenants: tenant.is_none(),
            tenant,
            scopes: record.scopes,
            last4: record.last4,
            networks: record.networks,
            requests_per_second: record.requests_per_second,
            status,
            created_at: record.created_at,
            created_by: record.created_by,
            expires_at: record.expires_at,
            revoked_at: record.revoked_at,
            key: None,
        }
    }

    /// The key's id.
    pub fn key_id(&self) -> &KeyId {
        &self.id
    }
}

fn missing() -> Problem {
    Problem::not_found("no key has this id")
}

impl KeyDraft {
    fn record(self, key: &ApiKey, caller: &Caller, now: Timestamp) -> Result<KeyRecord, Problem> {
        if self.name.chars().count() > 100 || self.name.chars().any(char::is_control) {
            let rule = "must be at most 100 characters, none of them a control character";
            return Err(Invalid::new("name", rule).into());
        }
        let in_range = |rate: &u32| (1..=MAX_RATE).contains(rate);
        if self
            .requests_per_second
            .as_ref()
            .is_some_and(|rate| !in_range(rate))
        {
            let rule = "must be between 1 and 10000";
            return Err(Invalid::new("requests_per_second", rule).into());
        }
        if self.expires_at.is_some_and(|end| end <= now) {
            return Err(Invalid::new("expires_at", "must be in the future").into());
        }
        let reach = match (self.all_tenants, &self.tenant) {
            (true, Some(_)) => {
                let rule = "must not be given together with all_tenants";
                return Err(Invalid::new("tenant", rule).into());
            }
            (true, None) if caller.speaks_for_all() => Reach::All,
            (true, None) => {
                let detail = "only a key that speaks for all tenants makes another that does";
                return Err(Problem::forbidden(detail));
            }
            (false, named) => Reach::Tenant(caller.tenant_or(named.as_ref())?),
        };
        Ok(KeyRecord {
            id: key.id().clone(),
            name: self.name,
            reach,
            scopes: self.scopes.try_into()?,
            last4: key.last4().to_owned(),
            networks: self.networks.try_into()?,
            requests_per_second: self.requests_per_second,
            created_at: now,
            created_by: caller.actor.to_string(),
            expires_at: self.expires_at,
            revoked_at: None,
        })
    }
}

impl<W: World> Management<W> {
    /// Makes a key. It is in the answer, and nowhere after it.
    ///
    /// # Errors
    /// 422 for a field that breaks its rule, 403 for a tenant that the caller does not speak for.
    pub async fn create_key(&self, caller: &Caller, draft: KeyDraft) -> Result<KeyView, Problem> {
        let now = self.world.now();
        let random = secret_bytes().map_err(|error| Problem::unavailable(&error))?;
        let key = ApiKey::generate(now, random);
        let record = draft.record(&key, caller, now)?;
        self.store.store_api_key(&key, &record).await?;
        let mut shown = KeyView::of(record, now);
        shown.key = Some(key.reveal().to_owned());
        Ok(shown)
    }

    /// Keys, newest first.
    ///
    /// # Errors
    /// 422 for a page that cannot be, 403 for those of all tenants.
    pub async fn list_keys(
        &self,
        caller: &Caller,
        query: KeyQuery,
    ) -> Result<Page<KeyView>, Problem> {
        let limit = page::limit(query.limit)?;
        let list = if query.all_tenants {
            "all-keys"
        } else {
            "keys"
        };
        let after = self.place(list, caller, query.after.as_deref()).await?;
        let after = after.map(|after| after.parse::<KeyId>());
        let after = after.transpose().map_err(|_| page::unknown_place())?;
        let reach = if query.all_tenants {
            if !caller.speaks_for_all() {
                return Err(Problem::forbidden(
                    "this key does not speak for all tenants",
                ));
            }
            Reach::All
        } else {
            Reach::Tenant(caller.tenant.clone())
        };
        let prefix = query.prefix.filter(|prefix| !prefix.is_empty());
        let prefix = prefix.as_deref().unwrap_or("hk_");
        if after
            .as_ref()
            .is_some_and(|after| !after.as_str().starts_with(prefix))
        {
            return Err(page::unknown_place());
        }
        let (records, more) = self
            .store
            .api_keys(&reach, prefix, after.as_ref(), limit)
            .await?;
        let now = self.world.now();
        let next = records.last().filter(|_| more);
        let next = next.map(|record| record.id.to_string());
        Ok(Page {
            next: self.next(list, caller, next).await?,
            data: records
                .into_iter()
                .map(|record| KeyView::of(record, now))
                .collect(),
        })
    }

    /// One key.
    ///
    /// # Errors
    /// 404 if there is none of this id that is the tenant's, or speaks for all as the caller does.
    pub async fn get_key(&self, caller: &Caller, id: &str) -> Result<KeyView, Problem> {
        let record = self.find_key(caller, id).await?;
        Ok(KeyView::of(record, self.world.now()))
    }

    /// Ends a key. Functions that know it let it in for up to 10 s more. Again is fine.
    ///
    /// # Errors
    /// As for [`Self::get_key`].
    pub async fn revoke_key(&self, caller: &Caller, id: &str) -> Result<(), Problem> {
        for _ in 0..TRIES {
            let record = self.find_key(caller, id).await?;
            if record.revoked_at.is_some() {
                return Ok(());
            }
            let now = self.world.now();
            match self.store.revoke_api_key(&record, now).await? {
                Write::Won => return Ok(()),
                Write::Lost(_) => {}
            }
        }
        Err(Problem::conflict(
            "this key is being changed by others; try again",
        ))
    }

    async fn find_key(&self, caller: &Caller, id: &str) -> Result<KeyRecord, Problem> {
        let id: KeyId = id.parse().map_err(|_| missing())?;
        let own = Reach::Tenant(caller.tenant.clone());
        if let Some(record) = self.store.listed_api_key(&own, &id).await? {
            return Ok(record);
        }
        if !caller.speaks_for_all() {
            return Err(missing());
        }
        let found = self.store.listed_api_key(&Reach::All, &id).await?;
        found.ok_or_else(missing)
    }
}

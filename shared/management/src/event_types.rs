//! `event-types`, `retry-policies` and a tenant's `settings`: what its events are, and what holds
//! for them.

use hookpost_adapters::api::Problem;
use hookpost_adapters::auth::Caller;
use hookpost_adapters::table::TypeChange;
use hookpost_domain::catalogue::{
    EventTypeDraft, Import, ImportDraft, PolicyRule, RetryPolicyDraft, Rules, SettingsDraft,
    TypeEntry,
};
use hookpost_domain::matching::EventType;
use hookpost_domain::ports::{EventTypes, Rulebook, World};
use hookpost_domain::retry::RetryPolicy;
use hookpost_domain::{Invalid, TenantId};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::Management;
use crate::page::{self, Page};
use crate::view::{EventTypeView, ImportView, RetryPolicyView, SettingsView};

/// How often a change is made anew when another changes the same tenant's catalogue.
const TRIES: u32 = 8;

/// Which event types to list.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct EventTypeQuery {
    /// How many, 1 to 200; 50 unless given.
    pub limit: Option<usize>,
    /// The `next` of the page before.
    pub after: Option<String>,
    /// Only those that are shown together under this name.
    pub group: Option<String>,
}

/// Which retry policies to list.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RetryPolicyQuery {
    /// How many, 1 to 200; 50 unless given.
    pub limit: Option<usize>,
    /// The `next` of the page before.
    pub after: Option<String>,
}

/// All that a tenant tells of its events.
#[derive(Debug, Clone)]
pub struct Catalogue {
    /// Its types, by their names.
    pub types: Vec<TypeEntry>,
    /// What holds for them.
    pub rules: Rules,
    /// When failed deliveries are tried again where nothing else is said.
    pub deployment: RetryPolicy,
}

fn missing() -> Problem {
    Problem::not_found("no event type has this name")
}

fn no_policy() -> Problem {
    Problem::not_found("no retry policy has this name")
}

impl<W: World> Management<W> {
    /// Event types, newest first.
    ///
    /// # Errors
    /// 422 for a page that cannot be.
    pub async fn list_event_types(
        &self,
        caller: &Caller,
        query: EventTypeQuery,
    ) -> Result<Page<EventTypeView>, Problem> {
        let limit = page::limit(query.limit)?;
        let after = query.after.as_deref();
        let after = self.place("event-types", caller, after).await?;
        let mut entries = self.store.event_types(&caller.tenant).await?;
        entries.sort_by(|one, other| {
            (other.created_at, &other.name).cmp(&(one.created_at, &one.name))
        });
        let names = entries.iter().map(|entry| entry.name.as_str());
        let from = place_after(names, after.as_deref())?;
        entries.drain(..from);
        let in_group = |entry: &TypeEntry| query.group.as_ref().is_none_or(|g| *g == entry.group);
        entries.retain(in_group);
        let more = entries.len() > limit;
        entries.truncate(limit);
        let last = entries.last().filter(|_| more);
        let next = last.map(|entry| entry.name.to_string());
        Ok(Page {
            data: entries.iter().map(EventTypeView::of).collect(),
            next: self.next("event-types", caller, next).await?,
        })
    }

    /// One event type.
    ///
    /// # Errors
    /// 404 if the tenant tells of none of this name.
    pub async fn get_event_type(
        &self,
        caller: &Caller,
        name: &str,
    ) -> Result<EventTypeView, Problem> {
        let name: EventType = name.parse().map_err(|_| missing())?;
        let entry = self.store.event_type(&caller.tenant, &name).await?;
        entry.as_ref().map(EventTypeView::of).ok_or_else(missing)
    }

    /// Tells of a new event type.
    ///
    /// # Errors
    /// 409 if it is told of already, 422 for a field that breaks its rule.
    pub async fn create_event_type(
        &self,
        caller: &Caller,
        draft: EventTypeDraft,
    ) -> Result<EventTypeView, Problem> {
        let entry = draft.check(self.world.now())?;
        self.change_rules(caller, |rules| {
            if rules.types.contains_key(&entry.name) {
                let rule = "is told of already: change it by `PUT`";
                return Err(Problem::conflict_of("name", rule));
            }
            put(rules, vec![entry.clone()])
        })
        .await?;
        Ok(EventTypeView::of(&entry))
    }

    /// Tells of an event type, whether it has been told of or not, and whether it had been.
    ///
    /// # Errors
    /// 422 for a field that breaks its rule.
    pub async fn put_event_type(
        &self,
        caller: &Caller,
        name: &str,
        mut draft: EventTypeDraft,
    ) -> Result<(EventTypeView, bool), Problem> {
        if draft.name.as_ref().is_some_and(|given| given != name) {
            let rule = "must be the name in the path, or be left out";
            return Err(Problem::invalid(&Invalid::new("name", rule)));
        }
        draft.name = Some(name.to_owned());
        let mut entry = draft.check(self.world.now())?;
        let rules = self
            .change_rules(caller, |rules| put(rules, vec![entry.clone()]))
            .await?;
        let known = rules.types.get(&entry.name);
        if let Some(known) = known {
            entry.created_at = known.created_at;
        }
        Ok((EventTypeView::of(&entry), known.is_some()))
    }

    /// Stops telling of an event type.
    ///
    /// # Errors
    /// 404 if the tenant tells of none of this name.
    pub async fn delete_event_type(&self, caller: &Caller, name: &str) -> Result<(), Problem> {
        let name: EventType = name.parse().map_err(|_| missing())?;
        self.change_rules(caller, |rules| {
            if !rules.types.contains_key(&name) {
                return Err(missing());
            }
            Ok((
                rules.without_type(&name),
                vec![TypeChange::Delete(name.clone())],
            ))
        })
        .await?;
        Ok(())
    }

    /// Tells of several event types and retry policies, of all or of none.
    ///
    /// # Errors
    /// 422 for a field that breaks its rule, with its place.
    pub async fn import_event_types(
        &self,
        caller: &Caller,
        draft: ImportDraft,
    ) -> Result<ImportView, Problem> {
        let Import { types, policies } = draft.check(self.world.now())?;
        let before = self
            .change_rules(caller, |rules| {
                let (mut next, changes) = put(rules, types.clone())?;
                for (name, policy) in &policies {
                    let version = next.version;
                    next = next.with_policy(name.clone(), policy.clone())?;
                    // All of it is one change.
                    next.version = version;
                }
                Ok((next, changes))
            })
            .await?;
        let known = |entry: &&TypeEntry| before.types.contains_key(&entry.name);
        let changed = types.iter().filter(known).count();
        Ok(ImportView {
            created: types.len() - changed,
            changed,
            retry_policies: policies.len(),
        })
    }

    /// Retry policies for event types, by their names.
    ///
    /// # Errors
    /// 422 for a page that cannot be.
    pub async fn list_retry_policies(
        &self,
        caller: &Caller,
        query: RetryPolicyQuery,
    ) -> Result<Page<RetryPolicyView>, Problem> {
        let limit = page::limit(query.limit)?;
        let after = query.after.as_deref();
        let after = self.place("retry-policies", caller, after).await?;
        let rules = self.store.rules(&caller.tenant).await?;
        let left = |(name, _): &(&String, _)| after.as_ref().is_none_or(|after| *name > after);
        let mut left = rules.policies.iter().filter(left);
        let data: Vec<RetryPolicyView> = left
            .by_ref()
            .take(limit)
            .map(|(name, policy)| RetryPolicyView::of(name, policy))
            .collect();
        let last = data.last().filter(|_| left.next().is_some());
        let next = last.map(|policy| policy.name.clone());
        let next = self.next("retry-policies", caller, next).await?;
        Ok(Page { data, next })
    }

    /// One retry policy.
    ///
    /// # Errors
    /// 404 if the tenant has none of this name.
    pub async fn get_retry_policy(
        &self,
        caller: &Caller,
        name: &str,
    ) -> Result<RetryPolicyView, Problem> {
        let rules = self.store.rules(&caller.tenant).await?;
        let policy = rules.policies.get(name).ok_or_else(no_policy)?;
        Ok(RetryPolicyView::of(name, policy))
    }

    /// Sets a retry policy for event types, and tells whether there was one of this name.
    ///
    /// # Errors
    /// 422 for a field that breaks its rule.
    pub async fn put_retry_policy(
        &self,
        caller: &Caller,
        name: &str,
        draft: RetryPolicyDraft,
    ) -> Result<(RetryPolicyView, bool), Problem> {
        let policy: PolicyRule = draft.check(name)?;
        let before = self
            .change_rules(caller, |rules| {
                let next = rules.with_policy(name.to_owned(), policy.clone())?;
                Ok((next, Vec::new()))
            })
            .await?;
        let was_there = before.policies.contains_key(name);
        Ok((RetryPolicyView::of(name, &policy), was_there))
    }

    /// Takes a retry policy away.
    ///
    /// # Errors
    /// 404 if the tenant has none of this name.
    pub async fn delete_retry_policy(&self, caller: &Caller, name: &str) -> Result<(), Problem> {
        self.change_rules(caller, |rules| {
            if !rules.policies.contains_key(name) {
                return Err(no_policy());
            }
            Ok((rules.without_policy(name), Vec::new()))
        })
        .await?;
        Ok(())
    }

    /// What the tenant has set for all of its events.
    ///
    /// # Errors
    /// The read failed.
    pub async fn get_settings(&self, caller: &Caller) -> Result<SettingsView, Problem> {
        let rules = self.store.rules(&caller.tenant).await?;
        Ok(SettingsView::of(&caller.tenant, &rules))
    }

    /// Changes what the draft names of it.
    ///
    /// # Errors
    /// 409 if others change it all the time.
    pub async fn change_settings(
        &self,
        caller: &Caller,
        draft: SettingsDraft,
    ) -> Result<SettingsView, Problem> {
        let before = self
            .change_rules(caller, |rules| Ok((draft.change(rules), Vec::new())))
            .await?;
        Ok(SettingsView::of(&caller.tenant, &draft.change(&before)))
    }

    /// All that a tenant tells of its events.
    ///
    /// # Errors
    /// A read failed.
    pub async fn catalogue(&self, tenant: &TenantId) -> Result<Catalogue, Problem> {
        let rules = self.store.rules(tenant).await?;
        self.catalogue_under(tenant, rules).await
    }

    /// The same, if the tenant lets anybody read it.
    ///
    /// # Errors
    /// 404 if it does not, or if there is no such tenant.
    pub async fn public_catalogue(&self, tenant: &str) -> Result<Catalogue, Problem> {
        let missing = || Problem::not_found("no catalogue is public here");
        let tenant: TenantId = tenant.parse().map_err(|_| missing())?;
        let rules = self.store.rules(&tenant).await?;
        if !rules.public {
            return Err(missing());
        }
        self.catalogue_under(&tenant, rules).await
    }

    async fn catalogue_under(&self, tenant: &TenantId, rules: Rules) -> Result<Catalogue, Problem> {
        Ok(Catalogue {
            types: self.store.event_types(tenant).await?,
            rules,
            deployment: self.config.retry.clone(),
        })
    }

    /// Changes a tenant's rules, and what `change` says of its types with them, over the version
    /// that it saw; and tells what they were before.
    async fn change_rules(
        &self,
        caller: &Caller,
        change: impl Fn(&Rules) -> Result<(Rules, Vec<TypeChange>), Problem>,
    ) -> Result<Rules, Problem> {
        for _ in 0..TRIES {
            let rules = self.store.rules(&caller.tenant).await?;
            let (next, changes) = change(&rules)?;
            let stored = self
                .store
                .store_rules(&caller.tenant, &next, rules.version, &changes);
            if stored.await? {
                return Ok(rules);
            }
        }
        let detail = "this tenant's event types are being changed by others; try again";
        Err(Problem::conflict(detail))
    }
}

/// Rules with these types told of, and what that changes.
fn put(rules: &Rules, entries: Vec<TypeEntry>) -> Result<(Rules, Vec<TypeChange>), Problem> {
    let (next, entries) = rules.with_types(entries)?;
    let changes = entries.into_iter().map(Box::new).map(TypeChange::Put);
    Ok((next, changes.collect()))
}

/// How many names come before the one after `after`.
fn place_after<'n>(
    mut names: impl Iterator<Item = &'n str>,
    after: Option<&str>,
) -> Result<usize, Problem> {
    let Some(after) = after else {
        return Ok(0);
    };
    let found = names.position(|name| name == after);
    found.map(|nth| nth + 1).ok_or_else(page::unknown_place)
}

//! `POST deliveries`: to a URL that is not registered, the way of all events from there on.

use hookpost_adapters::api::Problem;
use hookpost_adapters::auth::Caller;
use hookpost_adapters::repeats;
use hookpost_adapters::world::{random_bytes, secret_bytes};
use hookpost_domain::carrier::Carrier;
use hookpost_domain::catalogue::Rules;
use hookpost_domain::endpoint::{DIRECT_EVENT, Direct, DirectDraft};
use hookpost_domain::event::{Event, MAX_PAYLOAD_BYTES, Payload};
use hookpost_domain::ports::{
    Claim, DeliveryQueue, Error, EventIntake, EventTypes, Events, IdempotencyKeys, Outgoing,
    Rulebook, World,
};
use hookpost_domain::signature::Secret;
use hookpost_domain::{DeliveryId, EventId, TenantId};

use crate::Management;
use crate::view::DirectView;

/// Whose turn it is to do the work of a call.
enum Turn {
    /// This call's, as the first.
    First(EventId),
    /// This call's, in the place of one that broke off.
    Again(EventId),
    /// Nobody's: it has been done.
    Done(EventId),
}

impl<W: World> Management<W> {
    /// Delivers to a URL. It is answered only once event and message are stored; an error has
    /// promised nothing, and the same key finishes what a broken call began.
    ///
    /// # Errors
    /// 403 for a tenant that the caller does not speak for, 409 for a key that was used for
    /// something else, 413 for a payload that is too large, 422 for a field that breaks its rule.
    pub async fn post_delivery(
        &self,
        caller: &Caller,
        draft: DirectDraft,
        header_key: Option<String>,
    ) -> Result<DirectView, Problem> {
        let tenant = caller.tenant_or(draft.tenant())?;
        if draft.payload_bytes() > MAX_PAYLOAD_BYTES {
            let rule = "must be at most 262144 bytes (256 KiB) of JSON";
            return Err(Problem::too_large("payload", rule));
        }
        let now = self.world.now();
        let secret = secret_bytes().map_err(|error| Problem::unavailable(&error))?;
        let (secret, key) = (Secret::generate(secret), self.store.signing_key().await?);
        let direct = draft.check(&tenant, secret, key, &self.config.allowed_targets, now)?;
        let said = |key: String| format!("delivery:{key}");
        let alias = |alias: &String| format!("delivery-id:{alias}");
        let own = direct.event.idempotency_key.clone().or(header_key);
        let key = own.map(said).or(direct.event.alias.as_ref().map(alias));
        let rules = self.store.rules(&tenant).await?;
        // Before a key is taken: whoever mends the delivery may use it again.
        if let Some(problem) = self.refusal(&tenant, &rules, &direct).await?
            && !self.was_taken(&tenant, key.as_deref(), &direct).await?
        {
            return Err(problem);
        }
        let turn = self.turn(&tenant, key.as_deref(), &direct).await?;
        let Direct { event, endpoint } = direct;
        let (id, repeat) = match turn {
            Turn::First(id) => (id, false),
            Turn::Again(id) | Turn::Done(id) => (id, true),
        };
        let event = Event {
            id,
            tenant,
            event_type: event.event_type,
            payload: event.payload,
            alias: event.alias,
            endpoints: vec![endpoint.id.clone()],
            deliver_at: event.deliver_at.filter(|at| *at > now),
            cloud_event: None,
            traceparent: None,
        };
        let view = DirectView {
            id: DeliveryId {
                event: id,
                endpoint: endpoint.id.clone(),
            },
            event_id: id,
            endpoint_id: endpoint.id.clone(),
            event_type: event.event_type.clone(),
            tenant: event.tenant.clone(),
            timestamp: event.accepted_at(),
            deliver_at: event.deliver_at,
            alias: event.alias.clone(),
            duplicate: repeat,
        };
        if matches!(turn, Turn::Done(_)) {
            return Ok(view);
        }
        let roll = self.world.roll();
        let retries = rules.retries();
        let of_type = retries.of(&event.event_type);
        let policy = endpoint.retry.as_ref().or(of_type);
        let first = policy.unwrap_or(&self.config.retry).first_delay(roll);
        // The endpoint first: a delivery without one is cancelled.
        let due = event.due().max(now);
        self.store.keep_unlisted(&endpoint, due).await?;
        // Once more is the same: the key is for this event only.
        self.store
            .store_events(std::slice::from_ref(&event))
            .await?;
        let longest = self.config.patience.park_after;
        let (carrier, delay) = Carrier::first(&event, &endpoint.id, first, longest, repeat, now);
        let message = Outgoing::Deliver(Box::new(carrier));
        self.queues.send(vec![(message, delay)]).await?;
        if let Some(key) = &key {
            self.store.mark_sent(&event.tenant, key, id).await?;
        }
        self.count_event(&event).await;
        Ok(view)
    }

    /// Strict mode: what is wrong with what is delivered, by its tenant's event types. A delivery
    /// that names no type is held against none.
    async fn refusal(
        &self,
        tenant: &TenantId,
        rules: &Rules,
        direct: &Direct,
    ) -> Result<Option<Problem>, Error> {
        let event = &direct.event;
        let rule = rules.types.get(&event.event_type);
        let names_none = rule.is_none() && event.event_type.as_str() == DIRECT_EVENT;
        if !rules.strict || names_none {
            return Ok(None);
        }
        let Some(rule) = rule else {
            return Ok(Some(Problem::invalid(&Rules::unknown_type())));
        };
        if !rule.schema {
            return Ok(None);
        }
        let entry = self.store.event_type(tenant, &event.event_type).await?;
        let Some(schema) = entry.and_then(|entry| entry.schema) else {
            return Ok(None);
        };
        let payload = Payload::new(&event.payload);
        Ok(Problem::invalid_all(&schema.faults(payload.document())))
    }

    /// Whether the same was accepted before: then it stays so.
    async fn was_taken(
        &self,
        tenant: &TenantId,
        key: Option<&str>,
        direct: &Direct,
    ) -> Result<bool, Error> {
        let Some(key) = key else {
            return Ok(false);
        };
        let used = self.store.claimed(tenant, key).await?;
        Ok(used.is_some_and(|used| used.fingerprint == direct.fingerprint()))
    }

    async fn turn(
        &self,
        tenant: &TenantId,
        key: Option<&str>,
        direct: &Direct,
    ) -> Result<Turn, Problem> {
        let now = self.world.now();
        let id = EventId::generate(now, random_bytes());
        let Some(key) = key else {
            return Ok(Turn::First(id));
        };
        let fingerprint = direct.fingerprint();
        let claim = self.store.claim(tenant, key, id, &fingerprint, now);
        let known = match claim.await? {
            Claim::New => return Ok(Turn::First(id)),
            Claim::Known(known) => known,
        };
        if known.fingerprint != fingerprint {
            let field = if key.starts_with("delivery-id:") {
                "id"
            } else {
                "Idempotency-Key"
            };
            let rule = "was used with another URL, setting, type, payload or schedule in the last 24 hours";
            return Err(Problem::conflict_of(field, rule));
        }
        let known = repeats::settled(&self.store, &self.world, tenant, key, known).await?;
        let old = known.event;
        if known.sent {
            return Ok(Turn::Done(old));
        }
        let is_stored = self.store.event(tenant, old).await?.is_some();
        if is_stored || now.since(old.time()) <= repeats::GIVEN_UP {
            return Ok(Turn::Again(old));
        }
        // An event belongs where its time is: there it is listed, and looked for.
        let taken = self.store.take_over(tenant, key, old, id, now).await?;
        Ok(Turn::Again(taken))
    }
}

//! Who calls, and whether they may.
//!
//! Guarantees: nobody is let in without a key or token that is known, is still good, comes from
//! where it may and speaks for the tenant that is named; a key is compared in a time that does not
//! depend on where it differs. A key is looked up once in [`KNOWN_FOR`] and process, so that one
//! that is revoked works for at most that long.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use hookpost_domain::access::{
    Actor, ApiKey, KeyDigest, KeyRecord, Networks, Reach, Scope, Scopes, Standing, Token,
    TokenFault,
};
use hookpost_domain::measures::Metric;
use hookpost_domain::ports::Error;
use hookpost_domain::{Invalid, TenantId, Timestamp};

use crate::Config;
use crate::api::{Call, Problem, Reply};
use crate::audit::{AuditLog, Trail, entry_of, entry_without_call};
use crate::deploy_key::DeployKey;
use crate::limits::Limits;
use crate::metrics::Metrics;
use crate::table::Store;

/// How long a process takes a key for what it was when it was looked up.
const KNOWN_FOR: Duration = Duration::from_secs(10);
/// How long a process takes a key for unknown.
const UNKNOWN_FOR: Duration = Duration::from_secs(5);
/// Keys that a process remembers; beyond that it starts anew. And as many that are none.
const MAX_KNOWN: usize = 2_000;

/// Whoever made a call, and for whom.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// Whose resources the call is about.
    pub tenant: TenantId,
    /// Who it is.
    pub actor: Actor,
    scopes: Scopes,
    reach: Reach,
}

impl Caller {
    fn everything(actor: Actor, tenant: TenantId) -> Self {
        Self {
            tenant,
            actor,
            scopes: Scopes::only(Scope::Admin),
            reach: Reach::All,
        }
    }

    /// Goes on only with this scope.
    ///
    /// # Errors
    /// 403 without it.
    pub fn require(&self, scope: Scope) -> Result<(), Problem> {
        if self.scopes.allow(scope) {
            return Ok(());
        }
        Err(Problem::forbidden(format!(
            "this needs a key with the scope `{scope}`"
        )))
    }

    /// The tenant that a field of the call names, or else the call's own.
    ///
    /// # Errors
    /// 403 for one that the caller does not speak for.
    pub fn tenant_or(&self, named: Option<&TenantId>) -> Result<TenantId, Problem> {
        match named {
            None => Ok(self.tenant.clone()),
            Some(_) => self.reach.tenant(named).ok_or_else(other_tenant),
        }
    }

    /// Whoever may reach one of the other ways in, which IAM decides: for any tenant, and for this
    /// one unless it names another.
    pub fn of_aws(tenant: TenantId) -> Self {
        Self::everything(Actor::Console, tenant)
    }

    /// Whoever calls for what everybody may see.
    pub fn anybody() -> Self {
        Self {
            tenant: TenantId::default(),
            actor: Actor::Anonymous,
            scopes: Scopes::only(Scope::Read),
            reach: Reach::Tenant(TenantId::default()),
        }
    }

    /// What it may do.
    pub fn scopes(&self) -> &Scopes {
        &self.scopes
    }

    /// Whether it speaks for whichever tenant it names.
    pub fn speaks_for_all(&self) -> bool {
        self.reach == Reach::All
    }
}

fn other_tenant() -> Problem {
    Problem::forbidden("this key does not speak for the tenant that is named")
}

/// What a call needs.
#[derive(Debug, Clone, Copy)]
pub struct Needs<'a> {
    /// What it does, as the audit log calls it.
    pub action: &'a str,
    /// Which scope; `None` if it comes to nothing anyway, and only its caller is to be known.
    pub scope: Option<Scope>,
    /// Whether it is noted in the audit log that it was done, and not only that it was refused.
    pub audited: bool,
}

/// Who is let in, and what is noted of it.
#[derive(Debug)]
#[must_use = "what came of the call has to be noted"]
pub struct Pass<'a> {
    /// Who calls.
    pub caller: Caller,
    needs: Needs<'a>,
    trail: Option<Trail>,
}

/// A call that is not let in, and as much as is known of who made it.
#[derive(Debug)]
struct Turned {
    problem: Box<Problem>,
    actor: Actor,
    tenant: Option<TenantId>,
}

impl Turned {
    fn unknown(problem: Problem) -> Self {
        Self {
            problem: Box::new(problem),
            actor: Actor::Anonymous,
            tenant: None,
        }
    }
}

/// What a process knows of who may call.
#[derive(Debug)]
pub struct Door {
    known: Mutex<HashMap<KeyDigest, (Arc<KeyRecord>, Timestamp)>>,
    unknown: Mutex<HashMap<KeyDigest, Timestamp>>,
    limits: Limits,
    deploy_key: DeployKey,
    log: AuditLog,
    metrics: Metrics,
}

/// Who somebody is, before it is known what they are after.
struct Identity {
    actor: Actor,
    scopes: Scopes,
    reach: Reach,
    networks: Networks,
    requests_per_second: Option<u32>,
}

impl Door {
    /// One that knows nobody yet.
    pub fn new(sdk: &aws_config::SdkConfig, config: &Config) -> Self {
        Self {
            known: Mutex::default(),
            unknown: Mutex::default(),
            limits: Limits::default(),
            deploy_key: DeployKey::new(sdk, config),
            log: AuditLog::default(),
            metrics: Metrics::new(config),
        }
    }

    /// Lets a call in that may do what it is after, and notes it in the audit log: before it is
    /// done if it is to be, and in any case if it is refused.
    ///
    /// # Errors
    /// 401 without a key that is known, 403 for a scope, tenant or network that is not the key's,
    /// 422 for a tenant that cannot be one, 429 beyond the key's limit, 503 if it could not be
    /// looked up or noted.
    pub async fn pass<'a>(
        &self,
        call: &Call,
        needs: Needs<'a>,
        store: &Store,
        config: &Config,
        now: Timestamp,
    ) -> Result<Pass<'a>, Problem> {
        let admitted = self.admit(call, store, config, now).await;
        let allowed = admitted.and_then(|caller| {
            let allowed = needs.scope.map_or(Ok(()), |scope| caller.require(scope));
            match allowed {
                Ok(()) => Ok(caller),
                Err(problem) => Err(Turned {
                    problem: Box::new(problem),
                    actor: caller.actor,
                    tenant: Some(caller.tenant),
                }),
            }
        });
        let caller = match allowed {
            Ok(caller) => caller,
            Err(turned) => {
                let Turned {
                    problem,
                    actor,
                    tenant,
                } = turned;
                self.measure(problem.status, now);
                if matches!(problem.status, 401 | 403) {
                    let entry = entry_of(call, needs.action, &actor, tenant.as_ref(), now);
                    self.log.refused(store, config, entry, problem.status).await;
                }
                return Err(*problem);
            }
        };
        let mut trail = None;
        if needs.audited {
            let tenant = Some(&caller.tenant);
            let entry = entry_of(call, needs.action, &caller.actor, tenant, now);
            trail = Some(self.log.begin(store, config, entry).await?);
        }
        Ok(Pass {
            caller,
            needs,
            trail,
        })
    }

    /// Notes what came of a call that was let in.
    pub async fn end(
        &self,
        pass: Pass<'_>,
        call: &Call,
        outcome: &Result<Reply, Problem>,
        store: &Store,
        config: &Config,
        now: Timestamp,
    ) {
        let (status, made) = match outcome {
            Ok(reply) => (reply.status(), reply.header("location")),
            Err(problem) => (problem.status, None),
        };
        if pass.trail.is_none() && status == 403 {
            self.note_refused(&pass, call, store, config, now).await;
        } else {
            self.measure(status, now);
        }
        if let Some(trail) = pass.trail {
            trail.end(store, status, made).await;
        }
    }

    /// Measures a call that was not let in: at most a few lines a minute, however many there are.
    fn measure(&self, status: u16, now: Timestamp) {
        if matches!(status, 401 | 403 | 429) {
            self.metrics.count(Metric::CallsRefused, 1, now);
            self.metrics.tell_at_times(now);
        }
    }

    /// Notes that a part of a call was refused: its body names a tenant that is not the caller's.
    pub async fn note_refused(
        &self,
        pass: &Pass<'_>,
        call: &Call,
        store: &Store,
        config: &Config,
        now: Timestamp,
    ) {
        self.measure(403, now);
        let Caller { actor, tenant, .. } = &pass.caller;
        let entry = entry_of(call, pass.needs.action, actor, Some(tenant), now);
        self.log.refused(store, config, entry, 403).await;
    }

    /// Notes that whoever may invoke the function in AWS is about to do `action`.
    ///
    /// # Errors
    /// It could not be noted, and must not be done.
    pub async fn begin_for_console(
        &self,
        action: &str,
        tenant: &TenantId,
        request_id: &str,
        store: &Store,
        config: &Config,
        now: Timestamp,
    ) -> Result<Trail, Error> {
        let entry = entry_without_call(&Actor::Console, action, tenant, request_id, now);
        self.log.begin(store, config, entry).await
    }

    /// Notes that what the deployment declares is about to be carried out.
    ///
    /// # Errors
    /// It could not be noted, and must not be done.
    pub async fn begin_for_deployment(
        &self,
        action: &str,
        request_id: &str,
        store: &Store,
        config: &Config,
        now: Timestamp,
    ) -> Result<Trail, Error> {
        let tenant = TenantId::default();
        let entry = entry_without_call(&Actor::Deployment, action, &tenant, request_id, now);
        self.log.begin(store, config, entry).await
    }

    async fn admit(
        &self,
        call: &Call,
        store: &Store,
        config: &Config,
        now: Timestamp,
    ) -> Result<Caller, Turned> {
        let from: Option<IpAddr> = call.source_ip.parse().ok();
        if !config.allowed_networks.allow(from) {
            let rule = "calls from this address are not let in";
            return Err(Turned::unknown(Problem::forbidden(rule)));
        }
        let named = named_tenant(call).map_err(Turned::unknown);
        if !config.auth_required {
            let tenant = named?.unwrap_or_default();
            return Ok(Caller::everything(Actor::Anonymous, tenant));
        }
        let identity = self.identify(call, store, config, now).await;
        let Identity {
            actor,
            scopes,
            reach,
            networks,
            requests_per_second,
        } = identity.map_err(Turned::unknown)?;
        let turned = |problem| Turned {
            problem: Box::new(problem),
            actor: actor.clone(),
            tenant: match &reach {
                Reach::Tenant(own) => Some(own.clone()),
                Reach::All => None,
            },
        };
        if !networks.allow(from) {
            let rule = "this key is not let in from this address";
            return Err(turned(Problem::forbidden(rule)));
        }
        let named = named?;
        let tenant = reach.tenant(named.as_ref());
        let tenant = tenant.ok_or_else(|| turned(other_tenant()))?;
        if let Some(per_second) = requests_per_second {
            let name = format!("calls#{actor}");
            let full = self.limits.admit(store, &name, per_second, now).await;
            if let Some(until) = full.map_err(|error| turned(error.into()))? {
                return Err(turned(Problem::too_many(until.since(now))));
            }
        }
        Ok(Caller {
            tenant,
            actor,
            scopes,
            reach,
        })
    }

    async fn identify(
        &self,
        call: &Call,
        store: &Store,
        config: &Config,
        now: Timestamp,
    ) -> Result<Identity, Problem> {
        let text = credential(call).ok_or_else(Problem::unauthorized)?;
        if let Some(key) = ApiKey::read(text) {
            let record = self.look_up(&key.digest(), store, now).await?;
            let record = record.ok_or_else(Problem::unauthorized)?;
            return match record.standing(now) {
                Standing::Active => Ok(Identity {
                    actor: Actor::Key(record.id.clone()),
                    scopes: record.scopes.clone(),
                    reach: record.reach.clone(),
                    networks: record.networks.clone(),
                    requests_per_second: record.requests_per_second,
                }),
                Standing::Expired | Standing::Revoked => Err(Problem::unauthorized()),
            };
        }
        if Token::is_meant(text) {
            let key = store.signing_key().await?;
            return match Token::verify(text, key, now) {
                Ok(token) => Ok(Identity {
                    actor: Actor::Token {
                        id: token.id,
                        made_by: token.made_by,
                    },
                    scopes: Token::scopes(),
                    reach: Reach::Tenant(token.tenant),
                    networks: Networks::default(),
                    requests_per_second: None,
                }),
                Err(TokenFault::NoToken | TokenFault::Forged | TokenFault::Expired) => {
                    Err(Problem::unauthorized())
                }
            };
        }
        if self.deploy_key.opens(text, config, now).await? {
            return Ok(Identity {
                actor: Actor::DeployKey,
                scopes: Scopes::only(Scope::Admin),
                reach: Reach::All,
                networks: Networks::default(),
                requests_per_second: None,
            });
        }
        Err(Problem::unauthorized())
    }

    /// A key by its hash, as it is or was within [`KNOWN_FOR`].
    async fn look_up(
        &self,
        digest: &KeyDigest,
        store: &Store,
        now: Timestamp,
    ) -> Result<Option<Arc<KeyRecord>>, Error> {
        {
            let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some((record, at)) = known.get(digest)
                && now.since(*at) < KNOWN_FOR
            {
                return Ok(Some(Arc::clone(record)));
            }
            let unknown = self.unknown.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(at) = unknown.get(digest)
                && now.since(*at) < UNKNOWN_FOR
            {
                return Ok(None);
            }
        }
        let found = store.api_key(digest).await?.map(Arc::new);
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let mut unknown = self.unknown.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(record) = &found {
            remember(&mut known, *digest, (Arc::clone(record), now));
        } else {
            known.remove(digest);
            remember(&mut unknown, *digest, now);
        }
        Ok(found)
    }
}

/// Keys that are none have a room of their own: whoever guesses drives out no key that is one.
fn remember<T>(map: &mut HashMap<KeyDigest, T>, digest: KeyDigest, value: T) {
    if map.len() >= MAX_KNOWN {
        map.clear();
    }
    map.insert(digest, value);
}

/// `Authorization: Bearer <key>` or `X-Api-Key: <key>`.
fn credential(call: &Call) -> Option<&str> {
    let bearer = call.header("authorization").and_then(|value| {
        let (scheme, key) = value.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then(|| key.trim())
    });
    let text = bearer.or_else(|| call.header("x-api-key"))?;
    (!text.is_empty()).then_some(text)
}

fn named_tenant(call: &Call) -> Result<Option<TenantId>, Problem> {
    let Some(text) = call.text_header("X-Tenant")? else {
        return Ok(None);
    };
    let named = |invalid: Invalid| Invalid::new("X-Tenant", invalid.rule);
    Ok(Some(text.parse().map_err(named)?))
}

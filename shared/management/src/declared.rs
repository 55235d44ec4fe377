//! The endpoints that a deployment declares are made, changed and released as it says.
//!
//! A note tells which declarations were carried out last, and which endpoints they were of. It is
//! written before the first of them is touched and after the last, so that what breaks off is done
//! again, and nothing that was ever declared is forgotten. Done twice, or by two at once, it comes
//! to the same.

use std::sync::atomic::Ordering;

use hookpost_adapters::table::{Creation, DeclaredNote};
use hookpost_adapters::world::secret_bytes;
use hookpost_domain::endpoint::{Declared, Endpoint};
use hookpost_domain::ports::{Endpoints, Error, World, Write};
use hookpost_domain::signature::Secret;
use hookpost_domain::{EndpointId, Invalid, TenantId};
use serde::Serialize;

use crate::Management;
use crate::endpoints::TRIES;

/// Whose endpoints a deployment declares.
fn owner() -> TenantId {
    TenantId::default()
}

/// What the keyed hash of the declarations is for.
const PURPOSE: &str = "declared endpoints";

/// What came of carrying declarations out.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Reconciled {
    /// Endpoints that are declared.
    pub declared: usize,
    /// Those of them that were made or changed.
    pub changed: usize,
    /// Endpoints that are declared no more, and were disabled.
    pub released: usize,
}

/// Whether anything is to be done about what the deployment declares.
#[derive(Debug)]
pub enum Todo {
    /// It is as it should be.
    Nothing(Reconciled),
    /// It is not.
    Reconcile(Box<Work>),
}

/// What is to be done: declarations, and what was made of those before.
#[derive(Debug)]
pub struct Work {
    declared: Vec<Declared>,
    done: String,
    note: DeclaredNote,
}

/// Why declarations were not carried out.
#[derive(Debug, thiserror::Error)]
pub enum Undeclared {
    /// They make no sense.
    #[error("the declared endpoints make no sense: {0}")]
    Invalid(#[from] Invalid),
    /// A call failed: the next time will do it.
    #[error(transparent)]
    Failed(#[from] Error),
    /// Others changed the same things all the time: the next time will do it.
    #[error("others are at it")]
    Busy,
    /// The tenant has as many endpoints as it may.
    #[error("the tenant `default` has as many endpoints as it may have")]
    Full,
}

impl<W: World> Management<W> {
    /// What is to be done about what the deployment declares.
    ///
    /// # Errors
    /// It makes no sense, or a read failed.
    pub async fn declared_anew(&self) -> Result<Todo, Undeclared> {
        let declarations = &self.config.declarations;
        // A process declares the same as long as it lives: what has none asks once.
        if self.nothing_declared.load(Ordering::Relaxed) {
            return Ok(Todo::Nothing(Reconciled::default()));
        }
        let note = self.store.declared().await?;
        if declarations.is_empty() && note.ids.is_empty() {
            self.nothing_declared.store(true, Ordering::Relaxed);
            return Ok(Todo::Nothing(Reconciled::default()));
        }
        let done = self
            .store
            .signing_key()
            .await?
            .sign(PURPOSE, &declarations.text());
        let done = done.iter().fold(String::new(), |mut hex, byte| {
            use std::fmt::Write;
            // Writing to a string cannot fail.
            let _ = write!(hex, "{byte:02x}");
            hex
        });
        let declared = declarations.read()?;
        if note.done == done {
            return Ok(Todo::Nothing(Reconciled {
                declared: declared.len(),
                ..Reconciled::default()
            }));
        }
        Ok(Todo::Reconcile(Box::new(Work {
            declared,
            done,
            note,
        })))
    }

    /// Makes what the deployment declares so, and releases what it declares no more.
    ///
    /// # Errors
    /// Nothing was forgotten: the next time goes on.
    pub async fn reconcile_declared(&self, work: Work) -> Result<Reconciled, Undeclared> {
        let Work {
            declared,
            done,
            note,
        } = work;
        let mut result = Reconciled {
            declared: declared.len(),
            ..Reconciled::default()
        };
        let ids: Vec<EndpointId> = declared.iter().map(|one| one.id.clone()).collect();
        let mut both = ids.clone();
        both.extend(note.ids.iter().filter(|id| !ids.contains(id)).cloned());
        let note = self.note_declared(String::new(), both.clone(), note.version);
        let version = note.await?;
        for one in &declared {
            result.changed += usize::from(self.make_so(one).await?);
        }
        for id in both.iter().filter(|id| !ids.contains(id)) {
            result.released += usize::from(self.release(id).await?);
        }
        self.note_declared(done, ids, version).await?;
        Ok(result)
    }

    /// Writes the note over `over`, and tells its version.
    async fn note_declared(
        &self,
        done: String,
        ids: Vec<EndpointId>,
        over: u64,
    ) -> Result<u64, Undeclared> {
        let version = over + 1;
        let note = DeclaredNote { done, ids, version };
        match self.store.note_declared(&note, over).await? {
            Write::Won => Ok(version),
            Write::Lost(_) => Err(Undeclared::Busy),
        }
    }

    /// Makes an endpoint as it is declared, and tells whether there was anything to do.
    async fn make_so(&self, declared: &Declared) -> Result<bool, Undeclared> {
        let (tenant, now) = (owner(), self.world.now());
        let secret = secret_bytes().map_err(|error| Error {
            call: "make a secret",
            source: error.into(),
        })?;
        let (secret, allowed) = (Secret::generate(secret), &self.config.allowed_targets);
        let mut current = self.store.whole_endpoint(&tenant, &declared.id).await?;
        for _ in 0..TRIES {
            let next = declared.apply(current.as_ref(), &tenant, secret.clone(), allowed, now)?;
            let Some(next) = next else {
                return Ok(false);
            };
            self.note_before(current.as_ref(), &next).await?;
            current = match &current {
                None => match self
                    .store
                    .create_endpoint(&next, self.config.max_endpoints)
                    .await?
                {
                    Creation::Made => return Ok(true),
                    Creation::Full => return Err(Undeclared::Full),
                    Creation::Exists => self.store.whole_endpoint(&tenant, &declared.id).await?,
                },
                Some(known) => match self.store.store_endpoint(&next, known.version).await? {
                    Write::Won => return Ok(true),
                    Write::Lost(other) => other,
                },
            };
        }
        Err(Undeclared::Busy)
    }

    /// Lets go of an endpoint, and tells whether there was anything to do.
    async fn release(&self, id: &EndpointId) -> Result<bool, Undeclared> {
        let mut current = self.store.whole_endpoint(&owner(), id).await?;
        for _ in 0..TRIES {
            let now = self.world.now();
            let next = |known: &Endpoint| Some((known.version, known.released(now)?));
            let Some((over, next)) = current.as_ref().and_then(next) else {
                return Ok(false);
            };
            self.note_before(current.as_ref(), &next).await?;
            current = match self.store.store_endpoint(&next, over).await? {
                Write::Won => return Ok(true),
                Write::Lost(other) => other,
            };
        }
        Err(Undeclared::Busy)
    }
}

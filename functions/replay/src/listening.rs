//! Whether anybody wants to know what became of a tenant's deliveries: what nobody asks for is not
//! noted.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use hookpost_domain::job::Job;
use hookpost_domain::news::{self, Board, Dead, Note};
use hookpost_domain::ports::{Error, Notes, World};
use hookpost_domain::{TenantId, Timestamp};

use crate::{Queues, Replayer, Tables};

/// How long a process believes who listens.
const BELIEVED_FOR: Duration = Duration::from_secs(5);

/// Who listens, as this process knows it.
#[derive(Debug, Default)]
pub(crate) struct Listening {
    operator: Option<TenantId>,
    known: Mutex<Option<(Timestamp, Vec<TenantId>)>>,
}

impl Listening {
    pub(crate) fn of(operator: Option<TenantId>) -> Self {
        Self {
            operator,
            known: Mutex::default(),
        }
    }

    async fn has(
        &self,
        store: &impl Notes,
        tenant: &TenantId,
        now: Timestamp,
    ) -> Result<bool, Error> {
        let known = self.lock().clone();
        let listening = match known {
            Some((at, listening)) if now.since(at) < BELIEVED_FOR => listening,
            Some(_) | None => {
                let (board, _) = Board::read(store.notes().await?, now);
                let listening = board.listening();
                *self.lock() = Some((now, listening.clone()));
                listening
            }
        };
        let listeners = news::listeners(&listening, self.operator.as_ref(), tenant, false);
        Ok(!listeners.is_empty())
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<(Timestamp, Vec<TenantId>)>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<S: Tables, Q: Queues, W: World> Replayer<S, Q, W> {
    /// Notes dead letters for whoever wants to know. What goes wrong is logged: the dead letters
    /// themselves are where they belong.
    pub(crate) async fn note_dead(&self, all: Vec<Dead>) {
        let now = self.world.now();
        for dead in Dead::sum(all) {
            self.note_for(&dead.tenant, &Note::dead(&dead, now), now)
                .await;
        }
    }

    /// Notes that a job is done, likewise.
    pub(crate) async fn note_done(&self, job: &Job) {
        let now = self.world.now();
        if news::of_job(job, now).is_some() {
            self.note_for(&job.tenant, &Note::job(job, now), now).await;
        }
    }

    async fn note_for(&self, tenant: &TenantId, note: &Note, now: Timestamp) {
        let noted = async {
            if self.listening.has(&self.store, tenant, now).await? {
                self.store.note(note).await?;
            }
            Ok::<_, Error>(())
        };
        if let Err(error) = noted.await {
            tracing::error!(%tenant, %error, cause = ?error.source, "nobody will be told");
        }
    }
}

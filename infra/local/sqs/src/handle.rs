//! The handle: the state machine with a clock, a lock and sleepers around it.
//!
//! A long poll sleeps until its queue has something for it. Whatever makes a
//! message visible wakes one poller of that queue, and a poller that leaves
//! messages behind wakes the next, so no message waits beside a sleeping
//! poller. One timer task ends delays and visibility timeouts and drives move
//! tasks; it ends with the last handle.

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use tokio::sync::Notify;

use crate::clock::Clock;
use crate::errors::SqsError;
use crate::hooks::{CallInfo, CallReport, Hooks};
use crate::message::Delivered;
use crate::snapshot::Snapshot;
use crate::state::{Effects, ReceiveAsk, State};

/// Messages moved per turn of the timer, so that a large task does not hold the lock for long.
const MOVES_PER_TURN: u64 = 1000;

/// An SQS in this process. Clones are handles on the same queues.
#[derive(Clone, Debug)]
pub struct Sqs {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    core: Mutex<Core>,
    clock: Arc<dyn Clock>,
    hooks: Hooks,
    /// Held while a snapshot is taken and written.
    saving: Mutex<()>,
    /// Tells the timer that something is due earlier, or that the last handle went.
    earlier: Arc<Notify>,
}

#[derive(Debug)]
struct Core {
    state: State,
    pollers: HashMap<String, Arc<Notify>>,
    /// When the timer will look next.
    timer_ms: u64,
    saved_revision: u64,
}

/// A receive, short or long.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Poll {
    pub(crate) max: usize,
    /// The queue's own wait if absent.
    pub(crate) wait_ms: Option<u64>,
    pub(crate) visibility_ms: Option<u64>,
}

/// What one look at the queue came to.
enum Look {
    Done(Vec<Delivered>),
    WaitUntil(u64),
}

impl Sqs {
    /// Queues on a clock. Call it inside a Tokio runtime.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self::with_hooks(clock, Hooks::default())
    }

    /// Queues on a clock, with somebody looking on. Call it inside a Tokio runtime.
    pub fn with_hooks(clock: Arc<dyn Clock>, hooks: Hooks) -> Self {
        let earlier = Arc::new(Notify::new());
        let inner = Arc::new(Inner {
            core: Mutex::new(Core {
                state: State::new(fastrand::u64(..)),
                pollers: HashMap::new(),
                timer_ms: u64::MAX,
                saved_revision: 0,
            }),
            clock: Arc::clone(&clock),
            hooks,
            saving: Mutex::new(()),
            earlier: Arc::clone(&earlier),
        });
        tokio::spawn(keep_time(Arc::downgrade(&inner), clock, earlier));
        Self { inner }
    }

    /// Does something to the queues, then wakes whoever waits for it.
    pub(crate) fn run<T>(&self, work: impl FnOnce(&mut State, u64) -> T) -> T {
        let mut core = self.inner.lock();
        let now_ms = self.inner.clock.now_ms();
        let done = work(&mut core.state, now_ms);
        let effects = core.state.drain_effects();
        core.wake(&effects);
        if let Some(due_ms) = effects.due_ms.filter(|due_ms| *due_ms < core.timer_ms) {
            core.timer_ms = due_ms;
            self.inner.earlier.notify_one();
        }
        done
    }

    /// Receives, waiting for messages as long as was asked.
    pub(crate) async fn poll(&self, name: &str, poll: Poll) -> Result<Vec<Delivered>, SqsError> {
        let clock = &self.inner.clock;
        let started_ms = clock.now_ms();
        loop {
            // Before the look: what comes after it leaves its mark here.
            let poller = self.inner.lock().poller(name)?;
            let until_ms = match self.look(name, poll, started_ms)? {
                Look::Done(delivered) => return Ok(delivered),
                Look::WaitUntil(until_ms) => until_ms,
            };
            tokio::select! {
                () = poller.notified() => {}
                () = clock.wait_until(until_ms) => {}
            }
        }
    }

    fn look(&self, name: &str, poll: Poll, started_ms: u64) -> Result<Look, SqsError> {
        self.run(|state, now_ms| {
            let own_ms = state.queue(name)?.settings.wait_ms;
            let wait_ms = poll.wait_ms.unwrap_or(own_ms);
            let until_ms = started_ms.saturating_add(wait_ms);
            let ask = ReceiveAsk {
                max: poll.max,
                visibility_ms: poll.visibility_ms,
                long_poll: wait_ms > 0,
            };
            let delivered = state.receive(name, ask, now_ms)?;
            if delivered.is_empty() && now_ms < until_ms {
                Ok(Look::WaitUntil(until_ms))
            } else {
                Ok(Look::Done(delivered))
            }
        })
    }

    /// Ends the waits on a queue that is gone.
    pub(crate) fn forget_pollers(&self, name: &str) {
        if let Some(pollers) = self.inner.lock().pollers.remove(name) {
            pollers.notify_waiters();
            // One that has looked but does not wait yet.
            pollers.notify_one();
        }
    }

    pub(crate) fn hooks(&self) -> &Hooks {
        &self.inner.hooks
    }

    pub(crate) fn report(&self, call: &CallInfo, report: &CallReport) {
        if let Some(observer) = &self.inner.hooks.observer {
            observer(call, report);
        }
    }

    /// Writes the queues to a file, whole or not at all.
    pub async fn save(&self, path: &Path) -> io::Result<()> {
        let (inner, path) = (Arc::clone(&self.inner), PathBuf::from(path));
        on_a_thread(move || inner.save(&path)).await
    }

    /// Writes the queues to a file if anything has changed since the last time; answers whether it did.
    pub async fn save_if_changed(&self, path: &Path) -> io::Result<bool> {
        let changed = {
            let core = self.inner.lock();
            core.state.revision != core.saved_revision
        };
        if changed {
            self.save(path).await?;
        }
        Ok(changed)
    }

    /// Puts a file's queues in place of those here; `false` where there is no such file.
    pub async fn load(&self, path: &Path) -> io::Result<bool> {
        let path = PathBuf::from(path);
        let Some(snapshot) = on_a_thread(move || Snapshot::read(&path)).await? else {
            return Ok(false);
        };
        self.run(|state, now_ms| {
            snapshot.restore(state)?;
            state.note_due(Some(now_ms));
            Ok(())
        })
        .map_err(|error: SqsError| io::Error::new(io::ErrorKind::InvalidData, error))?;
        Ok(true)
    }
}

impl Inner {
    fn lock(&self) -> MutexGuard<'_, Core> {
        self.core.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One save at a time, each of a later moment than the one before.
    fn save(&self, path: &Path) -> io::Result<()> {
        let _turn = self.saving.lock().unwrap_or_else(PoisonError::into_inner);
        let (snapshot, revision) = {
            let core = self.lock();
            (Snapshot::of(&core.state), core.state.revision)
        };
        snapshot.write(path)?;
        self.lock().saved_revision = revision;
        Ok(())
    }

    /// Lets time do its work; answers when there is more to do.
    fn advance(&self) -> u64 {
        let mut core = self.lock();
        let now_ms = self.clock.now_ms();
        let due_ms = core.state.advance(now_ms, MOVES_PER_TURN);
        let effects = core.state.drain_effects();
        core.wake(&effects);
        core.timer_ms = due_ms.unwrap_or(u64::MAX);
        core.timer_ms
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.earlier.notify_one();
    }
}

impl Core {
    fn wake(&self, effects: &Effects) {
        for name in &effects.ready {
            if let Some(poller) = self.pollers.get(name) {
                poller.notify_one();
            }
        }
    }

    fn poller(&mut self, name: &str) -> Result<Arc<Notify>, SqsError> {
        if let Some(poller) = self.pollers.get(name) {
            return Ok(Arc::clone(poller));
        }
        self.state.queue(name)?;
        let poller = Arc::new(Notify::new());
        self.pollers.insert(name.to_owned(), Arc::clone(&poller));
        Ok(poller)
    }
}

/// The timer task. It holds no handle while it sleeps, so that the last one can go.
async fn keep_time(inner: Weak<Inner>, clock: Arc<dyn Clock>, earlier: Arc<Notify>) {
    loop {
        let Some(due_ms) = inner.upgrade().map(|inner| inner.advance()) else {
            return;
        };
        if due_ms == u64::MAX {
            earlier.notified().await;
        } else {
            tokio::select! {
                () = earlier.notified() => {}
                () = clock.wait_until(due_ms) => {}
            }
        }
        // An unpaced move task is always due: let the others at the lock.
        tokio::task::yield_now().await;
    }
}

async fn on_a_thread<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(io::Error::other)?
}

//! The engine's own thread: calls queue up for it instead of blocking the
//! asynchronous threads on its lock.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Sender, channel};

use dynoxide::Database;
use tokio::sync::oneshot;

type Call = Box<dyn FnOnce(&Database) + Send>;

/// Runs calls one after the other. Clones share the thread.
#[derive(Clone)]
pub(super) struct Engine {
    calls: Sender<Call>,
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Engine")
    }
}

impl Engine {
    /// The thread ends with the last handle.
    pub(super) fn start(database: Database) -> Self {
        let (calls, queue) = channel::<Call>();
        std::thread::spawn(move || {
            for call in queue {
                // Its caller is told by the lost answer; the others go on.
                let _panicked = catch_unwind(AssertUnwindSafe(|| call(&database)));
            }
        });
        Self { calls }
    }

    /// Runs `call`; `None` if it panicked.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        call: impl FnOnce(&Database) -> T + Send + 'static,
    ) -> Option<T> {
        let (done, result) = oneshot::channel();
        let call: Call = Box::new(move |database| {
            // The caller may have gone away in the meantime.
            let _gone = done.send(call(database));
        });
        self.calls.send(call).ok()?;
        result.await.ok()
    }
}

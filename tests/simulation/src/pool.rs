//! Instances of a function: each works one invocation at a time, remembers what its process knows,
//! and is gone with it.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use hookpost_testkit::Process;

struct Instance<F> {
    process: Process,
    function: Arc<F>,
}

/// The instances of one function that nobody uses right now.
pub(crate) struct Pool<F> {
    idle: Mutex<Vec<Instance<F>>>,
    make: Box<dyn Fn() -> (Process, F) + Send + Sync>,
    time_out: Duration,
}

impl<F: 'static> Pool<F> {
    pub(crate) fn new(
        time_out: Duration,
        make: impl Fn() -> (Process, F) + Send + Sync + 'static,
    ) -> Self {
        Self {
            idle: Mutex::default(),
            make: Box::new(make),
            time_out,
        }
    }

    fn take(&self) -> Instance<F> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.pop().unwrap_or_else(|| {
            let (process, function) = (self.make)();
            Instance {
                process,
                function: Arc::new(function),
            }
        })
    }

    /// Has an instance do something: `None` if it panicked, took too long, or its process ended.
    pub(crate) async fn invoke<R, D>(&self, work: impl FnOnce(Arc<F>) -> D) -> Option<R>
    where
        R: 'static,
        D: Future<Output = R> + 'static,
    {
        let instance = self.take();
        let done = tokio::task::spawn_local(work(Arc::clone(&instance.function)));
        let done = tokio::select! {
            done = done => done.ok(),
            () = instance.process.ended() => return None,
            () = tokio::time::sleep(self.time_out) => {
                instance.process.kill();
                return None;
            }
        };
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.push(instance);
        done
    }
}

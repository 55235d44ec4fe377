//! A function's instances and the invocations that wait for one.
//!
//! All transitions of an instance's state happen under the pool's lock, which
//! no await crosses.

use std::collections::{BTreeMap, VecDeque};
use std::ffi::OsString;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::sync::{Notify, oneshot};

use super::instance::{Instance, Job, State, Work};
use super::tally::{FunctionStats, Tally};
use super::{HostSetting, Outcome, environment, error_document};
use crate::clock;
use crate::template;
use crate::usage::{self, Usage};

/// How long a process may take until it asks for work.
const INIT_TIMEOUT: Duration = Duration::from_secs(30);

/// The answer to an instance that asks for work.
#[derive(Debug)]
pub(super) enum Next {
    Now(Work),
    Later(oneshot::Receiver<Work>),
}

/// One function and its processes.
#[derive(Debug)]
pub(super) struct Function {
    pub logical_id: String,
    pub name: String,
    pub arn: String,
    pub binary: String,
    pub timeout: Duration,
    memory_mb: u32,
    pub environment: Vec<(OsString, OsString)>,
    limit: usize,
    pool: Mutex<Pool>,
}

#[derive(Debug, Default)]
struct Pool {
    waiting: VecDeque<Job>,
    /// The one that went idle last is taken first: it is the warmest.
    idle: Vec<(u64, oneshot::Sender<Work>)>,
    instances: BTreeMap<u64, Instance>,
    next_instance: u64,
    tally: Tally,
}

/// An instance that has just been entered in the pool and awaits its process.
#[derive(Debug)]
pub(super) struct Slot {
    pub id: u64,
    pub kill: Arc<Notify>,
}

impl Function {
    pub(super) fn new(function: &template::Function, setting: &HostSetting) -> Self {
        // A queue's pollers are bounded by themselves: each must find an instance.
        let polled: usize = function
            .sources
            .iter()
            .map(|source| source.max_concurrency.unwrap_or(setting.max_instances))
            .sum();
        Self {
            logical_id: function.logical_id.clone(),
            name: function.name.clone(),
            arn: function.arn.clone(),
            binary: function.binary.clone(),
            timeout: function.timeout,
            memory_mb: function.memory_mb,
            environment: environment::of(function, setting),
            limit: polled + setting.max_instances,
            pool: Mutex::default(),
        }
    }

    fn pool(&self) -> MutexGuard<'_, Pool> {
        self.pool.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Hands the job to an idle instance, or keeps it. `Some` asks the caller
    /// to start the process of a new instance.
    pub(super) fn submit(&self, mut job: Job) -> Option<Slot> {
        let mut pool = self.pool();
        while let Some((id, hand)) = pool.idle.pop() {
            match pool.hand_over(id, job, hand, self.timeout) {
                None => return None,
                Some(back) => job = back,
            }
        }
        pool.waiting.push_back(job);
        self.another(&mut pool)
    }

    /// A new instance where more invocations wait than instances are starting.
    fn another(&self, pool: &mut Pool) -> Option<Slot> {
        let starting = pool
            .instances
            .values()
            .filter(|instance| matches!(instance.state, State::Starting))
            .count();
        if starting >= pool.waiting.len() || pool.instances.len() >= self.limit {
            return None;
        }
        let id = pool.next_instance;
        pool.next_instance += 1;
        pool.tally.spawns += 1;
        let instance = Instance::starting();
        let kill = Arc::clone(&instance.kill);
        pool.instances.insert(id, instance);
        Some(Slot { id, kill })
    }

    pub(super) fn started(&self, id: u64, pid: u32) {
        if let Some(instance) = self.pool().instances.get_mut(&id) {
            instance.pid = pid;
        }
    }

    /// An instance asks for work. `None`: there is no such instance.
    pub(super) fn next(&self, id: u64) -> Option<Next> {
        let mut pool = self.pool();
        let now = clock::monotonic();
        let instance = pool.instances.get_mut(&id)?;
        match &instance.state {
            State::Starting => {
                let took = now.duration_since(instance.spawned);
                instance.state = State::Idle { since: now };
                pool.tally.to_first_next.push(took);
            }
            State::Idle { .. } => {}
            // It asks again without having answered: what it had is lost.
            State::Busy { .. } => {
                instance.fail(
                    "Runtime.NoResponse",
                    "the runtime asked for more without an answer",
                );
                instance.state = State::Idle { since: now };
            }
            State::Ending => return Some(Next::Later(oneshot::channel().1)),
        }
        // The same instance may ask twice if its connection broke.
        pool.idle.retain(|(idle, _)| *idle != id);
        if let Some(job) = pool.waiting.pop_front() {
            return pool.begin(id, job, self.timeout).map(Next::Now);
        }
        let (hand, work) = oneshot::channel();
        pool.idle.push((id, hand));
        Some(Next::Later(work))
    }

    /// An instance ends its invocation. `false`: it had no such invocation.
    pub(super) fn answer(&self, id: u64, request_id: &str, outcome: Outcome) -> bool {
        let mut pool = self.pool();
        let now = clock::monotonic();
        let Some(instance) = pool.instances.get_mut(&id) else {
            return false;
        };
        let busy = instance.busy_for(self.timeout, now);
        let Some(job) = instance.take_job(|job| job.request_id == request_id) else {
            return false;
        };
        instance.state = State::Idle { since: now };
        let first = !std::mem::replace(&mut instance.answered_before, true);
        let took = now.duration_since(instance.spawned);
        if first {
            pool.tally.to_first_answer.push(took);
        }
        pool.tally.busy += busy;
        pool.tally.invocations += 1;
        pool.tally.errors += u64::from(matches!(outcome, Outcome::Failed(_)));
        drop(pool);
        job.end(outcome);
        true
    }

    pub(super) fn init_failed(&self, id: u64, document: Bytes) {
        if let Some(instance) = self.pool().instances.get_mut(&id) {
            instance.init_error = Some(document);
        }
    }

    /// The process has ended. Fails what it had, and asks for a replacement
    /// where one is needed.
    pub(super) fn ended(&self, id: u64, how: &str, last: Option<Usage>) -> Option<Slot> {
        let mut pool = self.pool();
        pool.idle.retain(|(idle, _)| *idle != id);
        let mut instance = pool.instances.remove(&id)?;
        pool.tally
            .ended(last.unwrap_or(instance.usage), instance.baseline_ms);
        let text = format!("the runtime exited: {how}");
        let state = std::mem::replace(&mut instance.state, State::Ending);
        let failed = match state {
            // It never asked for work: one of those that wait fails with it,
            // so that a binary that cannot start does not start for ever.
            State::Starting => pool.waiting.pop_front(),
            State::Busy { job, .. } => Some(job),
            State::Idle { .. } | State::Ending => None,
        };
        // Only of one that ended by itself nothing could be read.
        pool.tally.crashes += u64::from(last.is_none());
        if let Some(job) = failed {
            let text = format!("RequestId: {} Error: {text}", job.request_id);
            let document = instance
                .init_error
                .unwrap_or_else(|| error_document("Runtime.ExitError", &text));
            pool.tally.invocations += 1;
            pool.tally.errors += 1;
            job.end(Outcome::Failed(document));
        }
        self.another(&mut pool)
    }

    /// The process could not be started.
    pub(super) fn not_started(&self, id: u64, why: &str) {
        let mut pool = self.pool();
        pool.instances.remove(&id);
        for job in pool.waiting.drain(..) {
            job.end(Outcome::Unavailable(why.to_owned()));
        }
    }

    /// Ends instances past their time-out or idle for too long; what there is
    /// to tell about it.
    pub(super) fn enforce(&self, now: Instant, idle: Duration) -> Vec<String> {
        let mut pool = self.pool();
        let Pool {
            instances,
            tally,
            idle: waiting_for_work,
            ..
        } = &mut *pool;
        let mut told = Vec::new();
        for (id, instance) in instances.iter_mut() {
            match &instance.state {
                State::Busy { deadline, job } if *deadline <= now => {
                    let seconds = self.timeout.as_secs_f64();
                    let text = format!(
                        "{} Task timed out after {seconds:.2} seconds",
                        job.request_id
                    );
                    told.push(format!("{}: {text}", self.binary));
                    tally.invocations += 1;
                    tally.errors += 1;
                    tally.timeouts += 1;
                    tally.busy += self.timeout;
                    instance.fail("Sandbox.Timedout", &text);
                    instance.kill.notify_one();
                }
                State::Starting if now.duration_since(instance.spawned) > INIT_TIMEOUT => {
                    let text = format!(
                        "no call for work {} s after its start",
                        INIT_TIMEOUT.as_secs()
                    );
                    told.push(format!("{}: {text}", self.binary));
                    instance.init_error = Some(error_document("Sandbox.Timedout", &text));
                    instance.kill.notify_one();
                }
                State::Idle { since } if now.duration_since(*since) > idle => {
                    waiting_for_work.retain(|(waiting, _)| waiting != id);
                    instance.state = State::Ending;
                    instance.kill.notify_one();
                }
                State::Starting | State::Idle { .. } | State::Busy { .. } | State::Ending => {}
            }
        }
        told
    }

    pub(super) fn end_all(&self) {
        let mut pool = self.pool();
        // Dropping a job tells whoever waits for it that the system is ending.
        pool.waiting.clear();
        pool.idle.clear();
        for instance in pool.instances.values_mut() {
            instance.state = State::Ending;
            instance.kill.notify_one();
        }
    }

    pub(super) fn kill_all(&self) {
        for instance in self.pool().instances.values() {
            instance.kill.notify_one();
        }
    }

    pub(super) fn alive(&self) -> usize {
        self.pool().instances.len()
    }

    pub(super) fn busy(&self) -> usize {
        let pool = self.pool();
        let busy = |instance: &&Instance| matches!(instance.state, State::Busy { .. });
        pool.waiting.len() + pool.instances.values().filter(busy).count()
    }

    pub(super) fn note_usage(&self) {
        for instance in self.pool().instances.values_mut() {
            if let Some(usage) = usage::of(instance.pid) {
                instance.usage = usage;
            }
        }
    }

    pub(super) fn stats(&self) -> FunctionStats {
        self.note_usage();
        let pool = self.pool();
        let tally = &pool.tally;
        let alive = pool.instances.values();
        let cpu_ms: u64 = alive
            .clone()
            .map(|i| i.usage.cpu_ms.saturating_sub(i.baseline_ms))
            .sum();
        let peak = alive.clone().map(|i| i.usage.peak_rss_kib).max();
        FunctionStats {
            binary: self.binary.clone(),
            instances: pool.instances.len(),
            pids: alive.map(|i| i.pid).collect(),
            spawns: tally.spawns,
            invocations: tally.invocations,
            errors: tally.errors,
            timeouts: tally.timeouts,
            crashes: tally.crashes,
            memory_mb: self.memory_mb,
            busy_ms: u64::try_from(tally.busy.as_millis()).unwrap_or(u64::MAX),
            cpu_ms: cpu_ms + tally.ended_cpu_ms,
            peak_rss_kib: tally.peak_rss_kib.max(peak.unwrap_or(0)),
            start_to_first_next: tally.to_first_next.summary(),
            start_to_first_answer: tally.to_first_answer.summary(),
        }
    }

    pub(super) fn reset_stats(&self) {
        self.note_usage();
        let mut pool = self.pool();
        pool.tally = Tally::default();
        for instance in pool.instances.values_mut() {
            instance.baseline_ms = instance.usage.cpu_ms;
        }
    }
}

impl Pool {
    /// Makes the instance busy with the job.
    fn begin(&mut self, id: u64, job: Job, timeout: Duration) -> Option<Work> {
        let instance = self.instances.get_mut(&id)?;
        let work = Work {
            request_id: job.request_id.clone(),
            payload: job.payload.clone(),
            timeout,
        };
        let deadline = clock::monotonic() + timeout;
        instance.state = State::Busy { job, deadline };
        Some(work)
    }

    /// Gives the job to an instance that waits for one; back if it has gone.
    fn hand_over(
        &mut self,
        id: u64,
        job: Job,
        hand: oneshot::Sender<Work>,
        timeout: Duration,
    ) -> Option<Job> {
        if hand.is_closed() || !self.instances.contains_key(&id) {
            return Some(job);
        }
        let work = self.begin(id, job, timeout)?;
        if hand.send(work).is_ok() {
            return None;
        }
        let instance = self.instances.get_mut(&id)?;
        let job = instance.take_job(|_| true);
        instance.state = State::Idle {
            since: clock::monotonic(),
        };
        job
    }
}

#[cfg(test)]
mod tests;

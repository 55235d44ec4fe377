//! The order, the pace and the counts of a job, without a call to anybody.
//!
//! What is due when is measured in microseconds: no rate is rounded up.

use std::collections::HashMap;
use std::time::Duration;

use hookpost_domain::delivery::{Delivery, Only, Status};
use hookpost_domain::job::Job;
use hookpost_domain::ports::{Error, Outgoing};
use hookpost_domain::{DeliveryId, Timestamp};

/// How far ahead messages are sent, each with its delay: until the next resume, and some.
const HORIZON: Duration = Duration::from_secs(120);
/// How long it is waited for the time of what sends nothing: well within a lease.
const PATIENCE: Duration = Duration::from_secs(30);

/// How a page ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pace {
    /// Go on with the next one.
    On,
    /// The rate, or the time, is spent for now.
    Spent,
}

/// What is to be done with one id.
#[derive(Debug, PartialEq)]
pub(crate) enum Step {
    /// It is not meant.
    Pass,
    /// It is meant, and only counted.
    Count,
    /// It is done.
    Act {
        /// Its record.
        delivery: Box<Delivery>,
        /// When it may be sent, or done if nothing is sent.
        due_micros: u64,
    },
}

/// What became of it.
#[derive(Debug)]
pub(crate) enum Fate {
    /// It is not meant.
    Passed,
    /// It is meant, but it was not done: by us, or at all.
    Counted,
    /// Its record is written.
    Done {
        /// What is to be sent, and with which delay.
        message: Option<(Outgoing, Duration)>,
        /// When it may be sent, or was due.
        due_micros: u64,
    },
    /// Its record was not written, or nobody knows.
    Failed(Error),
    /// It was not tried.
    Left,
}

/// What came of a page.
#[derive(Debug)]
pub(crate) struct Sum {
    /// What is to be sent.
    pub(crate) messages: Vec<(Outgoing, Duration)>,
    /// What went wrong first.
    pub(crate) error: Option<Error>,
    /// Whether everything was dealt with.
    pub(crate) complete: bool,
}

/// The millisecond that a time in microseconds is in.
pub(crate) fn time(micros: u64) -> Timestamp {
    Timestamp::from_millis(micros / 1000)
}

fn interval_micros(job: &Job) -> u64 {
    1_000_000u64.div_ceil(u64::from(job.rate_per_second).max(1))
}

/// Whether a pass counts this delivery, or leaves it to another.
fn counts(only: Only, delivery: &Delivery) -> bool {
    match only {
        Only::Any => true,
        Only::Delivered => matches!(delivery.status, Status::Delivered { .. }),
        Only::Unwritten => delivery.version == 0,
    }
}

/// What to do with each of `ids`, in their order, up to where the rate is spent.
pub(crate) fn plan(
    job: &Job,
    ids: &[DeliveryId],
    mut found: HashMap<DeliveryId, Delivery>,
    only: Only,
    now: Timestamp,
) -> (Vec<(DeliveryId, Step)>, Pace) {
    let horizon = if job.action.sends() {
        HORIZON
    } else {
        PATIENCE
    };
    let mut steps = Vec::with_capacity(ids.len());
    let mut next = job.next_micros.max(now.as_millis().saturating_mul(1000));
    for id in ids {
        let meant = found.remove(id).filter(|delivery| {
            delivery.tenant == job.tenant
                && counts(only, delivery)
                && job.action.means(delivery, &job.filter, job.created_at)
        });
        let step = match meant {
            None => Step::Pass,
            Some(_) if job.dry_run => Step::Count,
            Some(_) if time(next).since(now) > horizon => return (steps, Pace::Spent),
            Some(delivery) => {
                let due_micros = next;
                next = next.saturating_add(interval_micros(job));
                Step::Act {
                    delivery: Box::new(delivery),
                    due_micros,
                }
            }
        };
        steps.push((id.clone(), step));
    }
    (steps, Pace::On)
}

/// Counts what was done, and leaves the job behind the last id before which nothing is left over.
/// What was done behind that counts as well: it is not met as it was when the job comes there
/// again.
pub(crate) fn tally(job: &mut Job, fates: Vec<(DeliveryId, Fate)>) -> Sum {
    let mut sum = Sum {
        messages: Vec::with_capacity(fates.len()),
        error: None,
        complete: true,
    };
    for (id, fate) in fates {
        match fate {
            Fate::Done {
                message,
                due_micros,
            } => {
                job.examined += 1;
                job.matched += 1;
                job.done += 1;
                job.next_micros = due_micros.saturating_add(interval_micros(job));
                sum.messages.extend(message);
            }
            Fate::Passed | Fate::Counted if sum.complete => {
                job.examined += 1;
                job.matched += u64::from(matches!(fate, Fate::Counted));
            }
            Fate::Passed | Fate::Counted => {}
            Fate::Left => sum.complete = false,
            Fate::Failed(error) => {
                sum.complete = false;
                sum.error.get_or_insert(error);
            }
        }
        if sum.complete {
            job.after = Some(id);
        }
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;
    use hookpost_domain::action::Action;
    use hookpost_domain::delivery::{DeadReason, DeliveryFilter};
    use hookpost_domain::{EventId, TenantId};

    const NOW: Timestamp = Timestamp::from_millis(1_795_262_400_000);
    const NOW_MICROS: u64 = 1_795_262_400_000_000;

    fn job(rate_per_second: u32) -> Job {
        Job {
            id: "job_x".to_owned(),
            tenant: TenantId::default(),
            action: Action::Replay,
            by: String::new(),
            note: String::new(),
            filter: DeliveryFilter {
                all: true,
                ..DeliveryFilter::default()
            },
            dry_run: false,
            rate_per_second,
            created_at: NOW,
            finished_at: None,
            cancelled_at: None,
            examined: 0,
            matched: 0,
            done: 0,
            pass: 0,
            shard: 0,
            after: None,
            next_micros: 0,
            leased_until: NOW,
            version: 1,
        }
    }

    /// One event, dead at many endpoints, in an order that is not that of their names.
    fn dead(count: usize) -> Vec<Delivery> {
        let event = EventId::generate(Timestamp::from_millis(1), [1; 10]);
        let letter = |nth: usize| {
            let endpoint = format!("ep_{}", (nth * 7) % 10).parse().unwrap();
            let id = DeliveryId { event, endpoint };
            Delivery::new(id, TenantId::default(), "a".parse().unwrap())
                .dead(DeadReason::Expired, NOW)
        };
        (0..count).map(letter).collect()
    }

    fn planned(job: &Job, letters: &[Delivery]) -> (Vec<(DeliveryId, Step)>, Pace) {
        let ids: Vec<_> = letters.iter().map(|letter| letter.id.clone()).collect();
        let found = letters
            .iter()
            .map(|letter| (letter.id.clone(), letter.clone()));
        plan(job, &ids, found.collect(), Only::Any, NOW)
    }

    fn won(due_micros: u64) -> Fate {
        let message = (Outgoing::Raw(due_micros.to_string()), Duration::ZERO);
        Fate::Done {
            message: Some(message),
            due_micros,
        }
    }

    fn failed() -> Fate {
        Fate::Failed(Error {
            call: "PutItem deliveries",
            source: "throttled".into(),
        })
    }

    fn dues(steps: &[(DeliveryId, Step)]) -> Vec<u64> {
        let due = |(_, step): &(DeliveryId, Step)| match step {
            Step::Act { due_micros, .. } => Some(due_micros - NOW_MICROS),
            Step::Pass | Step::Count => None,
        };
        steps.iter().filter_map(due).collect()
    }

    #[test]
    fn the_order_is_the_index_s_and_the_pace_is_exact() {
        let letters = dead(4);
        for (rate, expected) in [
            (600, [0, 1667, 3334, 5001]),
            (10_000, [0, 100, 200, 300]),
            (1, [0, 1_000_000, 2_000_000, 3_000_000]),
        ] {
            let (steps, pace) = planned(&job(rate), &letters);
            assert_eq!(pace, Pace::On);
            assert_eq!(dues(&steps), expected);
            let order: Vec<_> = steps.iter().map(|(id, _)| id).collect();
            assert_eq!(order, letters.iter().map(|l| &l.id).collect::<Vec<_>>());
        }
    }

    #[test]
    fn the_plan_ends_where_the_rate_is_spent() {
        let mut job = job(1);
        job.next_micros = NOW_MICROS + 119_000_000;
        let (steps, pace) = planned(&job, &dead(4));
        assert_eq!(
            (dues(&steps), pace),
            (vec![119_000_000, 120_000_000], Pace::Spent)
        );
        job.dry_run = true;
        let (steps, pace) = planned(&job, &dead(4));
        assert_eq!((steps.len(), pace), (4, Pace::On));
        assert!(steps.iter().all(|(_, step)| *step == Step::Count));
    }

    #[test]
    fn what_is_missing_or_not_dead_is_passed() {
        let letters = dead(2);
        let ids: Vec<_> = letters.iter().map(|letter| letter.id.clone()).collect();
        let alive = letters[1].replayed(NOW);
        let found = HashMap::from([(alive.id.clone(), alive)]);
        let (steps, _) = plan(&job(1), &ids, found, Only::Any, NOW);
        assert!(steps.iter().all(|(_, step)| *step == Step::Pass));
    }

    #[test]
    fn the_cursor_stays_before_what_failed_and_nothing_won_is_forgotten() {
        let mut job = job(1000);
        let ids = dead(6).into_iter().map(|letter| letter.id);
        let ids: Vec<_> = ids.collect();
        let fates = [
            won(NOW_MICROS),
            Fate::Passed,
            failed(),
            won(NOW_MICROS + 2000),
            Fate::Counted,
            Fate::Left,
        ];
        let sum = tally(&mut job, ids.iter().cloned().zip(fates).collect());
        assert!(!sum.complete && sum.error.is_some());
        assert_eq!(sum.messages.len(), 2);
        assert_eq!(job.after.as_ref(), Some(&ids[1]));
        assert_eq!((job.examined, job.matched, job.done), (3, 2, 2));
        assert_eq!(job.next_micros, NOW_MICROS + 3000);
        // The rest of the page.
        let fates = [won(NOW_MICROS + 3000), Fate::Passed, Fate::Counted, won(0)];
        let sum = tally(&mut job, ids[2..].iter().cloned().zip(fates).collect());
        assert!(sum.complete && sum.error.is_none());
        assert_eq!(job.after.as_ref(), ids.last());
        assert_eq!((job.examined, job.matched, job.done), (7, 5, 4));
    }
}

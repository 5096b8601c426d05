//! Who may look how the way to the relay is, and how much at once. Nobody needs an account for that, so it is little, and bounded by where it
//! comes from as well as altogether.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use tokio::sync::watch;

use crate::{
    doorman::Origin,
    rate::{Bucket, Buckets, Rate},
};

/// Requests of one address that may be under way: a doctor has one, and many people may sit behind one address.
const OF_ONE_MAX: usize = 8;

/// Requests that may be under way altogether. Each costs a connection, a timer, and no more memory than that.
const ALL_MAX: usize = 64;

/// How much more may come from everywhere than from one address: at once, and a second.
const EVERYWHERE: (f64, f64) = (5.0, 20.0);

/// When to come again where too much is under way.
const CROWDED: Duration = Duration::from_secs(2);

/// The bounds, and what is under way.
#[derive(Debug)]
pub(crate) struct Doctor {
    counts: Arc<Mutex<Counts>>,
    stopping: watch::Sender<bool>,
}

#[derive(Debug)]
struct Counts {
    by_origin: Buckets<Origin>,
    everywhere: Bucket,
    everywhere_rate: Rate,
    under_way: usize,
    under_way_by: HashMap<Origin, usize>,
}

/// Lets one request through; its place is free again when this is dropped.
#[derive(Debug)]
pub(crate) struct Pass {
    counts: Arc<Mutex<Counts>>,
    from: Option<Origin>,
}

impl Doctor {
    pub(crate) fn new(rate: Rate, now: Instant) -> Self {
        let everywhere_rate = Rate { burst: rate.burst * EVERYWHERE.0, per_second: rate.per_second * EVERYWHERE.1 };
        let counts = Counts {
            by_origin: Buckets::new(rate),
            everywhere: Bucket::full(everywhere_rate, now),
            everywhere_rate,
            under_way: 0,
            under_way_by: HashMap::new(),
        };
        Self { counts: Arc::new(Mutex::new(counts)), stopping: watch::Sender::new(false) }
    }

    /// Counts a request, or says when to come again. From this machine itself only what is under way altogether counts, and the rate of all.
    pub(crate) fn admit(&self, from: Option<Origin>, now: Instant) -> Result<Pass, Duration> {
        let mut counts = lock(&self.counts);
        let of_one = from.and_then(|from| counts.under_way_by.get(&from).copied()).unwrap_or_default();
        if counts.under_way >= ALL_MAX || of_one >= OF_ONE_MAX {
            return Err(CROWDED);
        }
        from.map_or(Ok(()), |from| counts.by_origin.take(from, now))?;
        let rate = counts.everywhere_rate;
        if let Err(wait) = counts.everywhere.take(rate, now) {
            // It was let through by nobody.
            if let Some(from) = from {
                counts.by_origin.give_back(&from);
            }
            return Err(wait);
        }
        counts.under_way += 1;
        if let Some(from) = from {
            *counts.under_way_by.entry(from).or_default() += 1;
        }
        drop(counts);
        Ok(Pass { counts: self.counts.clone(), from })
    }

    /// Waits for so long, or until the relay stops.
    pub(crate) async fn hold(&self, wait: Duration) {
        let mut stopping = self.stopping.subscribe();
        let _ = tokio::time::timeout(wait, stopping.wait_for(|stopping| *stopping)).await;
    }

    /// Whoever waits is answered.
    pub(crate) fn stop(&self) {
        self.stopping.send_replace(true);
    }

    /// Forgets whoever has been quiet.
    pub(crate) fn tidy(&self, now: Instant) {
        lock(&self.counts).by_origin.tidy(now);
    }
}

impl Drop for Pass {
    fn drop(&mut self) {
        let mut counts = lock(&self.counts);
        counts.under_way = counts.under_way.saturating_sub(1);
        let Some(from) = self.from else { return };
        let Some(count) = counts.under_way_by.get_mut(&from) else { return };
        *count = count.saturating_sub(1);
        if *count == 0 {
            counts.under_way_by.remove(&from);
        }
    }
}

fn lock(counts: &Mutex<Counts>) -> MutexGuard<'_, Counts> {
    counts.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATE: Rate = Rate { burst: 20.0, per_second: 1.0 };

    fn origin(last: u8) -> Option<Origin> {
        Origin::of([192, 0, 2, last].into())
    }

    #[test]
    fn one_address_has_few_requests_under_way_and_all_together_not_many() {
        let (doctor, now) = (Doctor::new(Rate { burst: 1000.0, ..RATE }, Instant::now()), Instant::now());
        let held = (0..OF_ONE_MAX).map(|_| doctor.admit(origin(1), now).unwrap()).collect::<Vec<_>>();
        assert_eq!(doctor.admit(origin(1), now).unwrap_err(), CROWDED);
        let others = (OF_ONE_MAX..ALL_MAX).map(|at| doctor.admit(origin(2 + (at / OF_ONE_MAX) as u8), now).unwrap());
        let others = others.collect::<Vec<_>>();
        assert_eq!(doctor.admit(origin(200), now).unwrap_err(), CROWDED);
        assert_eq!(doctor.admit(None, now).unwrap_err(), CROWDED, "nor this machine itself");
        drop(held);
        doctor.admit(origin(1), now).unwrap();
        drop(others);
        assert!(lock(&doctor.counts).under_way_by.is_empty() && lock(&doctor.counts).under_way == 0);
    }

    #[test]
    fn one_address_asks_only_so_fast_and_so_do_all_together() {
        let start = Instant::now();
        let doctor = Doctor::new(RATE, start);
        let ask = |from, now| doctor.admit(from, now).map(drop);
        for _ in 0..20 {
            ask(origin(1), start).unwrap();
        }
        assert_eq!(ask(origin(1), start), Err(Duration::from_secs(1)));
        for from in 2..6 {
            for _ in 0..20 {
                ask(origin(from), start).unwrap();
            }
        }
        assert!(ask(origin(9), start).is_err() && ask(None, start).is_err(), "five times as much is all there is");
        for _ in 0..20 {
            ask(origin(9), start + Duration::from_secs(1)).expect("what was refused for the others' sake took nothing from it");
        }
        doctor.tidy(start + Duration::from_secs(100));
        assert_eq!(lock(&doctor.counts).by_origin.len(), 0);
    }

    #[tokio::test]
    async fn who_is_held_is_let_go_when_the_relay_stops() {
        let doctor = Doctor::new(RATE, Instant::now());
        doctor.stop();
        let held = tokio::time::timeout(Duration::from_secs(30), doctor.hold(Duration::from_secs(3600)));
        held.await.expect("at once");
    }
}

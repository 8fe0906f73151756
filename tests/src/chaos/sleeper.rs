//! How late this machine is: a thread that sleeps and looks at the clock, beside whatever is measured.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

/// What the sleeper means to sleep.
const NAP: Duration = Duration::from_millis(10);

/// The sleeper. It sleeps until it is dropped.
pub struct Sleeper {
    late: Arc<Mutex<Vec<(Instant, Duration)>>>,
    stop: Arc<AtomicBool>,
}

impl Sleeper {
    /// Begins to sleep.
    #[must_use]
    pub fn start() -> Self {
        let control = Self { late: Arc::default(), stop: Arc::default() };
        let (late, stop) = (Arc::clone(&control.late), Arc::clone(&control.stop));
        thread::spawn(move || {
            while !stop.load(Ordering::Relaxed) {
                let begun = Instant::now();
                // tidy: allow(thread::sleep) because how long a sleep takes is what is measured
                thread::sleep(NAP);
                let now = Instant::now();
                late.lock().unwrap_or_else(|poison| poison.into_inner()).push((now, (now - begun).saturating_sub(NAP)));
            }
        });
        control
    }

    /// What is measured from now on.
    #[must_use]
    pub fn lateness(&self) -> Lateness {
        Lateness { late: Arc::clone(&self.late), since: Instant::now() }
    }
}

impl Drop for Sleeper {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

/// How late the sleeper was since a moment: what a deadline may be missed by through no fault of ours.
pub struct Lateness {
    late: Arc<Mutex<Vec<(Instant, Duration)>>>,
    since: Instant,
}

impl Lateness {
    /// At worst.
    #[must_use]
    pub fn worst(&self) -> Duration {
        self.at(1.0)
    }

    /// In 999 of 1,000 cases.
    #[must_use]
    pub fn tail(&self) -> Duration {
        self.at(0.999)
    }

    fn at(&self, part: f64) -> Duration {
        let late = self.late.lock().unwrap_or_else(|poison| poison.into_inner());
        percentile(late.iter().filter(|(when, _)| *when >= self.since).map(|(_, late)| *late).collect(), part)
    }
}

/// The value below which `part` (0 to 1) of them lie; zero where there are none.
#[must_use]
pub(crate) fn percentile(mut all: Vec<Duration>, part: f64) -> Duration {
    all.sort_unstable();
    let index = (all.len() as f64 * part).ceil() as usize;
    all.get(index.saturating_sub(1)).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_values_that_were_seen() {
        let all: Vec<Duration> = (1..=200).rev().map(Duration::from_millis).collect();
        assert_eq!(percentile(all.clone(), 0.99), Duration::from_millis(198));
        assert_eq!(percentile(all.clone(), 0.5), Duration::from_millis(100));
        assert_eq!(percentile(all, 1.0), Duration::from_millis(200));
        assert_eq!(percentile(Vec::new(), 1.0), Duration::ZERO);
    }

    #[test]
    fn the_sleeper_sleeps() {
        let control = Sleeper::start();
        let lateness = control.lateness();
        crate::eventually(Duration::from_secs(20), || lateness.worst() > Duration::ZERO);
        assert!(lateness.tail() <= lateness.worst());
    }
}

//! How late this machine wakes a thread: one sleeps and looks at the clock while a test measures something.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

/// How long the thread sleeps each time.
const NAP: Duration = Duration::from_millis(10);

/// A thread that sleeps again and again, until the monitor is dropped.
pub struct DelayMonitor {
    late: Arc<Mutex<Vec<(Instant, Duration)>>>,
    stop: Arc<AtomicBool>,
}

impl DelayMonitor {
    /// Starts the thread.
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

    /// The delays from now on.
    #[must_use]
    pub fn delay(&self) -> SchedulerDelay {
        SchedulerDelay { late: Arc::clone(&self.late), since: Instant::now() }
    }
}

impl Drop for DelayMonitor {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

/// How late the thread woke since a moment. A deadline may be missed by as much for no other reason.
pub struct SchedulerDelay {
    late: Arc<Mutex<Vec<(Instant, Duration)>>>,
    since: Instant,
}

impl SchedulerDelay {
    /// The longest.
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
pub fn percentile(mut all: Vec<Duration>, part: f64) -> Duration {
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
    fn delays_are_measured() {
        let control = DelayMonitor::start();
        let delay = control.delay();
        crate::eventually(Duration::from_secs(20), || delay.worst() > Duration::ZERO);
        assert!(delay.tail() <= delay.worst());
    }
}

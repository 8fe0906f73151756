//! Tracks the results of calls for `health`. Logs once when the server becomes unreachable and once when it answers again,
//! however many callers notice.

use std::sync::atomic::{AtomicU8, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use zc_events_protocol::{Clock, Stage};

use super::url::RedisUrl;
use crate::{Error, StoreHealth};

const UNKNOWN: u8 = 0;
const UP: u8 = 1;
const DOWN: u8 = 2;

#[derive(Default)]
pub(super) struct HealthTracker {
    state: AtomicU8,
    last: Mutex<Option<(String, Instant)>>,
    waiting: AtomicUsize,
    lost: AtomicU64,
}

/// Counts as a waiting call until it is dropped.
pub(super) struct WaitingCall<'a>(&'a AtomicUsize);

impl HealthTracker {
    /// The server replied.
    pub(super) fn succeeded(&self, url: &RedisUrl) {
        if self.state.load(Ordering::Relaxed) != UP && self.state.swap(UP, Ordering::Relaxed) == DOWN {
            log::info!("Redis at {} answers again", url.address());
        }
    }

    /// A call failed.
    pub(super) fn failed(&self, url: &RedisUrl, clock: &dyn Clock, error: &Error) {
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some((error.to_string(), clock.now()));
        match error {
            // A busy pool and a wrong setting say nothing about the server.
            Error::Timeout { stage: Stage::Pool } | Error::Config { .. } => {}
            Error::Rejected { .. } => self.succeeded(url),
            _ => {
                if self.state.swap(DOWN, Ordering::Relaxed) != DOWN {
                    log::warn!("Redis at {} is unreachable: {error}", url.address());
                }
            }
        }
    }

    /// Counts a call in `pop` that waits.
    pub(super) fn waiting_call(&self) -> WaitingCall<'_> {
        self.waiting.fetch_add(1, Ordering::Relaxed);
        WaitingCall(&self.waiting)
    }

    /// An answer was taken for a caller that had left, and could not be put back.
    pub(super) fn lost(&self, url: &RedisUrl, why: &str) {
        self.lost.fetch_add(1, Ordering::Relaxed);
        log::warn!("an answer whose caller had left could not be put back into Redis at {}: {why}", url.address());
    }

    pub(super) fn health(&self) -> StoreHealth {
        let last = self.last.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let (last_error, last_error_at) = last.unzip();
        StoreHealth {
            reachable: match self.state.load(Ordering::Relaxed) {
                UNKNOWN => None,
                state => Some(state == UP),
            },
            last_error,
            last_error_at,
            waiting: self.waiting.load(Ordering::Relaxed),
            lost: self.lost.load(Ordering::Relaxed),
        }
    }
}

impl Drop for WaitingCall<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

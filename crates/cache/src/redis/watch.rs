//! Notes how the calls to a server went, for `health`, and logs when it is lost and when it
//! is back: once each time, however many callers notice.

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
pub(super) struct Watch {
    state: AtomicU8,
    last: Mutex<Option<(String, Instant)>>,
    waiting: AtomicUsize,
    lost: AtomicU64,
}

/// Counts one who waits for as long as it lives.
pub(super) struct Waiting<'a>(&'a AtomicUsize);

impl Watch {
    /// The server answered as it should.
    pub(super) fn answered(&self, url: &RedisUrl) {
        if self.state.load(Ordering::Relaxed) != UP && self.state.swap(UP, Ordering::Relaxed) == DOWN {
            log::info!("Redis at {} answers again", url.place());
        }
    }

    /// A call failed.
    pub(super) fn failed(&self, url: &RedisUrl, clock: &dyn Clock, error: &Error) {
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some((error.to_string(), clock.now()));
        match error {
            // It says nothing of the server that all connections are lent, or that a setting is wrong.
            Error::Timeout { stage: Stage::Pool } | Error::Config { .. } => {}
            Error::Rejected { .. } => self.answered(url),
            _ => {
                if self.state.swap(DOWN, Ordering::Relaxed) != DOWN {
                    log::warn!("Redis at {} is lost: {error}", url.place());
                }
            }
        }
    }

    pub(super) fn wait(&self) -> Waiting<'_> {
        self.waiting.fetch_add(1, Ordering::Relaxed);
        Waiting(&self.waiting)
    }

    /// An answer was taken for a caller who had left, and could not be put back.
    pub(super) fn lost(&self, url: &RedisUrl, why: &str) {
        self.lost.fetch_add(1, Ordering::Relaxed);
        log::warn!("an answer whose caller had left could not be put back into Redis at {}: {why}", url.place());
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

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

//! Why r2d2 does not dial the connections that it holds. When one of these tests fails, r2d2 has changed: see `pool`.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use super::super::fake_server::eventually;

/// A manager whose server is down: each attempt to connect is refused at once.
#[derive(Clone, Default)]
struct Refusing(Arc<AtomicUsize>);

impl r2d2::ManageConnection for Refusing {
    type Connection = ();
    type Error = std::io::Error;

    fn connect(&self) -> Result<(), std::io::Error> {
        self.0.fetch_add(1, Ordering::SeqCst);
        Err(std::io::ErrorKind::ConnectionRefused.into())
    }

    fn is_valid(&self, (): &mut ()) -> Result<(), std::io::Error> {
        Ok(())
    }

    fn has_broken(&self, (): &mut ()) -> bool {
        false
    }
}

#[test]
fn r2d2_keeps_a_caller_until_its_deadline_and_connects_again_in_the_background() {
    let manager = Refusing::default();
    let pool = r2d2::Pool::builder()
        .max_size(1)
        .min_idle(Some(0))
        .connection_timeout(Duration::from_secs(2))
        .error_handler(Box::new(r2d2::NopErrorHandler))
        .build_unchecked(manager.clone());
    let (began, wait) = (Instant::now(), Duration::from_millis(50));
    assert!(pool.get_timeout(wait).is_err());
    assert!(began.elapsed() >= wait, "the refusal reached the caller at once");
    // No caller waits any more.
    let before = manager.0.load(Ordering::SeqCst);
    eventually(|| manager.0.load(Ordering::SeqCst) > before + 1);
}

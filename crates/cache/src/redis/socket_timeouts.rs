//! Lets a blocking socket wait until a deadline, in steps, because the kernel may fire a long socket timeout late.

use std::io;
use std::net::TcpStream;
use std::time::{Duration, Instant};

use zc_events_protocol::{Clock, Deadline};

/// Sets both timeouts: over TLS a read may write, and a write may read.
pub(super) fn set_timeouts(socket: &TcpStream, timeout: Duration) -> io::Result<()> {
    socket.set_read_timeout(Some(timeout))?;
    socket.set_write_timeout(Some(timeout))
}

/// Calls `wait` with one timeout after another until `end`. The kernel may fire a socket's timeout late, such as by a
/// quarter of a second in two.
pub(super) fn in_steps<T>(end: Instant, mut wait: impl FnMut(Duration) -> io::Result<T>) -> io::Result<T> {
    loop {
        let left = end.saturating_duration_since(Instant::now()).max(Duration::from_millis(1));
        match wait(step(left)) {
            Err(error) if matches!(error.kind(), io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock) => {
                if Instant::now() >= end {
                    return Err(error);
                }
            }
            done => return done,
        }
    }
}

/// The first of the waits that make up `left`.
pub(super) fn step(left: Duration) -> Duration {
    const SHORT: Duration = Duration::from_millis(100);
    if left <= SHORT { left } else { (left * 3 / 4).max(SHORT) }
}

/// The time until the deadline, at least 1 ms, because sockets refuse a timeout of zero. `TimedOut` after the deadline.
pub(super) fn time_left(clock: &dyn Clock, until: Deadline) -> io::Result<Duration> {
    let left = until.remaining(clock);
    if left.is_zero() { Err(io::ErrorKind::TimedOut.into()) } else { Ok(left.max(Duration::from_millis(1))) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The latest moment at which a kernel with 250 ticks a second fires this timeout.
    fn latest(timeout: Duration) -> Duration {
        let grain = match timeout.as_millis() {
            0..252 => 4,
            252..2044 => 32,
            2044..16_000 => 256,
            _ => 2048,
        };
        timeout + Duration::from_millis(grain)
    }

    #[test]
    fn only_the_last_step_may_go_past_the_end() {
        for millis in [1, 99, 101, 252, 700, 2000, 2100, 5000, 30_000, 600_000] {
            let (mut left, mut steps) = (Duration::from_millis(millis), 0);
            while step(left) < left {
                let waited = latest(step(left));
                assert!(waited <= left + Duration::from_millis(32), "{left:?}: {waited:?}");
                left = left.saturating_sub(waited);
                steps += 1;
            }
            assert!(left <= Duration::from_millis(100) && steps <= 12, "{millis} ms: {left:?} after {steps}");
        }
    }

    #[test]
    fn the_wait_goes_on_until_its_end() {
        let mut steps = Vec::new();
        let end = Instant::now() + Duration::from_millis(30);
        let timed_out = in_steps::<()>(end, |step| {
            steps.push(step);
            Err(io::ErrorKind::WouldBlock.into())
        });
        assert_eq!(timed_out.unwrap_err().kind(), io::ErrorKind::WouldBlock);
        assert!(Instant::now() >= end && steps.iter().all(|step| *step <= Duration::from_millis(30)), "{steps:?}");
        assert_eq!(in_steps(end, |_| Ok(7)).unwrap(), 7);
    }
}

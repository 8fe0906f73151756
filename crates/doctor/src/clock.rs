//! How much this machine's clock differs from a server's. `eta` and `expires` of messages are times of day, so services need
//! clocks that agree.

use std::time::{Duration, SystemTime};

use crate::check::Check;
use crate::duration::millis;
use crate::finding::Finding;

/// From this difference on, delays are noticeably wrong.
const NOTICEABLE: Duration = Duration::from_secs(5);
/// From this difference on, requests may be dropped as expired: they expire a minute after the caller's deadline.
const HARMFUL: Duration = Duration::from_secs(60);

/// A server's time of day, and this machine's just before and after the question.
pub(crate) struct ClockReading {
    pub(crate) server: &'static str,
    pub(crate) time: SystemTime,
    pub(crate) before: SystemTime,
    pub(crate) after: SystemTime,
    /// The resolution of the server's time.
    pub(crate) resolution: Duration,
}

/// `is_configured` says whether the settings name a server that has a clock.
pub(crate) fn check(reading: Option<&ClockReading>, is_configured: bool) -> Finding {
    const CHECK: Check = Check::Clock;
    let Some(reading) = reading else {
        let remedy = if is_configured {
            "fix the failures of EVENTS_REDIS_URL or MANAGEMENT_URL above"
        } else {
            "set EVENTS_REDIS_URL or MANAGEMENT_URL: the clock is compared with Redis or with the management API"
        };
        return Finding::unknown(CHECK, "no server clock available", remedy);
    };
    let (difference, direction) = reading.difference();
    let server = reading.server;
    if difference.is_zero() {
        return Finding::ok(CHECK, format!("in sync with {server}"));
    }
    let seen = format!("{} {direction} {server}", millis(difference));
    let remedy = "synchronise the clocks of all machines (NTP, `timedatectl`)";
    match difference {
        it if it >= HARMFUL => Finding::failed(CHECK, format!("{seen}: requests may be dropped as expired"), remedy),
        it if it >= NOTICEABLE => Finding::warning(CHECK, seen, remedy),
        _ => Finding::ok(CHECK, seen),
    }
}

impl ClockReading {
    /// The smallest possible difference, since the server read its clock at some time between `before` and `after`.
    fn difference(&self) -> (Duration, &'static str) {
        let latest = self.time + self.resolution;
        if let Ok(ahead) = self.before.duration_since(latest) {
            return (ahead, "ahead of");
        }
        (self.time.duration_since(self.after).unwrap_or_default(), "behind")
    }
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use super::*;
    use crate::finding::Status;

    fn finding(time: u64, before: u64, after: u64) -> Finding {
        let at = |millis| UNIX_EPOCH + Duration::from_millis(1_000_000 + millis);
        let (time, before, after) = (at(time), at(before), at(after));
        check(Some(&ClockReading { server: "Redis", time, before, after, resolution: Duration::ZERO }), true)
    }

    #[test]
    fn a_difference_within_the_duration_of_the_question_counts_as_none() {
        assert_eq!(finding(100, 90, 110).seen, "in sync with Redis");
        assert_eq!(finding(100, 150, 160).seen, "50 ms ahead of Redis");
        assert_eq!(finding(300, 150, 160).seen, "140 ms behind Redis");
        let resolution = Duration::from_secs(1);
        let time = UNIX_EPOCH + Duration::from_secs(100);
        let now = time + resolution / 2;
        let same = ClockReading { server: "it", time, before: now, after: now, resolution };
        assert_eq!(check(Some(&same), true).status, Status::Ok);
    }

    #[test]
    fn a_large_difference_warns_and_a_larger_one_fails() {
        assert_eq!(finding(0, 4_999, 4_999).status, Status::Ok);
        assert_eq!(finding(5_000, 0, 0).status, Status::Warning);
        assert_eq!(finding(60_000, 0, 0).status, Status::Failed);
    }

    #[test]
    fn without_a_server_clock_the_remedy_depends_on_the_settings() {
        for (is_configured, remedy) in [(false, "set EVENTS_REDIS_URL"), (true, "fix the failures")] {
            let finding = check(None, is_configured);
            assert_eq!(finding.status, Status::Unknown);
            assert!(finding.remedy.is_some_and(|it| it.contains(remedy)), "{remedy}");
        }
    }
}

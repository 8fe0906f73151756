//! How far clocks are apart. Between services it matters for `eta` and `expires`, which are times of day.

use std::time::{Duration, SystemTime};

use super::finding::{Check, Finding};

/// From here on delays are noticeably wrong.
const NOTICEABLE: Duration = Duration::from_secs(5);
/// Requests carry an end that is a minute later than the caller's deadline: from here on they may be dropped as expired.
const HARMFUL: Duration = Duration::from_secs(60);

/// A server's time of day, and ours just before and after it was asked.
pub(super) struct Compared {
    pub(super) whose: &'static str,
    pub(super) theirs: SystemTime,
    pub(super) before: SystemTime,
    pub(super) after: SystemTime,
    /// How exact theirs is.
    pub(super) grain: Duration,
}

/// `is_asked` says whether the settings name a server that would tell its time.
pub(super) fn check(compared: Option<&Compared>, is_asked: bool) -> Finding {
    const CHECK: Check = Check::Clock;
    let Some(compared) = compared else {
        let remedy = if is_asked {
            "Redis and the management API tell theirs: mend what fails above of EVENTS_REDIS_URL or MANAGEMENT_URL"
        } else {
            "set EVENTS_REDIS_URL or MANAGEMENT_URL: Redis and the management API tell their time"
        };
        return Finding::unknown(CHECK, "no server tells its time", remedy);
    };
    let (apart, word) = compared.apart();
    let whose = compared.whose;
    if apart.is_zero() {
        return Finding::ok(CHECK, format!("as that of {whose}"));
    }
    let seen = format!("{} {word} that of {whose}", super::round_trip::millis(apart));
    let remedy = "synchronise the clocks of all machines (NTP, `timedatectl`)";
    match apart {
        apart if apart >= HARMFUL => {
            Finding::failed(CHECK, format!("{seen}: requests may be dropped as expired"), remedy)
        }
        apart if apart >= NOTICEABLE => Finding::warning(CHECK, seen, remedy),
        _ => Finding::ok(CHECK, seen),
    }
}

impl Compared {
    /// How far ours is from theirs at least, given that they were asked for some time between `before` and `after`.
    fn apart(&self) -> (Duration, &'static str) {
        let latest = self.theirs + self.grain;
        if let Ok(ahead) = self.before.duration_since(latest) {
            return (ahead, "ahead of");
        }
        match self.theirs.duration_since(self.after) {
            Ok(behind) => (behind, "behind"),
            Err(_) => (Duration::ZERO, "as"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::finding::Status;
    use super::*;
    use std::time::UNIX_EPOCH;

    fn finding(theirs: u64, before: u64, after: u64) -> Finding {
        let at = |millis| UNIX_EPOCH + Duration::from_millis(1_000_000 + millis);
        let (theirs, before, after) = (at(theirs), at(before), at(after));
        check(Some(&Compared { whose: "Redis", theirs, before, after, grain: Duration::ZERO }), true)
    }

    #[test]
    fn what_lies_within_the_question_is_no_difference() {
        assert_eq!(finding(100, 90, 110).seen, "as that of Redis");
        assert_eq!(finding(100, 150, 160).seen, "50 ms ahead of that of Redis");
        assert_eq!(finding(300, 150, 160).seen, "140 ms behind that of Redis");
        let grain = Duration::from_secs(1);
        let at = UNIX_EPOCH + Duration::from_secs(100);
        let same = Compared { whose: "it", theirs: at, before: at + grain / 2, after: at + grain / 2, grain };
        assert_eq!(check(Some(&same), true).status, Status::Ok);
    }

    #[test]
    fn the_further_apart_the_worse() {
        assert_eq!(finding(0, 4_999, 4_999).status, Status::Ok);
        assert_eq!(finding(5_000, 0, 0).status, Status::Warning);
        assert_eq!(finding(60_000, 0, 0).status, Status::Failed);
    }

    #[test]
    fn where_no_server_tells_its_time_only_what_is_missing_is_to_be_set() {
        for (is_asked, says) in [(false, "set EVENTS_REDIS_URL"), (true, "mend what fails above")] {
            let finding = check(None, is_asked);
            assert_eq!(finding.status, Status::Unknown);
            assert!(finding.remedy.is_some_and(|it| it.contains(says)), "{says}");
        }
    }
}

//! Times as Celery writes and reads them: ISO 8601, in UTC if there is no time zone.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use time::{Date, Month, OffsetDateTime};

/// Reads `2030-01-02T03:04:05.678900+02:00` and its shorter forms, as Celery does: only a date, no seconds, no
/// fraction, a space instead of the `T`, and `Z` or no time zone for UTC.
pub(crate) fn parse(text: &str) -> Option<SystemTime> {
    let mut scan = Scan(text.as_bytes());
    let date = scan.date()?;
    let mut nanos = i128::from(date.midnight().assume_utc().unix_timestamp()) * 1_000_000_000;
    if !scan.0.is_empty() {
        if !(scan.skip(b'T') || scan.skip(b't') || scan.skip(b' ')) {
            return None;
        }
        nanos += scan.time()?;
        nanos -= i128::from(scan.offset()?) * 60_000_000_000;
    }
    if !scan.0.is_empty() {
        return None;
    }
    from_nanos(nanos)
}

fn from_nanos(nanos: i128) -> Option<SystemTime> {
    let seconds = u64::try_from(nanos.unsigned_abs() / 1_000_000_000).ok()?;
    let rest = u32::try_from(nanos.unsigned_abs() % 1_000_000_000).ok()?;
    let distance = Duration::new(seconds, rest);
    if nanos < 0 { UNIX_EPOCH.checked_sub(distance) } else { UNIX_EPOCH.checked_add(distance) }
}

/// Writes microseconds and the time zone, `2026-11-23T21:20:52.874300+00:00`. `None` outside the years 1 to 9999, which
/// Python cannot express.
pub(crate) fn format(at: SystemTime) -> Option<String> {
    let nanos = match at.duration_since(UNIX_EPOCH) {
        Ok(after) => i128::try_from(after.as_nanos()).ok()?,
        Err(before) => -i128::try_from(before.duration().as_nanos()).ok()?,
    };
    let at = OffsetDateTime::from_unix_timestamp_nanos(nanos).ok()?;
    if !(1..=9999).contains(&at.year()) {
        return None;
    }
    let (date, time) = (at.date(), at.time());
    Some(format!(
        "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:06}+00:00",
        date.year(),
        u8::from(date.month()),
        date.day(),
        time.hour(),
        time.minute(),
        time.second(),
        time.microsecond()
    ))
}

/// Whether Python's `datetime.fromisoformat` accepts the text.
pub(crate) fn is_datetime(text: &str) -> bool {
    parse(text).is_some()
}

/// Whether the text is a date without a time.
pub(crate) fn is_date(text: &str) -> bool {
    let mut scan = Scan(text.as_bytes());
    scan.date().is_some() && scan.0.is_empty()
}

/// Whether the text is a time of day, with or without a time zone.
pub(crate) fn is_time(text: &str) -> bool {
    let mut scan = Scan(text.as_bytes());
    scan.time().is_some() && scan.offset().is_some() && scan.0.is_empty()
}

struct Scan<'a>(&'a [u8]);

impl Scan<'_> {
    fn date(&mut self) -> Option<Date> {
        let year = self.number(4)?;
        self.skip(b'-').then_some(())?;
        let month = Month::try_from(u8::try_from(self.number(2)?).ok()?).ok()?;
        self.skip(b'-').then_some(())?;
        let day = u8::try_from(self.number(2)?).ok()?;
        if year == 0 {
            return None;
        }
        Date::from_calendar_date(i32::try_from(year).ok()?, month, day).ok()
    }

    /// Nanoseconds since midnight.
    fn time(&mut self) -> Option<i128> {
        let hour = self.number(2).filter(|hour| *hour < 24)?;
        self.skip(b':').then_some(())?;
        let minute = self.number(2).filter(|minute| *minute < 60)?;
        let mut nanos = i128::from(hour * 3600 + minute * 60) * 1_000_000_000;
        if self.skip(b':') {
            nanos += i128::from(self.number(2).filter(|second| *second < 60)?) * 1_000_000_000;
            if self.skip(b'.') || self.skip(b',') {
                nanos += self.fraction()?;
            }
        }
        Some(nanos)
    }

    fn fraction(&mut self) -> Option<i128> {
        let count = self.0.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let (digits, rest) = self.0.split_at(count);
        self.0 = rest;
        // Digits after nanoseconds are dropped.
        let nanos = (0..9).fold(0, |sum, i| sum * 10 + digits.get(i).map_or(0, |digit| i128::from(digit - b'0')));
        (count > 0).then_some(nanos)
    }

    /// Minutes east of Greenwich; 0 without a time zone.
    fn offset(&mut self) -> Option<i64> {
        if self.0.is_empty() || self.skip(b'Z') || self.skip(b'z') {
            return Some(0);
        }
        let west = self.skip(b'-');
        if !west && !self.skip(b'+') {
            return None;
        }
        let hours = self.number(2).filter(|hours| *hours < 24)?;
        let _ = self.skip(b':');
        let minutes = if self.0.is_empty() { 0 } else { self.number(2).filter(|minutes| *minutes < 60)? };
        let east = i64::from(hours * 60 + minutes);
        Some(if west { -east } else { east })
    }

    fn number(&mut self, digits: usize) -> Option<u32> {
        let (text, rest) = self.0.split_at_checked(digits)?;
        let number =
            text.iter().try_fold(0, |sum, byte| byte.is_ascii_digit().then(|| sum * 10 + u32::from(byte - b'0')))?;
        self.0 = rest;
        Some(number)
    }

    fn skip(&mut self, byte: u8) -> bool {
        let there = self.0.first() == Some(&byte);
        if there {
            self.0 = &self.0[1..];
        }
        there
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn unix(seconds: u64, micros: u64) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(seconds) + Duration::from_micros(micros)
    }

    #[test]
    fn the_forms_that_celery_writes_are_read() {
        // Seconds from Python's datetime.
        for (text, at) in [
            ("2026-11-23T21:20:52.874300+00:00", unix(1_795_468_852, 874_300)),
            ("2030-01-02T03:04:05", unix(1_893_553_445, 0)),
            ("2030-01-02T03:04:05Z", unix(1_893_553_445, 0)),
            ("2030-01-02 03:04:05", unix(1_893_553_445, 0)),
            ("2030-01-02T03:04:05+02:00", unix(1_893_546_245, 0)),
            ("2030-01-02T03:04:05-0230", unix(1_893_562_445, 0)),
            ("2030-01-02T03:04:05.5-02", unix(1_893_560_645, 500_000)),
            ("2030-01-02T03:04", unix(1_893_553_440, 0)),
            ("2030-01-02", unix(1_893_542_400, 0)),
            ("1969-12-31T23:59:59", UNIX_EPOCH - Duration::from_secs(1)),
        ] {
            assert_eq!(parse(text), Some(at), "{text}");
        }
    }

    #[test]
    fn invalid_times_are_refused() {
        for text in [
            "",
            "soon",
            "2030",
            "2030-01",
            "2030-13-01",
            "2030-02-30",
            "0000-01-01",
            "2030-01-02T",
            "2030-01-02T24:00",
            "2030-01-02T03:60",
            "2030-01-02T03:04:60",
            "2030-01-02T03:04:05.",
            "2030-01-02T03:04:05+",
            "2030-01-02T03:04:05x",
            "2030-01-02T03:04:05+25:00",
            "2030-01-02X03:04:05",
            "２０３０-01-02",
            "1893553445",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    #[test]
    fn only_years_that_python_knows_are_written() {
        assert_eq!(format(UNIX_EPOCH).as_deref(), Some("1970-01-01T00:00:00.000000+00:00"));
        assert_eq!(format(UNIX_EPOCH + Duration::from_secs(60 * 60 * 24 * 366 * 9000)), None);
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(seconds in -60_000_000_000_i64..250_000_000_000, micros in 0_u64..1_000_000) {
            let base = Duration::from_secs(seconds.unsigned_abs());
            let at = if seconds < 0 { UNIX_EPOCH - base } else { UNIX_EPOCH + base } + Duration::from_micros(micros);
            prop_assert_eq!(format(at).and_then(|text| parse(&text)), Some(at));
        }

        #[test]
        fn no_text_panics(text in ".{0,40}") {
            let _ = (parse(&text), is_time(&text), is_date(&text));
        }
    }
}

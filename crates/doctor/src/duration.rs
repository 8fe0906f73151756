//! How durations are printed.

use std::time::Duration;

/// `0.8 ms`, `12 ms`, `1.2 s`.
pub(crate) fn millis(time: Duration) -> String {
    let millis = time.as_secs_f64() * 1000.0;
    match millis {
        millis if millis < 10.0 => format!("{millis:.1} ms"),
        millis if millis < 1000.0 => format!("{millis:.0} ms"),
        millis => format!("{:.1} s", millis / 1000.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn longer_durations_have_fewer_decimals() {
        let of = |micros| millis(Duration::from_micros(micros));
        assert_eq!(
            [of(49), of(812), of(9_949), of(12_345), of(1_234_567)],
            ["0.0 ms", "0.8 ms", "9.9 ms", "12 ms", "1.2 s"]
        );
    }
}

//! What a session prints, without what differs from run to run or from machine to machine.
//!
//! Every quantity with a unit is masked, so that no session depends on how fast the machine is: durations, rates and
//! sizes, and with them dates, ids and ports. Defaults in a help text (`[default: 20s]`) are compared as they are.

use regex::{Captures, Regex};

/// Kept as it is, though it may hold quantities.
const KEPT: &str = r"\[default:[^\]]*\]";

/// The patterns and what is shown instead, in the order in which they are applied.
const MASKS: [(&str, &str); 14] = [
    (r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", "<id>"),
    (r"\b[0-9a-f]{12,}\b", "<id>"),
    (r"\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:\.\d+)?)?)?(?:Z|[+-]\d\d:\d\d)?", "<date>"),
    (r"\b\d\d:\d\d:\d\d(?:\.\d+)?", "<clock>"),
    (r"\b(127\.0\.0\.1|localhost|[a-z0-9-]+\.internal):\d+", "$1:<port>"),
    // In JSON the unit is in the name.
    (
        r#""([a-z0-9_]*(?:_ns|_us|_ms|_s|_at|_time|seconds|per_second|bytes|size)|x-zc-time)": ?-?\d+(?:\.\d+)?(?:e-?\d+)?"#,
        r#""$1":<number>"#,
    ),
    // A duration may have several parts: 1m 30s.
    (r"\b\d+(?:\.\d+)?(?:e-?\d+)? ?(?:ns|us|µs|ms|s|sec|min|m|h)\b(?: \d+(?:ns|us|ms|s|m|h)\b)*", "<duration>"),
    (r"\b\d+(?:\.\d+)?(?:e-?\d+)? ?(?:[KMG]i?B)?/s\b", "<rate>"),
    (r"\b\d+(?:\.\d+)? ?(?:bytes|B|[KMG]i?B)\b", "<size>"),
    // A histogram has as many bars as it takes.
    (r"(?: +<= .* #* *\d+\n)+", " <bars>\n"),
    (r"(RabbitMQ|Redis|Valkey) \d+(?:\.\d+)+", "$1 <version>"),
    // Each version of RabbitMQ counts deliveries in its own way, or not at all.
    (r#" *"x-(?:delivery|acquired)-count": \d+,?\n"#, ""),
    (r"\b(process|pid) \d+", "$1 <number>"),
    // Columns are as wide as their widest cell.
    (r" +", " "),
];

/// The text with every varying part replaced by a name for it.
pub(super) fn masked(text: &str) -> String {
    MASKS.iter().fold(text.to_owned(), |text, (pattern, with)| {
        let either = Regex::new(&format!("(?P<kept>{KEPT})|(?:{pattern})")).unwrap();
        let shown = |found: &Captures<'_>| match found.name("kept") {
            Some(kept) => kept.as_str().to_owned(),
            None => {
                let mut shown = String::new();
                // The pattern's own groups are counted behind `kept`.
                found.expand(&with.replace("$1", "${2}"), &mut shown);
                shown
            }
        };
        either.replace_all(&text, shown).into_owned()
    })
}

#[cfg(test)]
mod tests {
    use super::masked;

    /// Two runs of one command on a fast and on a slow machine.
    #[track_caller]
    fn alike(fast: &str, slow: &str) {
        assert_eq!(masked(fast), masked(slow));
    }

    #[test]
    fn speed_makes_no_session_differ() {
        alike(
            "3 items in 2 batches stored and confirmed in 0.01 s\n",
            "3 items in 2 batches stored and confirmed in 12.50 s\n",
        );
        alike("1000 events confirmed in 0.25 s (4036/s)\n", "1000 events confirmed in 61.00 s (16/s)\n");
        alike("connected to h in 0.1 ms", "connected to h in 1.2 s");
        alike("round-trip 980 us, at most 1.1 ms", "round-trip 3 ms, at most 1m 30s");
        alike("publish 5922/s of 1.5 MiB/s", "publish 17/s of 20 KiB/s");
        alike("  <= 1 ms  #  1\n  <= 2 ms  ##  15\n", "  <= 4.1 s  ####  16\n");
        alike(
            r#"{"seconds":0.004,"per_second":22987.5,"p50_ms":0.026}"#,
            r#"{"seconds":14,"per_second":1e3,"p50_ms":900}"#,
        );
    }

    #[test]
    fn ids_dates_sizes_ports_and_versions_make_no_session_differ() {
        alike("1b9d6bcd-bbfd-4b2d-9b5d-ab8dfbbd4bed", "0366bca9-0648-474f-ad5b-729e4ae842a9");
        alike("`orders-bench-b3b3b915fc11`", "`orders-bench-00b3b915fc1a`");
        alike("2026-11-26T21:23:36Z  1", "2027-01-01T00:00:00.125Z  1");
        alike("21:18:28.353 GET", "09:00:00 GET");
        alike("size       215 bytes", "size       2150 bytes");
        alike("rabbitmq.internal:5672; 127.0.0.1:1", "rabbitmq.internal:41007; 127.0.0.1:65000");
        alike("Redis 7.0.15, RabbitMQ 3.10.8", "Redis 8.0.2, RabbitMQ 4.0.5");
        alike("a    b", "a b");
    }

    #[test]
    fn what_is_said_still_counts() {
        for (shown, printed) in [
            ("3 items in 2 batches stored in 0.01 s", "2 items in 2 batches stored in 0.01 s"),
            ("2 of 4 events were not confirmed", "3 of 4 events were not confirmed"),
            ("answered with status 200", "answered with status 404"),
            ("How long [default: 20s]", "How long [default: 30s]"),
            ("0 to 10 [default: 0]", "0 to 10 [default: 5]"),
            ("in 0.1 ms", "after 0.1 ms"),
            ("error: line 3", "error: line 4"),
        ] {
            assert_ne!(masked(shown), masked(printed));
        }
    }
}

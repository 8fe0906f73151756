//! Runs `zc_events_fuzz::document` under libFuzzer; nothing else lives here.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| zc_events_fuzz::document::run(data));

//! What a service logs: one line for each event of its life, at the right level.
//!
//! A process has one logger, so the test runs in a process of its own.

use std::sync::Mutex;
use std::time::Duration;

use integration_tests::proxy::{Ending, Proxy};
use integration_tests::{broker_url, eventually, in_own_process, redis_url, unique};
use log::Level;
use zc_events::{Context, Event, EventClient, Service, Settings, Value};

const PATIENCE: Duration = Duration::from_secs(30);

/// The lines of our crates, at `info` and above.
struct Lines(Mutex<Vec<(Level, String)>>);

static LINES: Lines = Lines(Mutex::new(Vec::new()));

impl log::Log for Lines {
    fn enabled(&self, metadata: &log::Metadata<'_>) -> bool {
        metadata.target().starts_with("zc_events") && metadata.level() <= Level::Info
    }

    fn log(&self, record: &log::Record<'_>) {
        if self.enabled(record.metadata()) {
            self.0.lock().unwrap().push((record.level(), record.args().to_string()));
        }
    }

    fn flush(&self) {}
}

/// What was logged since the last call.
fn lines() -> Vec<(Level, String)> {
    std::mem::take(&mut *LINES.0.lock().unwrap())
}

/// How many lines of a level begin with the first of `parts` and have the others.
fn count(lines: &[(Level, String)], level: Level, parts: &[&str]) -> usize {
    let begins = |text: &str| parts.first().is_none_or(|first| text.starts_with(first));
    lines.iter().filter(|(at, text)| *at == level && begins(text) && parts.iter().all(|it| text.contains(it))).count()
}

#[test]
fn each_lifecycle_event_of_a_service_is_one_log_line() {
    in_own_process(|| {
        the_life_of_a_service();
    });
}

fn the_life_of_a_service() {
    log::set_logger(&LINES).unwrap();
    log::set_max_level(log::LevelFilter::Info);
    let (proxy, url) = Proxy::before(&broker_url()).unwrap();
    let settings = Settings::builder()
        .broker_url(url)
        .events_redis_url(redis_url())
        .events_exchange(unique("life"))
        .service_name(unique("life"))
        .build()
        .unwrap();
    let service_name = settings.service_name().unwrap().to_owned();
    let queue = format!("{service_name}-events");
    let client = EventClient::new(settings).unwrap();
    let service = Service::builder(&client).on("noted", |_: &Context, _: Value| Ok(())).start().unwrap();
    let told = lines();
    assert_eq!(count(&told, Level::Info, &["service `", "` has started"]), 1, "{told:#?}");
    assert_eq!(count(&told, Level::Info, &["consuming queue `"]), 2, "{told:#?}");
    assert_eq!(count(&told, Level::Info, &["connected to the broker at 127.0.0.1:", "consuming"]), 2, "{told:#?}");

    client.emit(&Event::new("noted")).unwrap();
    eventually(PATIENCE, || service.health().processed == 1);
    let told = lines();
    assert_eq!(count(&told, Level::Info, &["MICROSERVICE_EVENT::EMIT:", "noted"]), 1, "{told:#?}");
    assert_eq!(count(&told, Level::Info, &["MICROSERVICE_EVENT::PROCESSED:", "noted"]), 1, "{told:#?}");

    // All connections: one that publishes, two that consume.
    let publishing = client.health().connections;
    assert_eq!(proxy.cut_all(Ending::Rst), 3);
    eventually(PATIENCE, || count(&LINES.0.lock().unwrap(), Level::Info, &["consuming queue `"]) == 2);
    eventually(PATIENCE, || client.health().connections > publishing);
    // Said by the threads that watch them, in their own time.
    eventually(PATIENCE, || {
        count(&LINES.0.lock().unwrap(), Level::Warn, &["the connection to the broker", "was lost"]) == 3
    });
    let told = lines();
    assert_eq!(count(&told, Level::Warn, &["queue `", "` is not consumed"]), 2, "{told:#?}");
    assert_eq!(count(&told, Level::Info, &["connected to the broker at"]), 3, "{told:#?}");

    // The queue is deleted.
    let mut connection = amiquip::Connection::insecure_open(&broker_url()).unwrap();
    connection.open_channel(None).unwrap().queue_delete(&queue, amiquip::QueueDeleteOptions::default()).unwrap();
    connection.close().unwrap();
    eventually(PATIENCE, || count(&LINES.0.lock().unwrap(), Level::Info, &["consuming queue `", &queue]) == 1);
    let told = lines();
    assert_eq!(count(&told, Level::Warn, &[&format!("queue `{queue}` is not consumed")]), 1, "{told:#?}");

    assert_eq!(service.stop(PATIENCE).abandoned, 0);
    // Each stop is a clean one.
    for _ in 0..20 {
        let service = Service::builder(&client).on("noted", |_: &Context, _: Value| Ok(())).start().unwrap();
        assert_eq!(service.stop(PATIENCE).abandoned, 0);
    }
    client.close(PATIENCE).unwrap();
    let told = lines();
    assert_eq!(count(&told, Level::Info, &["service `", "` has stopped"]), 21, "{told:#?}");
    assert_eq!(count(&told, Level::Info, &["", "is closed"]), 1 + 2 * 21, "{told:#?}");
    assert_eq!(count(&told, Level::Warn, &[]), 0, "{told:#?}");
}

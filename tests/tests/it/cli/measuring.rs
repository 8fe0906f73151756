//! `zc-events bench`: it measures, and removes everything in any case.

use std::sync::Arc;
use std::time::Duration;

use integration_tests::command::{PATIENCE, Running, Scene};
use integration_tests::proxy::{Mode, Proxy, Way};
use integration_tests::{broker_url, eventually};
use serde_json::Value;
use zc_events::{Context, Service};
use zc_events_protocol::{Clock, SystemClock};
use zc_events_transport::amqp::{AmqpBroker, AmqpOptions};
use zc_events_transport::{Broker, ExchangeKind, Inspection, Presence, Topology};

/// More messages than a test can measure.
const FOR_EVER: &str = "10000000";

/// What a sandbox of this name has in the broker.
fn inspect(name: &str) -> Inspection {
    let broker = AmqpBroker::new(AmqpOptions::new(broker_url().parse().unwrap())).unwrap();
    let queue = format!("{name}-events");
    let wanted = Topology::new()
        .exchange(name, ExchangeKind::Fanout)
        .queue_with_priority(&queue, Some(10))
        .quarantine_queue(format!("{queue}.quarantine"))
        .dead_queue(format!("{queue}.dead"))
        // Unused queues expire.
        .temporary(Duration::from_secs(600));
    broker.inspect(&wanted, SystemClock.deadline(PATIENCE)).unwrap()
}

#[track_caller]
fn is_gone(name: &str) {
    let found = inspect(name);
    let exchanges = found.exchanges.iter().map(|it| &it.presence);
    let mut all = exchanges.chain(found.queues.iter().map(|it| &it.presence));
    assert!(all.all(|it| *it == Presence::Missing), "{found:?}");
}

/// The name of the sandbox, from the first note.
fn name(stderr: &str) -> String {
    let name = stderr.split('`').nth(1).unwrap_or_else(|| panic!("no name in {stderr:?}"));
    assert!(name.contains("-bench-"), "{name}");
    name.to_owned()
}

fn start(scene: &Scene, more: &[&str]) -> Running {
    let words = [&["bench", "--output", "pretty", "--messages", FOR_EVER][..], more].concat();
    let running = scene.start(&words);
    running.until_said("removed afterwards");
    running
}

#[test]
fn all_phases_are_measured_and_the_fleet_receives_nothing() {
    let scene = Scene::new();
    let service = Service::builder(&scene.client()).on("bench", |_: &Context, _: Value| Ok(())).start().unwrap();
    let ended = scene.run(&["bench", "--messages", "500", "--size", "200", "--output", "json"]).with_code(0);
    // A slow machine may make a connection late, which is logged.
    assert!(ended.stderr.lines().all(|line| line.contains("WARN ]")), "{ended:?}");
    let rows = ended.json();
    let phases: Vec<&str> = rows.iter().map(|row| row["phase"].as_str().unwrap()).collect();
    assert_eq!(phases, ["publish", "consume", "call", "calls_at_once"]);
    let counts: Vec<u64> = rows.iter().map(|row| row["count"].as_u64().unwrap()).collect();
    assert_eq!(counts, [500, 499, 50, 48]);
    for row in &rows {
        let number = |name: &str| row[name].as_f64().unwrap();
        let rate = number("count") / number("seconds");
        assert!((number("per_second") - rate).abs() / rate < 0.2, "{row}");
        let rising = ["p50_ms", "p90_ms", "p99_ms", "p999_ms", "max_ms"].map(number);
        assert!(rising[0] > 0.0 && rising.is_sorted(), "{row}");
    }
    let health = service.health();
    assert_eq!(health.processed + health.ignored, 0);
    assert_eq!(service.stop(PATIENCE).abandoned, 0);

    let ended = scene.run(&["bench", "--messages", "50", "--output", "pretty"]).with_code(0);
    is_gone(&name(&ended.stderr));
    assert!(ended.stdout.contains("p99.9") && ended.stdout.contains("####"), "{ended:?}");
}

#[test]
fn nothing_remains_after_ctrl_c_and_after_the_timeout() {
    let scene = Scene::new();
    let mut running = start(&scene, &[]);
    running.interrupt();
    let ended = running.end().with_code(130);
    is_gone(&name(&ended.stderr));

    let ended = start(&scene, &["--timeout", "1s"]).end().with_code(5);
    assert!(ended.stderr.contains("timed out while publishing") && ended.stderr.contains("--messages"), "{ended:?}");
    assert!(ended.took < PATIENCE, "{ended:?}");
    is_gone(&name(&ended.stderr));
}

/// A killed command cannot remove anything: its queues and its exchange expire.
#[test]
fn what_a_killed_benchmark_leaves_expires() {
    let mut running = start(&Scene::new(), &[]);
    let broker: Arc<dyn Broker> = Arc::new(AmqpBroker::new(AmqpOptions::new(broker_url().parse().unwrap())).unwrap());
    // Wait until the benchmark has declared its queue and published into it.
    let name = integration_tests::eventually(PATIENCE, || {
        let name = name(&running.said());
        (inspect(&name).queues[0].ready > Some(0)).then_some(name)
    });
    running.kill();
    let found = inspect(&name);
    for queue in &found.queues {
        assert_eq!(queue.presence, Presence::AsWanted, "with x-expires of ten minutes: {found:?}");
    }
    assert_eq!(found.exchanges[0].presence, Presence::AsWanted, "auto-delete: {found:?}");
    let queues = found.queues.iter().fold(Topology::new(), |all, queue| all.queue_with_priority(&queue.name, None));
    broker.remove(&queues, SystemClock.deadline(PATIENCE)).unwrap();
    is_gone(&name);
}

#[test]
fn a_benchmark_that_cannot_run_says_why() {
    let ended = Scene::new().env("BROKER_URL", "amqp://app:hunter2canary@127.0.0.1:1/").run(&["bench"]).with_code(4);
    assert!(ended.stderr.contains("BROKER_URL") && !ended.stderr.contains("hunter2canary"), "{ended:?}");
    let without = Scene::new().env("EVENTS_REDIS_URL", "");
    let ended = without.run(&["bench", "--messages", "20", "--output", "json"]).with_code(0);
    assert!(ended.json().len() == 2 && ended.stderr.contains("EVENTS_REDIS_URL is not set"), "{ended:?}");
    let down = Scene::new().env("EVENTS_REDIS_URL", "redis://:hunter2canary@127.0.0.1:1/0");
    let ended = down.run(&["bench", "--messages", "20", "--output", "json"]).with_code(4);
    assert!(ended.stderr.contains("EVENTS_REDIS_URL") && !ended.stderr.contains("hunter2canary"), "{ended:?}");
    Scene::new().bare().run(&["bench"]).with_code(3);
}

/// Here the confirms do not come.
#[test]
fn a_silent_server_delays_neither_ctrl_c_nor_the_timeout() {
    for words in [&[][..], &["--timeout", "2s"]] {
        let (proxy, url) = Proxy::before(&broker_url()).unwrap();
        let scene = Scene::new().env("BROKER_URL", &url).env("EVENTS_PUBLISH_TIMEOUT", "60");
        let mut running = start(&scene, words);
        let name = eventually(PATIENCE, || {
            let name = name(&running.said());
            (inspect(&name).queues[0].ready > Some(0)).then_some(name)
        });
        proxy.set(Way::Both, Mode::Hold);
        if words.is_empty() {
            running.interrupt();
        }
        let ended = running.end().with_code(if words.is_empty() { 130 } else { 5 });
        assert!(ended.took < PATIENCE, "{ended:?}");
        for says in [format!("`{name}` and its queues may still exist"), "in ten minutes".to_owned()] {
            assert!(ended.stderr.contains(&says), "{ended:?}");
        }
        // The queues expire (tested above); the test removes them now.
        let broker: Arc<dyn Broker> =
            Arc::new(AmqpBroker::new(AmqpOptions::new(broker_url().parse().unwrap())).unwrap());
        let found = inspect(&name);
        let queues = found.queues.iter().fold(Topology::new(), |all, queue| all.queue_with_priority(&queue.name, None));
        broker.remove(&queues, SystemClock.deadline(PATIENCE)).unwrap();
    }
}

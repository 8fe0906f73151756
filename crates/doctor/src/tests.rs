//! Examinations of in-memory servers, of unreachable servers, and of invalid settings.

use std::net::TcpListener;
use std::sync::Arc;
use std::time::{Duration, Instant};

use zc_events_cache::memory::MemoryReplyStore;
use zc_events_protocol::{Clock as _, Headers, SystemClock};
use zc_events_transport::memory::MemoryBroker;
use zc_events_transport::{ExchangeKind, Queue, Topology};

use zc_events::{Context, Error, Event, EventClient, HandlerError, Retry, Service, Settings, SettingsBuilder, Value};

use crate::settings::Subject;
use crate::{Check, Doctor, Report, Status};

const PATIENCE: Duration = Duration::from_secs(10);

fn memory() -> SettingsBuilder {
    Settings::builder()
        .broker_url("memory://")
        .events_redis_url("memory://")
        .staging_name("test")
        .service_name("orders")
}

fn client(settings: SettingsBuilder) -> EventClient {
    EventClient::new(settings.build().unwrap()).unwrap()
}

fn declare(client: &EventClient, topology: &Topology) {
    client.broker().declare(topology, SystemClock.deadline(PATIENCE)).unwrap();
}

fn status(report: &Report, check: Check) -> Status {
    report.finding(check).unwrap().status
}

#[track_caller]
fn failed(report: &Report, check: Check, seen: &str, remedy: &str) {
    let finding = report.finding(check).unwrap();
    assert_eq!(finding.status, Status::Failed, "{report}");
    assert!(finding.seen.contains(seen), "{finding}");
    assert!(finding.remedy.as_ref().is_some_and(|it| it.contains(remedy)), "{finding}");
    assert!(!report.is_healthy());
}

#[test]
fn a_running_service_is_healthy() {
    let client = client(memory());
    let service = Service::builder(&client).start().unwrap();
    let mut findings = Vec::new();
    let report = Doctor::new(&client).examine_with(|finding| findings.push(finding.clone()));
    assert!(report.is_healthy(), "{report}");
    assert_eq!(findings, report.findings());
    let checks: Vec<Check> = findings.iter().map(|finding| finding.check).collect();
    assert_eq!(checks, Check::ALL);
    use Check::*;
    for check in
        [Settings, Permissions, Exchanges, Queues, Bindings, Consumers, Backlog, Redis, Eviction, RoundTrip, Clock]
    {
        assert_eq!(status(&report, check), Status::Ok, "{report}");
    }
    for check in [Dns, Tcp, Tls, Login, Vhost, Management] {
        assert_eq!(status(&report, check), Status::Skipped, "{report}");
    }
    // The service received nothing from the examination.
    assert_eq!(service.health().ignored + service.health().processed, 0);
    assert_eq!(service.stop(PATIENCE).abandoned, 0);
}

#[test]
fn before_the_first_start_nothing_fails_and_after_a_stop_consumers_fail() {
    let client = client(memory());
    let report = Doctor::new(&client).examine();
    assert!(report.is_healthy(), "{report}");
    assert_eq!(status(&report, Check::Queues), Status::Warning);
    assert_eq!(status(&report, Check::Exchanges), Status::Warning);
    assert_eq!(status(&report, Check::Consumers), Status::Skipped);
    assert_eq!(Service::builder(&client).start().unwrap().stop(PATIENCE).abandoned, 0);
    let report = Doctor::new(&client).examine();
    failed(&report, Check::Consumers, "`orders-events` has no consumer", "start the service `orders`");
    assert!(Doctor::new(&client).without(Check::Consumers).examine().is_healthy());
}

#[test]
fn waiting_messages_are_counted() {
    let client = client(memory());
    let service = Service::builder(&client)
        .on("bad", |_: &Context, _: Value| Err(HandlerError::new("no").permanent()))
        .on("later", |_: &Context, _: Value| Err(HandlerError::new("no").retry_after(Duration::from_secs(900))))
        .retry(Retry::attempts(3))
        .start()
        .unwrap();
    client.emit(&Event::new("bad")).unwrap();
    client.emit(&Event::new("later")).unwrap();
    let begun = Instant::now();
    loop {
        let report = Doctor::new(&client).examine();
        let backlog = report.finding(Check::Backlog).unwrap();
        if backlog.seen == "1 dead letter; 0 events waiting; 1 retry" {
            assert_eq!(backlog.status, Status::Warning);
            assert!(backlog.remedy.as_ref().unwrap().contains("zc-events dead list"));
            break;
        }
        assert!(begun.elapsed() < PATIENCE, "{report}");
    }
    assert_eq!(service.stop(PATIENCE).abandoned, 0);
}

#[test]
fn a_backlog_without_a_consumer_asks_for_the_service_and_not_for_workers() {
    let client = client(memory());
    assert_eq!(Service::builder(&client).start().unwrap().stop(PATIENCE).abandoned, 0);
    let events: Vec<Event> = (0..1500).map(|_| Event::new("e")).collect();
    assert!(client.emit_many(&events).iter().all(Result::is_ok));
    let report = Doctor::new(&client).examine();
    let backlog = report.finding(Check::Backlog).unwrap();
    assert!(backlog.seen.contains("1500 events waiting"), "{backlog}");
    let remedy = backlog.remedy.as_ref().unwrap();
    assert!(remedy.contains("start the service `orders`") && !remedy.contains("EVENTS_WORKERS"), "{backlog}");
}

#[test]
fn the_remedy_names_the_setting_that_differs() {
    let client = client(memory().events_exchange("fleet"));
    let arguments = Headers::from([("x-max-priority".to_owned(), 5.into())]);
    let queue = Queue::durable("orders-events").arguments(arguments);
    declare(&client, &Topology::new().exchange("fleet", ExchangeKind::Direct).queue(queue));
    let report = Doctor::new(&client).examine();
    failed(&report, Check::Exchanges, "`fleet`: type is direct, expected fanout", "another name (EVENTS_EXCHANGE)");
    failed(&report, Check::Queues, "(406): x-max-priority is 5, expected 10", "EVENTS_QUEUE_MAX_PRIORITY=5");
    failed(&report, Check::Bindings, "`orders-events` is not bound to `fleet`", "start the service");
}

#[test]
fn servers_that_are_down_fail_in_time_and_the_rest_is_skipped() {
    let settings = memory()
        .broker_url("amqp://app:canary@127.0.0.1:1/")
        .events_redis_url("redis://:canary@127.0.0.1:1")
        .management_url("http://app:canary@127.0.0.1:1");
    let begun = Instant::now();
    let report = Doctor::new(&client(settings)).examine();
    assert!(begun.elapsed() < PATIENCE);
    failed(&report, Check::Tcp, "cannot connect to 127.0.0.1:1 (Connection refused", "in BROKER_URL are right");
    failed(&report, Check::Tcp, "", "in EVENTS_REDIS_URL are right");
    assert_eq!(status(&report, Check::Dns), Status::Ok);
    // The management API has its own address and login.
    let management = report.finding(Check::Management).unwrap();
    assert!(
        management.status == Status::Warning && management.seen.contains("cannot use the management API"),
        "{report}"
    );
    let not_skipped = [Check::Management, Check::Clock];
    for check in Check::ALL.into_iter().filter(|check| *check > Check::Tls && !not_skipped.contains(check)) {
        assert_eq!(status(&report, check), Status::Skipped, "{report}");
    }
    let clock = report.finding(Check::Clock).unwrap();
    assert!(clock.remedy.as_ref().is_some_and(|it| it.contains("fix the failures")), "{report}");
    assert!(!format!("{report} {report:?}").contains("canary"));
    assert!(report.to_string().lines().count() <= 24);
}

#[test]
fn names_that_cannot_be_resolved_and_missing_tls_fail() {
    let report = Doctor::new(&client(memory().broker_url("amqp://app:canary@name.invalid/"))).examine();
    failed(&report, Check::Dns, "name.invalid:5672 cannot be resolved", "check the host in BROKER_URL");
    assert_eq!(report.finding(Check::Login).unwrap().seen, "dns failed");
    // The reply store does not depend on the broker.
    assert_eq!(status(&report, Check::Redis), Status::Ok);

    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("amqps://app:canary@{}/", listener.local_addr().unwrap());
    // This server accepts connections and sends nothing.
    let doctor = Doctor::new(&client(memory().broker_url(url))).timeout(Duration::from_millis(600));
    let report = doctor.examine();
    assert_eq!(status(&report, Check::Tcp), Status::Ok);
    let remedy = if cfg!(feature = "tls") { "`cacertfile` in BROKER_URL" } else { "the feature `tls`" };
    failed(&report, Check::Tls, "no TLS with 127.0.0.1:", remedy);
    assert_eq!(report.finding(Check::Vhost).unwrap().seen, "tls failed");
}

#[test]
fn one_node_of_several_that_is_down_is_a_warning() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("amqp://127.0.0.1:1/;amqp://{}/", listener.local_addr().unwrap());
    let doctor = Doctor::new(&client(memory().broker_url(url))).timeout(Duration::from_millis(600));
    let begun = Instant::now();
    let report = doctor.examine();
    assert!(begun.elapsed() < PATIENCE);
    assert_eq!(status(&report, Check::Tcp), Status::Warning, "{report}");
    // This server accepts connections and sends nothing.
    failed(&report, Check::Login, "does not complete the AMQP handshake", "AMQP port");
}

#[test]
fn invalid_settings_skip_the_other_checks() {
    let subject = Subject::Environment {
        settings: Box::new(Err(Error::Config { why: "BROKER_URL is not set: set it".to_owned() })),
        set: Default::default(),
        has_env_file: false,
    };
    let report = Doctor::of(subject).examine();
    failed(&report, Check::Settings, "BROKER_URL is not set", "no .env file");
    assert_eq!(report.findings().len(), Check::ALL.len());
    assert!(report.findings()[1..].iter().all(|finding| finding.status == Status::Skipped));
}

#[test]
fn a_blocked_broker_fails_the_round_trip() {
    let client = client(memory().broker_url("memory://doctor-blocked"));
    let broker = MemoryBroker::named("doctor-blocked", Arc::new(SystemClock));
    broker.block(Some("low on memory"));
    let report = Doctor::new(&client).timeout(Duration::from_millis(100)).examine();
    failed(&report, Check::RoundTrip, "low on memory", "rabbitmq-diagnostics alarms");
}

#[test]
fn a_failing_store_fails_its_checks() {
    let url = "memory://doctor-store-fails";
    let store = MemoryReplyStore::named("doctor-store-fails", Arc::new(SystemClock));
    let client = client(memory().events_redis_url(url));
    store.fail_with(Some("gone for lunch"));
    let report = Doctor::new(&client).examine();
    failed(&report, Check::Redis, "gone for lunch", "EVENTS_REDIS_URL");
    failed(&report, Check::RoundTrip, "gone for lunch", "");
    assert_eq!(status(&report, Check::Clock), Status::Unknown);
}

//! Examinations of what is in memory, of servers that are not there, and of settings that make no sense.

use std::net::TcpListener;
use std::sync::Arc;
use std::time::{Duration, Instant};

use zc_events_cache::memory::MemoryReplyStore;
use zc_events_protocol::{Headers, SystemClock};
use zc_events_transport::memory::MemoryBroker;
use zc_events_transport::{ExchangeKind, Queue, Topology};

use super::finding::{Check, Report, Status};
use super::{Doctor, Subject};
use crate::{Context, Error, Event, EventClient, HandlerError, Retry, Service, Settings, SettingsBuilder, Value};

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
    let inner = client.inner();
    inner.broker.declare(topology, inner.deadline(PATIENCE)).unwrap();
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
fn a_running_service_in_memory_is_well() {
    let client = client(memory());
    let service = Service::builder(&client).start().unwrap();
    let mut told = Vec::new();
    let report = Doctor::of(&client).examine_telling(|finding| told.push(finding.clone()));
    assert!(report.is_healthy(), "{report}");
    assert_eq!(told, report.findings());
    let checks: Vec<Check> = told.iter().map(|finding| finding.check).collect();
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
    // Nothing of it is left, and the service has seen nothing of it.
    assert_eq!(service.health().ignored + service.health().processed, 0);
    assert_eq!(service.stop(PATIENCE).abandoned, 0);
}

#[test]
fn before_a_service_has_started_that_is_no_failure_but_for_its_consumers() {
    let client = client(memory());
    let report = Doctor::of(&client).examine();
    assert!(report.is_healthy(), "{report}");
    assert_eq!(status(&report, Check::Queues), Status::Warning);
    assert_eq!(status(&report, Check::Exchanges), Status::Warning);
    assert_eq!(status(&report, Check::Consumers), Status::Skipped);
    assert_eq!(Service::builder(&client).start().unwrap().stop(PATIENCE).abandoned, 0);
    let report = Doctor::of(&client).examine();
    failed(&report, Check::Consumers, "nobody consumes `orders-events`", "start the service `orders`");
    assert!(Doctor::of(&client).without(Check::Consumers).examine().is_healthy());
}

#[test]
fn what_waits_is_counted() {
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
        let report = Doctor::of(&client).examine();
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
fn what_waits_while_nobody_consumes_wants_a_service_and_not_more_workers() {
    let client = client(memory());
    assert_eq!(Service::builder(&client).start().unwrap().stop(PATIENCE).abandoned, 0);
    let events: Vec<Event> = (0..1500).map(|_| Event::new("e")).collect();
    assert!(client.emit_many(&events).iter().all(Result::is_ok));
    let report = Doctor::of(&client).examine();
    let backlog = report.finding(Check::Backlog).unwrap();
    assert!(backlog.seen.contains("1500 events waiting"), "{backlog}");
    let remedy = backlog.remedy.as_ref().unwrap();
    assert!(remedy.contains("start the service `orders`") && !remedy.contains("EVENTS_WORKERS"), "{backlog}");
}

#[test]
fn an_exchange_of_another_type_and_a_queue_with_other_arguments_are_told_with_the_setting() {
    let client = client(memory().events_exchange("fleet"));
    let arguments = Headers::from([("x-max-priority".to_owned(), 5.into())]);
    let queue = Queue::durable("orders-events").arguments(arguments);
    declare(&client, &Topology::new().exchange("fleet", ExchangeKind::Direct).queue(queue));
    let report = Doctor::of(&client).examine();
    failed(&report, Check::Exchanges, "`fleet`: type is direct, and would be fanout", "another name (EVENTS_EXCHANGE)");
    failed(
        &report,
        Check::Queues,
        "refused (406): x-max-priority is 5, and would be 10",
        "EVENTS_QUEUE_MAX_PRIORITY=5",
    );
    failed(&report, Check::Bindings, "`orders-events` is not bound to `fleet`", "start the service");
}

#[test]
fn servers_that_are_down_are_told_in_time_and_the_rest_is_skipped() {
    let settings = memory()
        .broker_url("amqp://app:canary@127.0.0.1:1/")
        .events_redis_url("redis://:canary@127.0.0.1:1")
        .management_url("http://app:canary@127.0.0.1:1");
    let begun = Instant::now();
    let report = Doctor::of(&client(settings)).examine();
    assert!(begun.elapsed() < PATIENCE);
    failed(&report, Check::Tcp, "no connection to 127.0.0.1:1 (Connection refused", "in BROKER_URL right");
    failed(&report, Check::Tcp, "", "in EVENTS_REDIS_URL right");
    assert_eq!(status(&report, Check::Dns), Status::Ok);
    // It has a way and a login of its own.
    let management = report.finding(Check::Management).unwrap();
    assert!(management.status == Status::Warning && management.seen.contains("does not answer"), "{report}");
    let told = [Check::Management, Check::Clock];
    for check in Check::ALL.into_iter().filter(|check| *check > Check::Tls && !told.contains(check)) {
        assert_eq!(status(&report, check), Status::Skipped, "{report}");
    }
    let clock = report.finding(Check::Clock).unwrap();
    assert!(clock.remedy.as_ref().is_some_and(|it| it.contains("mend what fails above")), "{report}");
    assert!(!format!("{report} {report:?}").contains("canary"));
    assert!(report.to_string().lines().count() <= 24);
}

#[test]
fn a_name_that_leads_nowhere_and_tls_are_told() {
    let report = Doctor::of(&client(memory().broker_url("amqp://app:canary@name.invalid/"))).examine();
    failed(&report, Check::Dns, "name.invalid:5672 leads nowhere", "check the host in BROKER_URL");
    assert_eq!(report.finding(Check::Login).unwrap().seen, "dns failed");
    // The reply store is not the broker's business.
    assert_eq!(status(&report, Check::Redis), Status::Ok);

    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("amqps://app:canary@{}/", listener.local_addr().unwrap());
    // It listens, and says nothing.
    let doctor = Doctor::of(&client(memory().broker_url(url))).timeout(Duration::from_millis(600));
    let report = doctor.examine();
    assert_eq!(status(&report, Check::Tcp), Status::Ok);
    let remedy = if cfg!(feature = "tls") { "cacertfile=PATH in BROKER_URL" } else { "the feature `tls`" };
    failed(&report, Check::Tls, "no TLS with 127.0.0.1:", remedy);
    assert_eq!(report.finding(Check::Vhost).unwrap().seen, "tls failed");
}

#[test]
fn one_node_of_several_that_is_down_is_a_warning() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("amqp://127.0.0.1:1/;amqp://{}/", listener.local_addr().unwrap());
    let doctor = Doctor::of(&client(memory().broker_url(url))).timeout(Duration::from_millis(600));
    let begun = Instant::now();
    let report = doctor.examine();
    assert!(begun.elapsed() < PATIENCE);
    assert_eq!(status(&report, Check::Tcp), Status::Warning, "{report}");
    // It listens, and says nothing.
    failed(&report, Check::Login, "does not answer as a broker", "AMQP port");
}

#[test]
fn settings_that_make_no_sense_are_a_finding_and_the_end() {
    let subject = Subject::Env {
        settings: Box::new(Err(Error::config("BROKER_URL is not set: set it"))),
        told: Default::default(),
    };
    let report = Doctor::new(subject).examine();
    failed(&report, Check::Settings, "BROKER_URL is not set", "");
    assert_eq!(report.findings().len(), Check::ALL.len());
    assert!(report.findings()[1..].iter().all(|finding| finding.status == Status::Skipped));
}

#[test]
fn a_blocked_broker_fails_the_round_trip() {
    let client = client(memory().broker_url("memory://doctor-blocked"));
    let broker = MemoryBroker::named("doctor-blocked", Arc::new(SystemClock));
    broker.block(Some("low on memory"));
    let report = Doctor::of(&client).timeout(Duration::from_millis(100)).examine();
    failed(&report, Check::RoundTrip, "low on memory", "rabbitmq-diagnostics alarms");
}

#[test]
fn a_store_that_fails_is_told() {
    let url = "memory://doctor-store-fails";
    let store = MemoryReplyStore::named("doctor-store-fails", Arc::new(SystemClock));
    let client = client(memory().events_redis_url(url));
    store.fail_with(Some("gone for lunch"));
    let report = Doctor::of(&client).examine();
    failed(&report, Check::Redis, "gone for lunch", "EVENTS_REDIS_URL");
    failed(&report, Check::RoundTrip, "gone for lunch", "");
    assert_eq!(status(&report, Check::Clock), Status::Unknown);
}

//! The doctor against real servers: what it finds, which remedies it names, and that it changes nothing. `cli` tests the command.

use std::time::{Duration, Instant};

use integration_tests::{broker_url, eventually, redis_url, unique};
use xtask::test_servers::TestServers;
use zc_events::{Context, Event, EventClient, HandlerError, Retry, Service, Settings, SettingsBuilder, Value};
use zc_events_doctor::{Check, Doctor, Report, Status};

const PATIENCE: Duration = Duration::from_secs(30);
const SECRET: &str = "hunter2canary";

fn settings(service: &str) -> SettingsBuilder {
    Settings::builder()
        .broker_url(broker_url())
        .events_redis_url(redis_url())
        .staging_name(unique("doctor"))
        .service_name(service)
}

fn client(settings: SettingsBuilder) -> EventClient {
    EventClient::new(settings.build().unwrap()).unwrap()
}

fn examine(client: &EventClient) -> Report {
    let report = Doctor::new(client).examine();
    assert!(!format!("{report} {report:?}").contains(SECRET), "{report}");
    assert_eq!(report.findings().len(), Check::ALL.len());
    report
}

#[track_caller]
fn is(report: &Report, check: Check, status: Status, seen: &str) {
    let finding = report.finding(check).unwrap();
    assert!(finding.status == status && finding.seen.contains(seen), "{check} should be {status}: {seen}\n{report}");
}

/// The check failed, with this remedy.
#[track_caller]
fn fails(report: &Report, check: Check, seen: &str, remedy: &str) {
    is(report, check, Status::Failed, seen);
    let finding = report.finding(check).unwrap();
    assert!(finding.remedy.as_ref().is_some_and(|it| it.contains(remedy)), "{finding}");
    assert!(!report.is_healthy());
}

fn raw(work: impl FnOnce(&amiquip::Channel)) {
    let mut connection = amiquip::Connection::insecure_open(&broker_url()).unwrap();
    work(&connection.open_channel(None).unwrap());
    connection.close().unwrap();
}

fn delete(queue: &str) {
    raw(|channel| {
        channel.queue_delete(queue, amiquip::QueueDeleteOptions::default()).unwrap();
    });
}

fn delete_queues_of(service: &str) {
    for queue in ["events", "events.dead", "events.quarantine"] {
        delete(&format!("{service}-{queue}"));
    }
}

#[test]
fn a_running_service_is_healthy_and_receives_nothing() {
    let service = unique("orders");
    let client = client(settings(&service));
    let running = Service::builder(&client).on("it", |_: &Context, _: Value| Ok(())).start().unwrap();
    for _ in 0..3 {
        let report = examine(&client);
        assert!(report.is_healthy(), "{report}");
        for check in [Check::Login, Check::Permissions, Check::Exchanges, Check::Queues, Check::Redis] {
            is(&report, check, Status::Ok, "");
        }
        is(&report, Check::Queues, Status::Ok, "2 queues for dead letters");
        is(&report, Check::Consumers, Status::Ok, &format!("1 consumer on `{service}-events`"));
        is(&report, Check::Backlog, Status::Ok, "0 events");
        is(&report, Check::Eviction, Status::Ok, "noeviction");
        is(&report, Check::RoundTrip, Status::Ok, "Redis");
        is(&report, Check::Clock, Status::Ok, "Redis");
        is(&report, Check::Bindings, Status::Unknown, "cannot tell whether");
    }
    // The queue is still bound, and received nothing else.
    client.emit(&Event::new("it")).unwrap();
    eventually(PATIENCE, || running.health().processed == 1);
    let health = running.health();
    assert_eq!((health.ignored, health.failed, health.consuming), (0, 0, true));
    assert_eq!(running.stop(PATIENCE).abandoned, 0);
    delete_queues_of(&service);
}

/// Examining an empty broker declares nothing.
#[test]
fn nothing_is_declared() {
    let service = unique("orders");
    let client = client(settings(&service));
    for _ in 0..2 {
        let report = examine(&client);
        assert!(report.is_healthy(), "{report}");
        is(&report, Check::Queues, Status::Warning, &format!("`{service}-events` does not exist"));
        is(&report, Check::Exchanges, Status::Warning, "does not exist");
        is(&report, Check::RoundTrip, Status::Ok, "");
    }
}

#[test]
fn waiting_messages_stay_in_their_queues() {
    let service = unique("orders");
    let client = client(settings(&service));
    let running = Service::builder(&client)
        .on("bad", |_: &Context, _: Value| Err(HandlerError::new("the bank is closed")))
        .retry(Retry::never())
        .start()
        .unwrap();
    client.emit(&Event::new("bad")).unwrap();
    eventually(PATIENCE, || running.health().dead_lettered == 1);
    assert_eq!(running.stop(PATIENCE).abandoned, 0);
    for _ in 0..3 {
        client.emit(&Event::new("it")).unwrap();
    }
    for _ in 0..2 {
        let report = examine(&client);
        fails(&report, Check::Consumers, "has no consumer", "start the service");
        is(&report, Check::Backlog, Status::Warning, "1 dead letter; 3 events waiting");
    }
    let dead = client.dead_letters().unwrap();
    let letters = dead.list().unwrap();
    assert_eq!((letters.len(), letters[0].replays), (1, 0));
    delete_queues_of(&service);
}

#[test]
fn the_remedy_names_the_setting_that_differs() {
    let (service, exchange) = (unique("orders"), unique("fleet"));
    let queue = format!("{service}-events");
    raw(|channel| {
        let arguments = [("x-max-priority".to_owned(), amiquip::AmqpValue::LongInt(5))].into_iter().collect();
        let options = amiquip::QueueDeclareOptions { durable: true, arguments, ..Default::default() };
        channel.queue_declare(queue.as_str(), options).unwrap();
        let options = amiquip::ExchangeDeclareOptions { durable: true, ..Default::default() };
        channel.exchange_declare(amiquip::ExchangeType::Direct, exchange.as_str(), options).unwrap();
    });
    let client = client(settings(&service).events_exchange(&exchange));
    let report = examine(&client);
    fails(&report, Check::Exchanges, "type is direct, expected fanout", "EVENTS_EXCHANGE");
    fails(&report, Check::Queues, "(406): x-max-priority is 5, expected 10", "EVENTS_QUEUE_MAX_PRIORITY=5");
    raw(|channel| channel.exchange_delete(exchange.as_str(), false).unwrap());
    delete(&queue);
}

#[test]
fn rejections_and_unreachable_servers_are_found_in_time() {
    let url = broker_url();
    let (login, node) = url.strip_prefix("amqp://").unwrap().split_once('@').unwrap();
    let (place, _) = node.split_once('/').unwrap();
    let service = unique("orders");
    let begun = Instant::now();

    let report = examine(&client(settings(&service).broker_url(format!("amqp://guest:{SECRET}@{node}"))));
    fails(&report, Check::Login, "rejects the user `guest`", "BROKER_URL");
    is(&report, Check::Vhost, Status::Skipped, "login failed");
    is(&report, Check::Redis, Status::Ok, "");

    let report = examine(&client(settings(&service).broker_url(format!("amqp://{login}@{place}/nowhere"))));
    is(&report, Check::Login, Status::Ok, "");
    fails(&report, Check::Vhost, "vhost nowhere not found", "rabbitmqctl add_vhost nowhere");

    let redis = redis_url();
    let wrong = redis.replace("redis://", &format!("redis://nobody:{SECRET}@"));
    let report = examine(&client(settings(&service).events_redis_url(wrong)));
    fails(&report, Check::Redis, "refused the login", "EVENTS_REDIS_URL");
    is(&report, Check::RoundTrip, Status::Ok, "broker only");

    let down = format!("redis://:{SECRET}@127.0.0.1:1");
    let report = examine(&client(settings(&service).events_redis_url(down)));
    fails(&report, Check::Tcp, "cannot connect to 127.0.0.1:1", "check that Redis runs there");
    is(&report, Check::Redis, Status::Skipped, "tcp failed");
    is(&report, Check::Permissions, Status::Ok, "");
    assert!(begun.elapsed() < PATIENCE, "{:?}", begun.elapsed());
}

/// Needs its own server: the management API, policies, users with few permissions, alarms.
#[test]
fn management_api_policies_permissions_and_alarms() {
    let servers = TestServers::start_with_management().unwrap();
    let service = unique("orders");
    let on_servers = |service: &str| {
        let settings = settings(service).broker_url(servers.broker_url()).events_redis_url(servers.redis_url());
        settings.staging_name("servers").management_url(servers.management_url())
    };
    let fleet = client(on_servers(&service));
    let other = client(on_servers("stock"));
    let services = [&fleet, &other].map(|client| Service::builder(client).start().unwrap());

    let report = examine(&fleet);
    assert!(report.is_healthy(), "{report}");
    is(&report, Check::Management, Status::Ok, "RabbitMQ ");
    let bound = format!("`{service}-events` is bound to `microservice-events-servers`, like 1 other queue");
    is(&report, Check::Bindings, Status::Ok, &bound);

    // The management API counts an unacknowledged event after a few seconds.
    let (release, held) = crossbeam_channel::bounded::<()>(0);
    let holding = client(on_servers("holding"));
    let holder = Service::builder(&holding)
        .on("hold", move |_: &Context, _: Value| {
            // The test releases the handler.
            let _ = held.recv();
            Ok(())
        })
        .start()
        .unwrap();
    fleet.emit(&Event::new("hold")).unwrap();
    eventually(PATIENCE, || examine(&holding).finding(Check::Backlog).unwrap().seen.contains("1 unacknowledged"));
    drop(release);
    assert_eq!(holder.stop(PATIENCE).abandoned, 0);

    // A policy that can lose messages.
    servers
        .rabbitmqctl(&["set_policy", "short", "^orders-", r#"{"max-length": 100}"#, "--apply-to", "queues"])
        .unwrap();
    eventually(PATIENCE, || {
        examine(&fleet).finding(Check::Queues).unwrap().seen.contains("policy `short` sets max-length")
    });
    servers.rabbitmqctl(&["clear_policy", "short"]).unwrap();

    // The queue is bound to another exchange.
    services.into_iter().for_each(|service| assert_eq!(service.stop(PATIENCE).abandoned, 0));
    let elsewhere = client(on_servers(&service).events_exchange("elsewhere"));
    let report = examine(&elsewhere);
    fails(
        &report,
        Check::Bindings,
        "not bound to `elsewhere`, but to `microservice-events-servers`",
        "EVENTS_EXCHANGE",
    );

    // The service works even if the login of the API is wrong.
    let wrong = servers.management_url().replace("guest:guest", &format!("guest:{SECRET}"));
    let report = examine(&client(on_servers(&service).management_url(wrong)));
    is(&report, Check::Management, Status::Warning, "401");
    is(&report, Check::Bindings, Status::Unknown, "");

    permissions(&servers, &service, &on_servers);
    alarm(&servers, &fleet);
}

/// Users without some of the permissions that a service needs.
fn permissions(servers: &TestServers, service: &str, on_servers: &dyn Fn(&str) -> SettingsBuilder) {
    let user = |name: &str| {
        let url = servers.broker_url().replace("guest:guest", &format!("{name}:{SECRET}"));
        client(on_servers(service).broker_url(url))
    };
    let own = format!("^({service}-.*)$");
    let with_exchange = format!("^({service}-.*|microservice-events-servers|amq\\.default)$");
    for (name, rights) in [
        ("all", [own.as_str(), &with_exchange, &with_exchange]),
        ("unread", [&own, &with_exchange, &own]),
        ("unwritten", [&own, &own, &with_exchange]),
        ("stranger", ["", "", ""]),
    ] {
        servers.rabbitmqctl(&["add_user", name, SECRET]).unwrap();
        servers.rabbitmqctl(&["set_permissions", name, rights[0], rights[1], rights[2]]).unwrap();
    }
    servers.rabbitmqctl(&["add_user", "outside", SECRET]).unwrap();

    let report = examine(&user("all"));
    is(&report, Check::Permissions, Status::Ok, "has all required permissions (declare, bind, publish, consume)");
    is(&report, Check::RoundTrip, Status::Ok, "");
    let report = examine(&user("unread"));
    fails(
        &report,
        Check::Permissions,
        "lacks permissions: read `microservice-events-servers`",
        "rabbitmqctl set_permissions -p / unread",
    );
    let report = examine(&user("unwritten"));
    fails(
        &report,
        Check::Permissions,
        "lacks permissions: write `microservice-events-servers`",
        "CONFIGURE WRITE READ",
    );
    let report = examine(&user("stranger"));
    for right in ["write", "read"] {
        fails(&report, Check::Permissions, &format!("{right} `{service}-events`"), "");
    }
    // Existing queues need not be declared; the retry queues do not exist yet.
    let seen = &report.finding(Check::Permissions).unwrap().seen;
    assert!(!seen.contains(&format!("configure `{service}-events`")), "{report}");
    assert!(seen.contains(&format!("configure `{service}-events.retry.1s`")), "{report}");
    is(&report, Check::RoundTrip, Status::Unknown, "may not declare a temporary queue");
    let report = examine(&user("outside"));
    fails(&report, Check::Vhost, "access to vhost '/' refused for user 'outside'", "set_permissions -p / outside");
}

/// A broker that blocks publishers.
fn alarm(servers: &TestServers, fleet: &EventClient) {
    servers.rabbitmqctl(&["set_vm_memory_high_watermark", "absolute", "1"]).unwrap();
    // The broker checks its memory every few seconds.
    let report = eventually(PATIENCE, || {
        let report = examine(fleet);
        (report.finding(Check::RoundTrip).unwrap().status == Status::Failed).then_some(report)
    });
    fails(&report, Check::RoundTrip, "memory", "rabbitmq-diagnostics alarms");
    servers.rabbitmqctl(&["set_vm_memory_high_watermark", "0.4"]).unwrap();
}

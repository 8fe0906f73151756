//! `amqps://` and `rediss://`: RabbitMQ and Redis behind TLS.

use std::net::{SocketAddr, TcpListener, ToSocketAddrs};
use std::sync::Arc;
use std::time::{Duration, Instant};

use integration_tests::proxy::address;
use integration_tests::tls::{Authority, in_front_of};
use integration_tests::{broker_url, eventually, redis_url, unique};
use serde_json::json;
use zc_events::{Context, Error, Event, EventClient, Service, Settings, SettingsBuilder, Value};
use zc_events_cache::redis::{RedisOptions, RedisReplyStore, RedisUrl};
use zc_events_doctor::{Check, Doctor, Status};
use zc_events_protocol::SystemClock;
use zc_events_transport::amqp::{AmqpBroker, AmqpOptions};
use zc_events_transport::conformance::Suite;

const PATIENCE: Duration = Duration::from_secs(30);

fn resolved(url: &str) -> SocketAddr {
    address(url).to_socket_addrs().unwrap().next().unwrap()
}

/// The URL of what stands in front, with `localhost` for a host.
fn through(url: &str, front: SocketAddr, parameters: &str) -> String {
    let (scheme, rest) = url.split_once("://").unwrap();
    let rest = rest.replace(&address(url), &format!("localhost:{}", front.port()));
    format!("{scheme}s://{}?{parameters}", rest.split('?').next().unwrap())
}

/// The servers' URLs behind TLS, as `name`.
fn urls(authority: &Authority, name: &str) -> (String, String) {
    let front = |url: &str| in_front_of(resolved(url), authority.config(name)).unwrap();
    let file = authority.file();
    (
        through(&broker_url(), front(&broker_url()), &format!("cacertfile={}", file.display())),
        through(&redis_url(), front(&redis_url()), &format!("ssl_ca_certs={}", file.display())),
    )
}

fn settings(broker: &str, redis: &str) -> SettingsBuilder {
    let exchange = unique("tls");
    Settings::builder().broker_url(broker).events_redis_url(redis).events_exchange(&exchange).service_name(exchange)
}

#[test]
fn events_and_requests_pass_over_tls() {
    let authority = Authority::new();
    let (broker, redis) = urls(&authority, "localhost");
    let client = EventClient::new(settings(&broker, &redis).events_timeout(PATIENCE).build().unwrap()).unwrap();
    let (seen, events) = crossbeam_channel::unbounded();
    let service = Service::builder(&client)
        .on("noted", move |_: &Context, event: Value| Ok(seen.send(event["text"].as_str().map(str::len))?))
        .call("same", |_: &Context, data: Value| Ok(data))
        .start()
        .unwrap();
    // More than a socket takes at once, in both directions.
    for size in [0, 1, 20_000, 3_000_000] {
        let event = Event::new("noted").set("text", "x".repeat(size)).unwrap();
        client.emit(&event).unwrap();
        assert_eq!(events.recv_timeout(PATIENCE).unwrap(), Some(size));
        let data = json!({"text": "ü".repeat(size / 2)});
        assert!(client.get("same").data(&data).unwrap().fetch::<Value>().unwrap() == data, "{size}");
    }
    let events: Vec<_> = (0..2_000).map(|n| Event::new("noted").set("text", "y".repeat(n)).unwrap()).collect();
    assert!(client.emit_many(&events).into_iter().all(|sent| sent.is_ok()));
    eventually(PATIENCE, || service.health().processed == 2_008);
    assert_eq!(service.stop(PATIENCE).abandoned, 0);
    client.close(PATIENCE).unwrap();
}

#[test]
fn broker_and_store_conform_over_tls() {
    let authority = Authority::new();
    let (broker, redis) = urls(&authority, "localhost");
    let options = AmqpOptions::new(broker.parse().unwrap());
    Suite {
        make: &|| Arc::new(AmqpBroker::new(options.clone()).unwrap()),
        delete_queue: &|queue| {
            let mut connection = amiquip::Connection::insecure_open(&broker_url()).unwrap();
            connection.open_channel(None).unwrap().queue_delete(queue, amiquip::QueueDeleteOptions::default()).unwrap();
            connection.close().unwrap();
        },
        clock: &SystemClock,
        patience: PATIENCE,
        quiet: Duration::from_millis(200),
        quorum_priorities: crate::amqp::quorum_priorities(),
    }
    .run_all();
    let store =
        RedisReplyStore::new(RedisOptions::new(RedisUrl::parse(&redis).unwrap(), Arc::new(SystemClock))).unwrap();
    zc_events_cache::conformance::run(&|| Arc::new(store.clone()));
}

fn emit(settings: SettingsBuilder) -> Error {
    let client = EventClient::new(settings.events_publish_timeout(Duration::from_secs(5)).build().unwrap());
    client.and_then(|client| client.emit(&Event::new("noted"))).unwrap_err()
}

fn call(settings: SettingsBuilder) -> Error {
    let client = EventClient::new(settings.events_timeout(Duration::from_secs(5)).build().unwrap()).unwrap();
    let _service = Service::builder(&client).on("e", |_: &Context, _: Value| Ok(())).start().unwrap();
    client.get("e").fetch::<Value>().unwrap_err()
}

#[test]
fn untrusted_server_gets_neither_password_nor_events() {
    let (authority, stranger) = (Authority::new(), Authority::new());
    let (broker, redis) = urls(&authority, "localhost");
    let (strange_broker, strange_redis) = urls(&stranger, "localhost");
    let file = |url: &str, of: &Authority, instead: &Authority| {
        url.replace(&of.file().display().to_string(), &instead.file().display().to_string())
    };
    let (strange_broker, strange_redis) =
        (file(&strange_broker, &stranger, &authority), file(&strange_redis, &stranger, &authority));
    let (other_broker, other_redis) = urls(&authority, "other.test");
    for (broker, redis, said) in
        [(&strange_broker, &strange_redis, "unknown issuer"), (&other_broker, &other_redis, "another name")]
    {
        let error = emit(settings(broker, &redis_url())).to_string();
        assert!(error.contains(said) && error.contains("BROKER_URL") && error.contains("cacertfile"), "{error}");
        let error = call(settings(&broker_url(), redis)).to_string();
        assert!(error.contains(said) && error.contains("ssl_ca_certs"), "{error}");
    }
    // TLS to a server without TLS, and the other way round.
    let bare = through(&broker_url(), resolved(&broker_url()), "");
    let error = emit(settings(&bare, &redis_url())).to_string();
    assert!(error.contains("no TLS with the broker") && error.contains("5671"), "{error}");
    let error = emit(settings(&broker.replace("amqps://", "amqp://"), &redis));
    assert!(matches!(error, Error::Unavailable { .. }), "{error:?}");
    let error = emit(settings(&format!("{broker}&keyfile=/nowhere"), &redis));
    assert!(matches!(&error, Error::Config { why, .. } if why.contains("set both")), "{error:?}");
    let missing = format!("{}/nowhere.pem", authority.file().display());
    let error = emit(settings(&broker.replace(&authority.file().display().to_string(), &missing), &redis));
    assert!(matches!(&error, Error::Config { why, .. } if why.contains("nowhere.pem")), "{error:?}");
}

#[test]
fn silent_tls_server_ends_by_the_deadline() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let broker = format!("amqps://guest:guest@{}/", silent.local_addr().unwrap());
    let begun = Instant::now();
    let limits = |settings: SettingsBuilder| settings.events_publish_timeout(Duration::from_secs(1));
    let client = EventClient::new(limits(settings(&broker, &redis_url())).build().unwrap()).unwrap();
    assert!(client.emit(&Event::new("noted")).is_err());
    let redis = RedisUrl::parse(&format!("rediss://{}", silent.local_addr().unwrap())).unwrap();
    let store = RedisReplyStore::new(RedisOptions::new(redis, Arc::new(SystemClock))).unwrap();
    use zc_events_cache::ReplyStore;
    use zc_events_protocol::Clock;
    assert!(store.ping(SystemClock.deadline(Duration::from_secs(1))).unwrap_err().is_timeout());
    assert!(begun.elapsed() < PATIENCE, "{:?}", begun.elapsed());
}

#[test]
fn the_doctor_shows_the_tls_version() {
    let authority = Authority::new();
    let (broker, redis) = urls(&authority, "localhost");
    let found = |settings: SettingsBuilder| {
        let client = EventClient::new(settings.build().unwrap()).unwrap();
        let report = Doctor::new(&client).timeout(PATIENCE).examine();
        report.finding(Check::Tls).cloned().unwrap()
    };
    let good = found(settings(&broker, &redis));
    assert_eq!(good.status, Status::Ok, "{good:?}");
    assert!(good.seen.matches("TLS 1.3").count() == 2, "{good:?}");
    let half = found(settings(&broker, &redis_url()));
    assert!(half.status == Status::Warning && half.seen.contains("Redis"), "{half:?}");
    let bad = found(settings(&broker.replace("cacertfile=", "ignored="), &redis));
    assert!(bad.status == Status::Failed && bad.remedy.is_some_and(|it| it.contains("cacertfile")), "{:?}", bad.seen);
}

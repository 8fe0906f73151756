//! What a user meets first: servers that are down, wrong credentials, wrong names. Each
//! gives, within its deadline, an error that names the setting and the remedy, and no secret.

use std::net::TcpListener;
use std::time::{Duration, Instant};

use integration_tests::{broker_url, redis_url, unique};
use zc_events::{Error, Event, EventClient, Service, Settings, SettingsBuilder};

const TIMEOUT: Duration = Duration::from_secs(5);

fn settings() -> SettingsBuilder {
    Settings::builder()
        .broker_url(broker_url())
        .events_redis_url(redis_url())
        .events_exchange(unique("failures"))
        .events_publish_timeout(TIMEOUT)
        .events_timeout(TIMEOUT)
}

/// Fails in time and says what is asked for, without the canary.
fn check(says: &[&str], call: impl FnOnce() -> Result<(), Error>) {
    let started = Instant::now();
    let error = call().unwrap_err();
    let took = started.elapsed();
    // A call that waited for two deadlines, one after the other, would take twice as long.
    assert!(took < 2 * TIMEOUT, "it took {took:?}: {error}");
    let mut shown = format!("{error} | {error:?}");
    let mut cause = std::error::Error::source(&error);
    while let Some(error) = cause {
        shown += &format!(" | {error} {error:?}");
        cause = error.source();
    }
    for text in says {
        assert!(shown.contains(text), "no `{text}` in: {shown}");
    }
    assert!(!shown.contains("canary"), "{shown}");
}

fn emit(settings: SettingsBuilder) -> Result<(), Error> {
    EventClient::new(settings.build()?)?.emit(&Event::new("order_created"))
}

fn ask(settings: SettingsBuilder) -> Result<(), Error> {
    // Without a bound service the request would be unroutable.
    let service = unique("asked");
    let client = EventClient::new(settings.service_name(service).build()?)?;
    let _service = Service::builder(&client).start()?;
    client.get_remote_resource::<serde_json::Value>("Order", "1").map(drop)
}

/// The test server's URL with other credentials, virtual host or parameters.
fn altered(userinfo: &str, rest: &str) -> String {
    let url = broker_url();
    let address = url.split("://").nth(1).unwrap().rsplit('@').next().unwrap().split('/').next().unwrap().to_owned();
    format!("amqp://{userinfo}@{address}/{rest}")
}

/// Nothing listens there, now or later.
const CLOSED_PORT: u16 = 1;

#[test]
fn broker_is_down() {
    let url = format!("amqp://app:canary@127.0.0.1:{CLOSED_PORT}/%2F");
    check(&["BROKER_URL", "check that RabbitMQ runs there", "refused"], || emit(settings().broker_url(url)));
}

#[test]
fn broker_swallows_everything() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("amqp://app:canary@{}/", listener.local_addr().unwrap());
    check(&["BROKER_URL", "did not answer in time"], || emit(settings().broker_url(url)));
}

#[test]
fn broker_host_is_unknown() {
    check(&["BROKER_URL", "no-such-host.invalid"], || {
        emit(settings().broker_url("amqp://app:canary@no-such-host.invalid/"))
    });
}

#[test]
fn wrong_credentials() {
    check(&["BROKER_URL", "refused the login of user `app`", "password"], || {
        emit(settings().broker_url(altered("app:canary", "%2F")))
    });
}

#[test]
fn wrong_virtual_host() {
    check(&["BROKER_URL", "virtual host `nowhere`", "permissions"], || {
        emit(settings().broker_url(altered("guest:guest", "nowhere")))
    });
}

#[test]
fn wrong_url() {
    check(&["BROKER_URL", "port is not a number"], || emit(settings().broker_url("amqp://app:canary@host:port/")));
    check(&["BROKER_URL", "scheme is `http`"], || emit(settings().broker_url("http://app:canary@host/")));
    check(&["EVENTS_REDIS_URL"], || emit(settings().events_redis_url("http://:canary@host/")));
}

#[test]
fn one_of_several_nodes_is_enough() {
    let url = format!("amqp://guest:guest@127.0.0.1:{}/;{}", CLOSED_PORT, broker_url());
    // Reached: no queue is bound to this exchange, which only the broker can say.
    let error = emit(settings().broker_url(url)).unwrap_err();
    assert!(matches!(error, Error::Unroutable { .. }), "{error:?}");
}

#[test]
fn redis_is_down() {
    let url = format!("redis://:canary@127.0.0.1:{CLOSED_PORT}/0");
    check(&["EVENTS_REDIS_URL"], || ask(settings().events_redis_url(url)));
}

#[test]
fn redis_password_is_wrong() {
    let address = redis_url().split("://").nth(1).unwrap().to_owned();
    let url = format!("redis://:canary@{}", address.rsplit('@').next().unwrap());
    check(&["EVENTS_REDIS_URL"], || ask(settings().events_redis_url(url)));
}

#[test]
fn request_without_a_service_times_out() {
    check(&["waiting for the answer"], || ask(settings()));
}

#[test]
fn queue_exists_with_other_arguments() {
    let service = unique("legacy");
    let builder = settings().service_name(service.clone());
    let legacy = EventClient::new(builder.clone().events_queue_max_priority(None).build().unwrap()).unwrap();
    drop(Service::builder(&legacy).start().unwrap());
    let client = EventClient::new(builder.build().unwrap()).unwrap();
    check(&["EVENTS_QUEUE_MAX_PRIORITY", "none", &service], || {
        Service::builder(&client).strict_topology().start().map(drop)
    });
    // Without being asked to be strict, it uses what is there.
    let running = Service::builder(&client).start().unwrap();
    client.emit(&Event::new("order_created")).unwrap();
    integration_tests::eventually(TIMEOUT, || running.health().ignored == 1);
}

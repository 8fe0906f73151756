//! The broker's password: a broker that is down, elsewhere, silent, of another mind about the login, or lost while it
//! is used.

use std::net::{TcpListener, ToSocketAddrs};
use std::time::Duration;

use integration_tests::proxy::address;
use integration_tests::tls::{Authority, in_front_of};
use integration_tests::{broker_url, eventually, unique};
use zc_events::{Context, Error, Event, EventClient, Service, Settings, SettingsBuilder, Stage, Value};

use crate::canary::Canary;
use crate::log_lines::{has_heard, listen};
use crate::relay::{Real, Relay};
use crate::search::{assert_no_credentials, said};

const TIMEOUT: Duration = Duration::from_secs(4);
const PATIENCE: Duration = Duration::from_secs(30);

fn settings(url: &str) -> SettingsBuilder {
    Settings::builder()
        .broker_url(url)
        .events_exchange(unique("secrets"))
        .events_publish_timeout(TIMEOUT)
        .events_timeout(TIMEOUT)
}

/// All that a client shows of itself.
fn shown(client: &EventClient) -> String {
    let (settings, health) = (client.settings(), client.health());
    format!("{client:?} {client:#?} {settings:?} {settings:#?} {health:?} {health:#?}")
}

/// Emits, which must fail and say `says`, and searches all that can be seen of it.
fn fails(canary: &Canary, url: &str, says: &[&str]) -> Error {
    listen();
    let client = EventClient::new(settings(url).build().unwrap()).unwrap();
    let before = shown(&client);
    let error = client.emit(&Event::new("order_created")).unwrap_err();
    let closed = client.close(TIMEOUT).err().map(|error| said(&error)).unwrap_or_default();
    let all = format!("{before} {} {} {closed}", said(&error), shown(&client));
    for text in says {
        assert!(all.contains(text), "no `{text}` in: {all}");
    }
    assert_no_credentials(canary, &all);
    error
}

/// Nothing listens there, now or later.
const CLOSED_PORT: u16 = 1;

/// The real broker's URL with another login.
fn with_login(login: &str) -> String {
    let (_, place) = broker_url().rsplit_once('@').map(|(login, place)| (login.to_owned(), place.to_owned())).unwrap();
    format!("amqp://{login}@{place}")
}

#[test]
fn a_broker_that_is_down() {
    let canary = Canary::new();
    let url = format!("amqp://app:{}@127.0.0.1:{}/%2F", canary.encoded(), CLOSED_PORT);
    let error = fails(&canary, &url, &["check that RabbitMQ runs there", "BROKER_URL"]);
    assert!(matches!(error, Error::Unavailable { .. }), "{error:?}");
}

#[test]
fn several_brokers_that_are_down() {
    let canary = Canary::new();
    let node = || format!("amqp://app:{}@127.0.0.1:{}//", canary.encoded(), CLOSED_PORT);
    let error = fails(&canary, &[node(), node(), node()].join(";"), &["check that RabbitMQ runs there"]);
    assert!(matches!(error, Error::Unavailable { .. }), "{error:?}");
}

#[test]
fn unknown_host() {
    let canary = Canary::new();
    let url = format!("amqp://app:{}@no-such-host.invalid/", canary.encoded());
    let error = fails(&canary, &url, &["no-such-host.invalid"]);
    assert!(matches!(error, Error::Unavailable { .. }), "{error:?}");
}

#[test]
fn a_broker_that_says_nothing() {
    let canary = Canary::new();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("amqp://app:{}@{}/", canary.encoded(), listener.local_addr().unwrap());
    let error = fails(&canary, &url, &["did not answer in time"]);
    assert!(matches!(error, Error::Unavailable { .. } | Error::Timeout { stage: Stage::Connect }), "{error:?}");
}

#[test]
fn a_password_that_is_wrong() {
    for plain in [false, true] {
        let canary = Canary::new();
        // Escaped or not, as far as a URL can be read without.
        let password = if plain { canary.piece().to_owned() } else { canary.encoded() };
        let url = with_login(&format!("app:{password}"));
        let error = fails(&canary, &url, &["refused the login of user `app`"]);
        assert!(matches!(error, Error::Rejected { .. }), "{error:?}");
    }
}

#[test]
fn a_broker_that_is_not_believed() {
    let (canary, authority, stranger) = (Canary::new(), Authority::new(), Authority::new());
    let server = address(&broker_url()).to_socket_addrs().unwrap().next().unwrap();
    let front = in_front_of(server, stranger.config("localhost")).unwrap();
    for parameters in [format!("cacertfile={}", authority.file().display()), "certfile=/nowhere".to_owned()] {
        let url = format!("amqps://app:{}@localhost:{}/?{parameters}", canary.encoded(), front.port());
        fails(&canary, &url, &["BROKER_URL"]);
    }
    // Believed, it refuses the login as ever.
    let url = format!(
        "amqps://app:{}@localhost:{}/?cacertfile={}",
        canary.encoded(),
        front.port(),
        stranger.file().display()
    );
    let error = fails(&canary, &url, &["refused the login of user `app`"]);
    assert!(matches!(error, Error::Rejected { .. }), "{error:?}");
}

fn relay(canary: &Canary) -> (Relay, String) {
    let real = Real::of(&broker_url(), 5672);
    let path = real.path.clone();
    let relay = Relay::amqp(real, canary.plain());
    let url = format!("amqp://app:{}@{}", canary.encoded(), relay.address);
    (relay, format!("{url}{path}"))
}

#[test]
fn a_virtual_host_that_does_not_exist() {
    let canary = Canary::new();
    let (relay, url) = relay(&canary);
    let (login, _) = url.rsplit_once('/').unwrap();
    let error = fails(&canary, &format!("{login}/no-such-vhost"), &["virtual host `no-such-vhost`"]);
    assert!(matches!(error, Error::Rejected { .. }), "{error:?}");
    assert!(relay.logins() > 0, "the password was not sent");
}

/// A login that works, and all that follows, with amiquip telling each frame it sends.
#[test]
fn a_connection_that_works_and_is_lost() {
    let canary = Canary::new();
    let (relay, url) = relay(&canary);
    let error = fails(&canary, &url, &["no queue is bound"]);
    assert!(matches!(error, Error::Unroutable { .. }), "{error:?}");
    assert!(relay.logins() > 0, "the password was not sent");
    assert!(has_heard("amiquip", ""), "amiquip was not listened to");

    let name = unique("secrets");
    let client = EventClient::new(settings(&url).service_name(&name).build().unwrap()).unwrap();
    let service = Service::builder(&client).on("order_created", |_: &Context, _: Value| Ok(())).start().unwrap();
    client.emit(&Event::new("order_created")).unwrap();
    eventually(PATIENCE, || service.health().processed == 1);
    let logins = relay.logins();
    relay.cut();
    eventually(PATIENCE, || relay.logins() > logins && service.health().consuming);
    eventually(PATIENCE, || client.emit(&Event::new("order_created")).is_ok());
    let all = format!("{} {service:?} {service:#?} {:?}", shown(&client), service.health());
    assert!(all.contains(&name));
    let stopped = format!("{:?}", service.stop(PATIENCE));
    client.close(PATIENCE).unwrap();
    let error = client.emit(&Event::new("order_created")).unwrap_err();
    assert!(matches!(error, Error::Closed), "{error:?}");
    assert!(has_heard("zc_events_transport", "was lost"));
    assert_no_credentials(&canary, &format!("{all} {stopped} {}", said(&error)));
}

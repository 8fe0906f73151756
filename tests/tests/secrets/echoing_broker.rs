//! Hostile servers that repeat the password that they got, in every place of the protocol where a broker sends text, and
//! outside the protocol.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

use integration_tests::unique;
use zc_events::{Error, Event, EventClient, Settings};

use crate::canary::Canary;
use crate::log_lines::listen;
use crate::relay::read_frame;
use crate::search::{assert_no_content, said};

const TIMEOUT: Duration = Duration::from_secs(4);

/// A server that greets as a broker does, and then answers each login with what `answer` makes of it.
fn broker(answer: impl Fn(&[u8]) -> Vec<u8> + Send + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    thread::spawn(move || {
        for mut client in listener.incoming().flatten() {
            let _ = serve(&mut client, &answer);
        }
    });
    address
}

fn serve(client: &mut TcpStream, answer: &impl Fn(&[u8]) -> Vec<u8>) -> std::io::Result<()> {
    client.read_exact(&mut [0; 8])?;
    // Version, no properties, mechanisms, locales.
    client.write_all(&method(10, 10, &[&[0, 9, 0, 0, 0, 0], &long(b"PLAIN AMQPLAIN"), &long(b"en_US")]))?;
    let login = read_frame(client)?;
    client.write_all(&answer(&login))?;
    // Until the client closes the connection.
    std::io::copy(client, &mut std::io::sink()).map(drop)
}

fn method(class: u16, method: u16, arguments: &[&[u8]]) -> Vec<u8> {
    frame(1, 0, &[&class.to_be_bytes(), &method.to_be_bytes(), &arguments.concat()[..]].concat())
}

fn frame(kind: u8, channel: u16, payload: &[u8]) -> Vec<u8> {
    [&[kind][..], &channel.to_be_bytes(), &long(payload), &[0xCE]].concat()
}

fn long(bytes: &[u8]) -> Vec<u8> {
    [&(bytes.len() as u32).to_be_bytes()[..], bytes].concat()
}

fn short(bytes: &[u8]) -> Vec<u8> {
    [&[bytes.len() as u8][..], bytes].concat()
}

/// The response within a `start-ok`.
fn password(login: &[u8]) -> Vec<u8> {
    let at = login.windows(5).position(|window| window == b"PLAIN").unwrap() + 5 + 4;
    let response = &login[at..login.len() - 1 - short(b"en_US").len()];
    response.rsplit(|byte| *byte == 0).next().unwrap().to_vec()
}

#[test]
fn a_broker_that_says_the_password_again() {
    type Answer = fn(&[u8], &[u8]) -> Vec<u8>;
    // What it says, what becomes of it, and how it says it.
    let answers: [(&str, &str, Answer); 12] = [
        ("the login itself", "method 10.11", |login, _| login.to_vec()),
        ("the password alone", "unknown type", |_, password| password.to_vec()),
        ("a refusal", "refused the login", |_, password| close(403, password)),
        ("an error", "refused the login", |_, password| close(541, password)),
        ("a virtual host's refusal", "refused the login", |_, password| close(530, password)),
        ("a challenge", "method 10.20", |_, password| method(10, 20, &[&long(password)])),
        ("an alarm", "refused the login", |_, password| method(10, 60, &[&short(password)])),
        ("a closed channel", "refused the login", |_, password| {
            on_channel(&[&[0, 20, 0, 40, 1, 148], &short(password), &[0; 4]])
        }),
        ("a delivery", "refused the login", |_, password| {
            on_channel(&[&[0, 60, 0, 60], &short(password), &[0; 9], &short(password), &[0]])
        }),
        ("a returned message", "refused the login", |_, password| {
            on_channel(&[&[0, 60, 0, 50, 1, 56], &short(password), &[0, 0]])
        }),
        ("a frame of no kind", "unknown type 77", |_, password| frame(77, 1, password)),
        ("a frame without an end", "does not end where it says", |_, password| {
            [&[1, 0, 0, 0, 0, 0, 4], password, password].concat()
        }),
    ];
    listen();
    for (what, says, answer) in answers {
        let canary = Canary::new();
        let expected = canary.plain().into_bytes();
        let address = broker(move |login| {
            let password = password(login);
            assert_eq!(password, expected, "it was sent another password");
            answer(login, &password)
        });
        let settings = Settings::builder()
            .broker_url(format!("amqp://app:{}@{address}/", canary.encoded()))
            .events_exchange(unique("secrets"))
            .events_publish_timeout(TIMEOUT);
        let client = EventClient::new(settings.build().unwrap()).unwrap();
        let error = client.emit(&Event::new("order_created")).unwrap_err();
        assert!(matches!(error, Error::Unavailable { .. } | Error::Rejected { .. }), "{what}: {error:?}");
        let all = format!("{} {client:?} {:?}", said(&error), client.health());
        assert!(all.contains(&address) && all.contains(says), "{what}: {all}");
        // At `trace`, amiquip logs what a broker sends.
        assert_no_content(&canary, &all);
    }
}

fn on_channel(payload: &[&[u8]]) -> Vec<u8> {
    frame(1, 1, &payload.concat())
}

fn close(code: u16, text: &[u8]) -> Vec<u8> {
    method(10, 50, &[&code.to_be_bytes(), &short(text), &[0; 4]])
}

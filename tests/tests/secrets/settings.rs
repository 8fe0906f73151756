//! Settings that are wrong while a password is among them, and a secret that was put into the wrong one.

use std::collections::HashMap;

use integration_tests::{broker_url, redis_url};
use zc_events::{Error, EventClient, Settings};
use zc_events_doctor::Doctor;

use crate::canary::Canary;
use crate::log_lines::listen;
use crate::search::{assert_no_credentials, said};

/// Every setting that is looked for.
fn names() -> Vec<String> {
    let names = std::cell::RefCell::new(Vec::new());
    let _ = Settings::from_lookup(|name| {
        names.borrow_mut().push(name.to_owned());
        None
    });
    names.into_inner()
}

fn read(values: &HashMap<String, String>) -> Result<Settings, Error> {
    Settings::from_lookup(|name| values.get(name).cloned())
}

fn right(canary: &Canary) -> HashMap<String, String> {
    let password = canary.encoded();
    HashMap::from([
        ("BROKER_URL".to_owned(), format!("amqp://app:{password}@127.0.0.1/")),
        ("EVENTS_REDIS_URL".to_owned(), format!("redis://:{password}@127.0.0.1/0")),
        ("MANAGEMENT_URL".to_owned(), format!("http://app:{password}@127.0.0.1:1")),
        ("STAGING_NAME".to_owned(), "test".to_owned()),
        ("AWS_ACCESS_KEY_ID".to_owned(), "AKIDTEST".to_owned()),
        ("AWS_SECRET_ACCESS_KEY".to_owned(), canary.plain()),
        ("AWS_SESSION_TOKEN".to_owned(), canary.encoded()),
    ])
}

#[test]
fn a_wrong_setting_beside_a_password() {
    listen();
    let canary = Canary::new();
    let settings = read(&right(&canary)).unwrap();
    let client = EventClient::new(settings.clone()).unwrap();
    let mut all = format!("{settings:?} {settings:#?} {client:?} {:?}", client.health());
    let mut refused = 0;
    for name in names() {
        let mut values = right(&canary);
        values.insert(name.clone(), "\u{1}nonsense".to_owned());
        if let Err(error) = read(&values) {
            refused += 1;
            let error = said(&error);
            // A name of an exchange in place of STAGING_NAME is one that it would have been part of.
            assert!(error.contains(&name) || name == "STAGING_NAME", "{name}: {error}");
            all += &error;
        }
    }
    assert!(refused > 20, "{refused} were refused");
    assert_no_credentials(&canary, &all);
}

/// A URL, or a password, in any setting but those that are names.
#[test]
fn a_secret_in_the_wrong_setting() {
    listen();
    let names = names();
    assert!(names.len() > 25, "{names:?}");
    let mut refused = 0;
    for name in names.iter().filter(|name| !name.ends_with("_EXCHANGE") && !name.ends_with("_NAME")) {
        let canary = Canary::new();
        for secret in [canary.plain(), canary.piece().to_owned(), format!("amqp://app:{}@host/", canary.encoded())] {
            let mut values = right(&canary);
            values.insert(name.clone(), secret);
            // Those of S3 are looked at when something is to be stored.
            let stored = read(&values).and_then(|settings| EventClient::new(settings)?.email_blobs().map(drop));
            if let Err(error) = stored {
                refused += 1;
                assert!(matches!(error, Error::Config { .. }), "{error:?}");
                assert_no_credentials(&canary, &said(&error));
            }
        }
    }
    assert!(refused > 70, "{refused} were refused");
}

/// With servers that are there and refuse, and with some that are not there.
#[test]
fn what_the_doctor_says() {
    listen();
    let canary = Canary::new();
    let password = canary.encoded();
    let node = |url: &str| url.rsplit(['@', '/']).find(|part| part.contains(':')).map(str::to_owned).unwrap();
    let (broker, redis) = (node(&broker_url()), node(&redis_url()));
    let mut all = String::new();
    for (broker, redis) in
        [(broker.as_str(), redis.as_str()), ("127.0.0.1:1", "127.0.0.1:1"), ("no.invalid", "no.invalid")]
    {
        let mut values = right(&canary);
        values.insert("BROKER_URL".to_owned(), format!("amqp://app:{password}@{broker}/"));
        values.insert("EVENTS_REDIS_URL".to_owned(), format!("redis://app:{password}@{redis}/0"));
        let report = Doctor::new(&EventClient::new(read(&values).unwrap()).unwrap()).examine();
        assert!(!report.is_healthy(), "{report}");
        all += &format!("{report} {report:?} {}", serde_json::to_string(&report).unwrap());
    }
    assert_no_credentials(&canary, &all);
}

#[test]
fn no_broker_at_all() {
    listen();
    let canary = Canary::new();
    let mut values = right(&canary);
    values.remove("BROKER_URL");
    let error = read(&values).unwrap_err();
    assert!(error.to_string().contains("BROKER_URL is not set"), "{error}");
    assert_no_credentials(&canary, &said(&error));
}

//! Tests of JSON web tokens: those of PyJWT (`tests/python_jwt`), and tokens that were changed.

use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use serde_json::json;
use zc_events_protocol::{Clock, ManualClock};

use super::*;
use crate::Settings;

const TOKENS: &str = include_str!("../../tests/python_jwt/tokens.json");

/// In the order in which Python writes them.
#[derive(Serialize)]
struct Caller {
    roles: [&'static str; 2],
    id: &'static str,
}

const CALLER: Caller = Caller { roles: ["user", "staff"], id: "56" };

fn tokens() -> Value {
    serde_json::from_str(TOKENS).unwrap()
}

fn client(key: Option<&str>) -> (EventClient, ManualClock) {
    let clock = ManualClock::new();
    let settings = Settings::builder().broker_url("memory://").staging_name("test").clock(Arc::new(clock.clone()));
    let settings = key.into_iter().fold(settings, |settings, key| settings.secret_key(key));
    (EventClient::new(settings.build().unwrap()).unwrap(), clock)
}

fn python() -> (EventClient, ManualClock) {
    client(tokens()["key"].as_str())
}

fn why(checked: Result<Jwt>) -> &'static str {
    match checked {
        Err(Error::Token { why }) => why,
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_pyjwt_accepts_is_accepted_and_what_it_refuses_is_refused() {
    let (client, _) = python();
    for (version, tokens) in tokens().as_object().unwrap().iter().filter(|(name, _)| *name != "key") {
        let check = |name: &str| client.verify_jwt(tokens[name].as_str().unwrap());
        let user = check("user").unwrap();
        assert_eq!((user.roles(), user.id()), (vec!["user", "staff"], Some(&json!("56"))), "{version}");
        assert_eq!(check("user_int_id").unwrap().id(), Some(&json!(56)));
        let service = check("service").unwrap();
        assert_eq!((service.roles(), service.id()), (vec!["service"], None));
        assert_eq!(check("no_roles").unwrap().claim("roles"), Some(&Value::Null));
        assert_eq!(check("unicode").unwrap().roles(), ["café"]);
        for name in ["expires_in_2100", "expires_in_2100_float", "not_before_2001"] {
            assert!(check(name).unwrap().has_role("staff"), "{version} {name}");
        }
        for (name, expected) in [
            ("expired_in_2001", "it has expired"),
            ("not_before_2100", "it is not valid yet (`nbf`)"),
            ("for_an_audience", "it has an audience (`aud`)"),
            ("another_key", "its signature is wrong: it was changed, or signed with another key"),
            ("none", "its algorithm is not HS256"),
            ("hs384", "its algorithm is not HS256"),
            ("hs512", "its algorithm is not HS256"),
            ("critical", "it requires an unsupported extension (`crit`)"),
        ] {
            assert_eq!(why(check(name)), expected, "{version} {name}");
        }
    }
}

#[test]
fn a_token_of_ours_is_that_of_pyjwt_byte_for_byte() {
    let (client, _) = python();
    let theirs = &tokens()["pyjwt 2.15.1"];
    assert_eq!(client.sign_jwt(&CALLER).unwrap(), theirs["user"]);
    assert_eq!(client.sign_jwt(&json!({"roles": ["service"]})).unwrap(), theirs["service"]);
}

#[test]
fn nothing_can_be_changed_in_a_token() {
    let (client, _) = client(Some("hush"));
    let token = client.sign_jwt(&CALLER).unwrap();
    let parts: Vec<&str> = token.split('.').collect();
    for index in 0..token.len() {
        let mut changed = token.clone().into_bytes();
        changed[index] = if changed[index] == b'A' { b'B' } else { b'A' };
        let changed = String::from_utf8(changed).unwrap();
        assert!(matches!(client.verify_jwt(&changed), Err(Error::Token { .. })), "{index}");
    }
    let with = |header: &str| format!("{}.{}.{}", URL_SAFE_NO_PAD.encode(header), parts[1], parts[2]);
    for header in [r#"{"alg":"none"}"#, r#"{"alg":"NONE"}"#, r#"{"alg":"hs256"}"#, r#"{"alg":["HS256"]}"#, "{}", "[]"] {
        assert!(matches!(client.verify_jwt(&with(header)), Err(Error::Token { .. })), "{header}");
    }
    // A signature that is the beginning of the right one, or goes on behind it.
    for signature in ["", &parts[2][..4], &format!("{}AAAA", parts[2])] {
        let token = format!("{}.{}.{signature}", parts[0], parts[1]);
        assert!(matches!(client.verify_jwt(&token), Err(Error::Token { .. })), "{signature}");
    }
}

#[test]
fn what_is_no_token_is_refused_and_never_shown() {
    let (client, _) = client(Some("hush"));
    let long = "a".repeat(MAX_BYTES + 1);
    for token in ["", ".", "..", "...", "a.b.c", "JWT", "JWT ", "é.é.é", "Basic a.b.c", "eyJ9.e30.", &long] {
        let error = client.verify_jwt(token).unwrap_err();
        assert!(matches!(error, Error::Token { .. }), "{token}: {error:?}");
        assert!(token.len() < 4 || !format!("{error} {error:?}").contains(token), "{error}");
    }
    let token = client.sign_jwt(&CALLER).unwrap();
    let jwt = client.verify_jwt(&token).unwrap();
    assert_eq!(format!("{jwt:?}"), r#"Jwt { claims: ["id", "roles"] }"#);
    for before in ["JWT ", "jwt  ", "Bearer ", " "] {
        assert!(client.verify_jwt(&format!("{before}{token} ")).is_ok(), "{before}");
    }
}

#[test]
fn times_are_those_of_the_clock() {
    let (client, clock) = client(Some("hush"));
    let in_a_minute = clock.wall().duration_since(UNIX_EPOCH).unwrap().as_secs() + 60;
    let token = client.sign_jwt(&json!({"exp": in_a_minute})).unwrap();
    let later = client.sign_jwt(&json!({"nbf": in_a_minute + 1})).unwrap();
    assert!(client.verify_jwt(&token).is_ok());
    assert_eq!(why(client.verify_jwt(&later)), "it is not valid yet (`nbf`)");
    clock.advance(Duration::from_secs(61));
    assert_eq!(why(client.verify_jwt(&token)), "it has expired");
    assert!(client.verify_jwt(&later).is_ok());
    for odd in [json!({"exp": "4102444800"}), json!({"exp": null}), json!({"nbf": [1]})] {
        assert_eq!(why(client.verify_jwt(&client.sign_jwt(&odd).unwrap())), "`exp` or `nbf` is not a number", "{odd}");
    }
}

#[test]
fn without_a_key_the_setting_is_named_and_the_key_is_never_shown() {
    let (without, _) = client(None);
    for error in [without.sign_jwt(&CALLER).unwrap_err(), without.verify_jwt("a.b.c").unwrap_err()] {
        assert!(matches!(&error, Error::Config { why } if why.contains("SECRET_KEY")), "{error:?}");
    }
    let (client, _) = client(Some("canary-key"));
    assert!(!format!("{client:?} {:?}", client.settings()).contains("canary"));
    assert!(matches!(client.sign_jwt(&[1]), Err(Error::Encode { .. })));
    // An empty one is none.
    let settings = Settings::from_lookup(|name| match name {
        "BROKER_URL" => Some("memory://".to_owned()),
        "STAGING_NAME" => Some("test".to_owned()),
        "SECRET_KEY" => Some(" ".to_owned()),
        _ => None,
    });
    assert!(EventClient::new(settings.unwrap()).unwrap().sign_jwt(&CALLER).is_err());
}

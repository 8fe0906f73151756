//! Tests of settings: accepted values, defaults, and the errors of wrong ones.

use std::time::Duration;

use zc_events_protocol::{Limits, Protocol};

use super::values::BrokerSetting;
use super::*;
use crate::Result;

fn read(pairs: &[(&str, &str)]) -> Result<Settings> {
    Settings::from_lookup(|name| pairs.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned()))
}

const BASE: [(&str, &str); 2] = [("BROKER_URL", "memory://"), ("STAGING_NAME", "test")];

fn with(name: &str, value: &str) -> Result<Settings> {
    let mut pairs = BASE.to_vec();
    pairs.insert(0, (name, value));
    read(&pairs)
}

#[test]
fn exchanges_are_named_by_the_environment_unless_given() {
    let settings = read(&BASE).unwrap();
    assert_eq!(settings.events_exchange(), "microservice-events-test");
    assert_eq!(settings.notifications_exchange(), "microservice-notifications-test");
    assert_eq!(with("STAGING_NAME", "production").unwrap().events_exchange(), "microservice-events");
    assert_eq!(with("EVENTS_EXCHANGE", "mine").unwrap().events_exchange(), "mine");
    let error = read(&BASE[..1]).unwrap_err().to_string();
    assert!(error.contains("EVENTS_EXCHANGE") && error.contains("STAGING_NAME"), "{error}");
}

#[test]
fn a_missing_broker_is_an_error_and_celerys_name_wins() {
    let error = read(&BASE[1..]).unwrap_err().to_string();
    assert!(error.contains("BROKER_URL is not set") && error.contains("amqp://"), "{error}");
    assert!(read(&[("BROKER_URL", ""), BASE[1]]).is_err(), "an empty value counts as none");
    let settings = with("CELERY_BROKER_URL", "amqp://u:canary@h/x").unwrap();
    assert!(matches!(&settings.broker, BrokerSetting::Amqp { setting: "CELERY_BROKER_URL", .. }));
    assert!(!format!("{settings:?}").contains("canary"));
}

#[test]
fn wrong_values_are_told_with_their_name_and_without_a_secret() {
    for (name, value, says) in [
        ("BROKER_URL", "amqp://u:canary@h:x/", "BROKER_URL: the broker URL is invalid: its port"),
        ("CELERY_BROKER_URL", "http://u:canary@h", "CELERY_BROKER_URL: the broker URL is invalid: its scheme"),
        ("EVENTS_REDIS_URL", "http://:canary@h", "EVENTS_REDIS_URL"),
        (
            "EVENTS_QUEUE_MAX_PRIORITY",
            "0",
            "EVENTS_QUEUE_MAX_PRIORITY is `0`: use a whole number from 1 to 255 or `none`",
        ),
        ("EVENTS_PROTOCOL", "3", "EVENTS_PROTOCOL is `3`"),
        ("EVENTS_TIMEOUT", "soon", "EVENTS_TIMEOUT is `soon`: use a number of seconds"),
        ("EVENTS_TIMEOUT", "-1", "EVENTS_TIMEOUT is `-1`"),
        ("EVENTS_TIMEOUT", "NaN", "EVENTS_TIMEOUT is `NaN`"),
        ("EVENTS_PUBLISH_TIMEOUT", "1e400", "EVENTS_PUBLISH_TIMEOUT"),
        ("EVENTS_PREFETCH", "0", "EVENTS_PREFETCH"),
        ("EVENTS_PREFETCH", "65536", "EVENTS_PREFETCH"),
        ("EVENTS_WORKERS", "many", "EVENTS_WORKERS is `many`"),
        ("EVENTS_POOL_SIZE", "0", "EVENTS_POOL_SIZE"),
        ("EVENTS_REDIS_POOL_SIZE", "0", "EVENTS_REDIS_POOL_SIZE"),
        ("EVENTS_MAX_BODY", "16MiB", "EVENTS_MAX_BODY is `16MiB`: use a whole number of bytes from 1024"),
        ("EVENTS_MAX_INFLATED", "0", "EVENTS_MAX_INFLATED is `0`"),
        ("EVENTS_MAX_RATIO", "1", "EVENTS_MAX_RATIO is `1`: use a whole number from 2 to 100000 (default 200)"),
        ("EVENTS_MAX_DEPTH", "513", "EVENTS_MAX_DEPTH is `513`: use a whole number from 8 to 512"),
        ("EVENTS_MAX_HEADERS", "-1", "EVENTS_MAX_HEADERS is `-1`"),
        ("EVENTS_MAX_REPLY", "536870913", "EVENTS_MAX_REPLY is `536870913`"),
        ("EVENTS_MAX_IN_FLIGHT", "1024", "EVENTS_MAX_IN_FLIGHT is 1024, less than EVENTS_MAX_BODY, 16777216"),
        ("EVENTS_ATTEMPTS", "0", "EVENTS_ATTEMPTS is `0`: use a whole number from 1 to 100 (default 5)"),
        ("EVENTS_ATTEMPTS", "101", "EVENTS_ATTEMPTS is `101`"),
        (
            "EVENTS_HANDLER_TIMEOUT",
            "1741",
            "EVENTS_HANDLER_TIMEOUT is `1741`: use a number of seconds above 0 and up to 1740",
        ),
        ("EVENTS_DEDUP", "redis", "EVENTS_DEDUP is `redis`: use `process`"),
        ("EVENTS_DEDUP", "store", "EVENTS_DEDUP is `store` and EVENTS_REDIS_URL is not set"),
        ("EVENTS_DEDUP_TTL", "0", "EVENTS_DEDUP_TTL is `0`: use a number of seconds above 0, such as 86400"),
        ("EVENTS_HEARTBEAT", "0", "EVENTS_HEARTBEAT is `0`: use a whole number from 1 to 300 (default 10)"),
        ("EVENTS_HEARTBEAT", "301", "EVENTS_HEARTBEAT is `301`"),
        ("SERVICE_NAME", "a\nb", "SERVICE_NAME is not a name"),
    ] {
        let Err(error) = with(name, value) else { panic!("{name}={value} was accepted") };
        let shown = format!("{error} {error:?}");
        assert!(shown.contains(says), "{name}={value}: {shown}");
        assert!(!shown.contains("canary"), "{shown}");
    }
}

#[test]
fn the_environment_wins_over_defaults_in_code() {
    let defaults = Settings::builder().broker_url("memory://").staging_name("demo").service_name("a");
    let settings = defaults.read(|name| (name == "SERVICE_NAME").then(|| "b".to_owned())).build().unwrap();
    assert_eq!(settings.service_name(), Some("b"));
    assert_eq!(settings.events_exchange(), "microservice-events-demo");
}

#[test]
fn a_broker_set_in_code_wins_over_what_was_read_before() {
    let read = |name: &str| (name == "CELERY_BROKER_URL").then(|| "amqp://h/".to_owned());
    let settings = Settings::builder().staging_name("test").read(read).broker_url("memory://").build().unwrap();
    assert!(matches!(settings.broker, BrokerSetting::Memory { name: None }));
}

#[test]
fn every_number_is_read() {
    assert_eq!(with("EVENTS_QUEUE_MAX_PRIORITY", "none").unwrap().queue_max_priority, None);
    assert_eq!(read(&BASE).unwrap().queue_max_priority, Some(10));
    assert_eq!(with("EVENTS_TIMEOUT", "2.5").unwrap().timeout, Duration::from_millis(2500));
    assert_eq!(with("EVENTS_PROTOCOL", "2").unwrap().protocol, Some(Protocol::V2));
    assert_eq!(with("EVENTS_PREFETCH", "65535").unwrap().prefetch, 65535);
}

#[test]
fn limits_are_read_and_win_over_those_set_in_one() {
    let settings = read(&BASE).unwrap();
    let Limits { body, inflated, ratio, depth } = settings.limits;
    assert_eq!((body, inflated, ratio, depth), (16 << 20, 64 << 20, 200, 128));
    assert_eq!((settings.max_headers, settings.max_reply, settings.max_in_flight), (65536, 16 << 20, 64 << 20));

    let in_one = Limits { body: 2048, depth: 9, ..Limits::default() };
    let builder = Settings::builder().broker_url("memory://").staging_name("test").limits(in_one);
    let limits = builder.clone().events_max_depth(10).build().unwrap().limits;
    assert_eq!((limits.body, limits.depth, limits.ratio), (2048, 10, 200));
    let limits = builder.read(|name| (name == "EVENTS_MAX_BODY").then(|| "4096".to_owned())).build().unwrap().limits;
    assert_eq!((limits.body, limits.depth), (4096, 9));

    assert_eq!(with("EVENTS_MAX_INFLATED", "1024").unwrap().limits.inflated, 1024);
    assert_eq!(with("EVENTS_MAX_RATIO", "1000").unwrap().limits.ratio, 1000);
    assert_eq!(with("EVENTS_MAX_HEADERS", "2000").unwrap().max_headers, 2000);
    assert_eq!(with("EVENTS_MAX_REPLY", "2000").unwrap().max_reply, 2000);
    assert_eq!(with("EVENTS_MAX_IN_FLIGHT", "16777216").unwrap().max_in_flight, 16 << 20);
}

#[test]
fn how_often_how_long_and_where_it_is_remembered_is_read() {
    let settings = read(&BASE).unwrap();
    assert_eq!((settings.attempts, settings.heartbeat, settings.dedup), (5, 10, Dedup::Process));
    assert_eq!(settings.handler_timeout, Duration::from_secs(1500));
    assert_eq!(settings.dedup_ttl, Duration::from_secs(86400));
    assert_eq!(with("EVENTS_ATTEMPTS", "100").unwrap().attempts, 100);
    assert_eq!(with("EVENTS_HEARTBEAT", "1").unwrap().heartbeat, 1);
    assert_eq!(with("EVENTS_HANDLER_TIMEOUT", "0.5").unwrap().handler_timeout, Duration::from_millis(500));
    assert_eq!(with("EVENTS_HANDLER_TIMEOUT", "1740").unwrap().handler_timeout, Duration::from_secs(1740));
    assert_eq!(with("EVENTS_DEDUP_TTL", "60").unwrap().dedup_ttl, Duration::from_secs(60));
    assert_eq!(with("EVENTS_DEDUP", "process").unwrap().dedup, Dedup::Process);
    let store = read(&[("EVENTS_DEDUP", "store"), ("EVENTS_REDIS_URL", "memory://"), BASE[0], BASE[1]]);
    assert_eq!(store.unwrap().dedup, Dedup::Store);
}

#[test]
fn each_setting_has_a_method_that_does_what_the_variable_does() {
    let settings = Settings::builder()
        .broker_url("memory://")
        .events_redis_url("memory://")
        .staging_name("test")
        .events_max_body(5000)
        .events_max_inflated(5001)
        .events_max_ratio(5002)
        .events_max_depth(50)
        .events_max_headers(5003)
        .events_max_reply(5004)
        .events_max_in_flight(5005)
        .events_attempts(6)
        .events_handler_timeout(Duration::from_millis(7500))
        .events_dedup(Dedup::Store)
        .events_dedup_ttl(Duration::from_secs(8))
        .events_heartbeat(9)
        .build()
        .unwrap();
    let Limits { body, inflated, ratio, depth } = settings.limits;
    assert_eq!((body, inflated, ratio, depth), (5000, 5001, 5002, 50));
    assert_eq!((settings.max_headers, settings.max_reply, settings.max_in_flight), (5003, 5004, 5005));
    assert_eq!((settings.attempts, settings.heartbeat, settings.dedup), (6, 9, Dedup::Store));
    assert_eq!(settings.handler_timeout, Duration::from_millis(7500));
    assert_eq!(settings.dedup_ttl, Duration::from_secs(8));
}

//! `zc-events doctor`: everything fine, and each thing that can be wrong: told with what to do, in one screen, without a
//! secret, with exit code 1, within its time.

use std::net::TcpListener;
use std::time::Duration;

use integration_tests::command::{Ended, PATIENCE, Scene};
use integration_tests::{broker_url, redis_url, unique};
use serde_json::Value;
use zc_events::Service;

const SECRET: &str = "hunter2canary";
/// The lines of a terminal, but for that of the next prompt.
const SCREEN: usize = 23;
const CHECKS: [&str; 17] = [
    "settings",
    "dns",
    "tcp",
    "tls",
    "login",
    "vhost",
    "permissions",
    "exchanges",
    "queues",
    "management",
    "bindings",
    "consumers",
    "backlog",
    "redis",
    "eviction",
    "round-trip",
    "clock",
];

/// Runs it for people, and gives what it says of a check that fails, and what to do.
#[track_caller]
fn fails(scene: &Scene, check: &str) -> (String, String) {
    let ended = scene.run(&["doctor", "--output", "pretty"]).with_code(1);
    let shown = format!("{ended:?}");
    assert!(!shown.contains(SECRET) && !shown.contains("panicked"), "{shown}");
    assert!(ended.took < PATIENCE && ended.stderr.is_empty(), "{shown}");
    assert!(ended.stdout.lines().count() <= SCREEN, "more than one screen:\n{}", ended.stdout);
    let mut lines = ended.stdout.lines().skip_while(|line| !line.starts_with(&format!("failed   {check} ")));
    match (lines.next(), lines.next().and_then(|line| line.trim_start().strip_prefix("-> "))) {
        (Some(seen), Some(remedy)) => (seen.to_owned(), remedy.to_owned()),
        _ => panic!("`{check}` should fail, and say what to do:\n{}", ended.stdout),
    }
}

fn found(ended: &Ended, check: &str) -> Value {
    ended.json().into_iter().find(|line| line["check"] == check).unwrap()
}

/// A URL with the same server and another login.
fn with_login(url: &str, login: &str) -> String {
    let (scheme, rest) = url.split_once("://").unwrap();
    let node = rest.rsplit_once('@').map_or(rest, |(_, node)| node);
    format!("{scheme}://{login}@{node}")
}

#[test]
fn all_is_fine() {
    let scene = Scene::new();
    let service = Service::builder(&scene.client()).start().unwrap();
    let ended = scene.run(&["doctor", "--output", "json"]).with_code(0);
    assert!(ended.stderr.is_empty() && ended.took < PATIENCE, "{ended:?}");
    let checks: Vec<Value> = ended.json();
    assert_eq!(checks.iter().map(|line| line["check"].as_str().unwrap()).collect::<Vec<_>>(), CHECKS);
    for line in &checks {
        let is_fine = line["status"] == "ok" && line["remedy"].is_null();
        // No management API is set.
        let is_unknown = line["status"] == "unknown" && line["remedy"].is_string();
        let may_be_unknown = ["management", "bindings"].contains(&line["check"].as_str().unwrap());
        assert!(if may_be_unknown { is_unknown } else { is_fine }, "{line}");
        assert_eq!(line.as_object().unwrap().len(), 4);
    }
    assert!(found(&ended, "round-trip")["seen"].as_str().unwrap().contains("ms through Redis"));
    let ended = scene.run(&["doctor", "--output", "pretty"]).with_code(0);
    assert!(ended.stdout.ends_with("15 ok, 2 unknown\n") && ended.stdout.lines().count() <= SCREEN, "{ended:?}");
    // A check that is left out is not there.
    let ended = scene.run(&["doctor", "--without", "round-trip", "--without", "dns", "--output", "json"]).with_code(0);
    assert_eq!(ended.json().len(), 15);
    scene.run(&["doctor", "--without", "luck"]).with_code(2);
    assert_eq!(service.stop(PATIENCE).abandoned, 0);
}

#[test]
fn without_settings_and_with_some_that_make_no_sense() {
    let bare = Scene::new().bare();
    let (seen, remedy) = fails(&bare, "settings");
    assert!(seen.contains("BROKER_URL is not set") && remedy.contains("no file .env here or above"), "{seen} {remedy}");
    let (seen, _) = fails(&Scene::new().bare().env("BROKER_URL", &broker_url()), "settings");
    assert!(seen.contains("STAGING_NAME"), "{seen}");
    let wrong = Scene::new().env("BROKER_URL", &format!("amqp://app:{SECRET}@host:port/"));
    let (seen, _) = fails(&wrong, "settings");
    assert!(seen.contains("BROKER_URL") && seen.contains("port is not a number"), "{seen}");
    let wrong = Scene::new().env("MANAGEMENT_URL", &format!("https://app:{SECRET}@host"));
    assert!(fails(&wrong, "settings").0.contains("MANAGEMENT_URL asks for TLS"));
    // From a file, and from the environment.
    bare.write(".env", &format!("BROKER_URL={}\nEVENTS_REDIS_URL={}\nSTAGING_NAME=x\n", broker_url(), redis_url()));
    let ended = bare.env("STAGING_NAME", &unique("x")).run(&["doctor", "--output", "json"]).with_code(0);
    let settings = found(&ended, "settings");
    let seen = settings["seen"].as_str().unwrap();
    assert!(seen.starts_with("BROKER_URL, EVENTS_REDIS_URL from .env; STAGING_NAME from the environment;"), "{seen}");
    assert!(settings["remedy"].as_str().unwrap().contains("SERVICE_NAME"), "{settings}");
}

#[test]
fn servers_that_are_down_or_refuse() {
    let url = broker_url();
    let (node, _) = url.rsplit_once('/').unwrap();

    let down = Scene::new().env("BROKER_URL", &format!("amqp://app:{SECRET}@127.0.0.1:1/"));
    let (seen, remedy) = fails(&down, "tcp");
    assert!(seen.contains("no connection to 127.0.0.1:1 (Connection refused"), "{seen}");
    assert!(remedy.contains("is RabbitMQ running there") && remedy.contains("BROKER_URL"), "{remedy}");

    let all_down = down.env("EVENTS_REDIS_URL", &format!("redis://:{SECRET}@127.0.0.1:1/0"));
    let (_, remedy) = fails(&all_down, "tcp");
    assert!(remedy.contains("is RabbitMQ running") && remedy.contains("is Redis running"), "{remedy}");

    let nowhere = Scene::new().env("BROKER_URL", &format!("amqp://app:{SECRET}@rabbit.invalid/"));
    let (seen, remedy) = fails(&nowhere, "dns");
    assert!(seen.contains("rabbit.invalid:5672 leads nowhere") && remedy.contains("BROKER_URL"), "{seen} {remedy}");

    let wrong = Scene::new().env("BROKER_URL", &with_login(&url, &format!("guest:{SECRET}")));
    let (seen, remedy) = fails(&wrong, "login");
    assert!(seen.contains("refuses the user `guest`") && remedy.contains("BROKER_URL"), "{seen} {remedy}");

    let missing = unique("nowhere");
    let other = Scene::new().env("BROKER_URL", &format!("{node}/{missing}"));
    let (seen, remedy) = fails(&other, "vhost");
    assert!(seen.contains("not found") && remedy.contains(&format!("add_vhost {missing}")), "{seen} {remedy}");

    let secured = Scene::new().env("BROKER_URL", &url.replace("amqp://", "amqps://"));
    // A port that has none.
    let (seen, remedy) = fails(&secured, "tls");
    assert!(
        seen.contains("no TLS with") && remedy.contains("5671") && remedy.contains("BROKER_URL"),
        "{seen} {remedy}"
    );

    let refusing = Scene::new().env("EVENTS_REDIS_URL", &with_login(&redis_url(), &format!("nobody:{SECRET}")));
    let (seen, remedy) = fails(&refusing, "redis");
    assert!(seen.contains("refused the login") && remedy.contains("EVENTS_REDIS_URL"), "{seen} {remedy}");

    let gone = Scene::new().env("EVENTS_REDIS_URL", &format!("redis://:{SECRET}@127.0.0.1:1/0"));
    let (seen, remedy) = fails(&gone, "tcp");
    assert!(seen.contains("connected to") && remedy.contains("is Redis running"), "{seen} {remedy}");
}

#[test]
fn what_is_there_does_not_fit() {
    let scene = Scene::new();
    let service = Service::builder(&scene.client()).start().unwrap();
    let scene = scene.env("EVENTS_QUEUE_MAX_PRIORITY", "none");
    let (seen, remedy) = fails(&scene, "queues");
    assert!(seen.contains("(406): x-max-priority is 10, and would be none"), "{seen}");
    assert!(remedy.contains("EVENTS_QUEUE_MAX_PRIORITY=10"), "{remedy}");
    assert_eq!(service.stop(PATIENCE).abandoned, 0);

    let (seen, remedy) = fails(&scene.env("EVENTS_QUEUE_MAX_PRIORITY", "10"), "consumers");
    assert!(seen.contains("nobody consumes") && remedy.contains("start the service"), "{seen} {remedy}");

    // The exchange for notifications is a topic exchange: no events.
    let other = Scene::new();
    let client = other.client();
    let listening = Service::builder(&client)
        .on_notification(None, "it", |_: &zc_events::Context, _: Value| Ok(()))
        .start()
        .unwrap();
    let exchange = client.settings().notifications_exchange().to_owned();
    let (seen, remedy) = fails(&other.env("EVENTS_EXCHANGE", &exchange), "exchanges");
    assert!(
        seen.contains("type is topic, and would be fanout") && remedy.contains("EVENTS_EXCHANGE"),
        "{seen} {remedy}"
    );
    assert_eq!(listening.stop(PATIENCE).abandoned, 0);
}

/// It connects, and nothing comes.
#[test]
fn servers_that_say_nothing_cost_no_more_time_than_was_given() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let place = silent.local_addr().unwrap();
    let scene = Scene::new()
        .env("BROKER_URL", &format!("amqp://app:{SECRET}@{place}/"))
        .env("EVENTS_REDIS_URL", &format!("redis://:{SECRET}@{place}/0"));
    let ended = scene.run(&["doctor", "--timeout", "2s", "--output", "json"]).with_code(1);
    // The default is 20 s.
    assert!(ended.took < Duration::from_secs(18), "{ended:?}");
    assert_eq!(found(&ended, "login")["status"], "failed");
    assert_eq!(found(&ended, "redis")["status"], "failed");
    assert!(!format!("{ended:?}").contains(SECRET));
}

#[test]
fn a_reader_who_leaves_ends_it() {
    let mut running = Scene::new().start_with_closed_stdout(&["doctor"]);
    running.end().with_code(0);
}

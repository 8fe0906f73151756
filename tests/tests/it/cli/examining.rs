//! `zc-events doctor`: a healthy fleet, and each failure with its remedy: on one screen, without secrets, with exit code 1, in time.

use std::net::TcpListener;
use std::time::Duration;

use integration_tests::command::{Ended, PATIENCE, Scene};
use integration_tests::{broker_url, redis_url, unique};
use serde_json::Value;
use zc_events::Service;

const SECRET: &str = "hunter2canary";
/// The lines of a terminal without the next prompt.
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

/// Runs the command for people; returns what a failed check saw, and its remedy.
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
        _ => panic!("`{check}` should fail with a remedy:\n{}", ended.stdout),
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
fn a_healthy_fleet() {
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
    assert!(found(&ended, "round-trip")["seen"].as_str().unwrap().contains("ms, Redis "));
    let ended = scene.run(&["doctor", "--output", "pretty"]).with_code(0);
    assert!(ended.stdout.ends_with("15 ok, 2 unknown\n") && ended.stdout.lines().count() <= SCREEN, "{ended:?}");
    // A check that is left out is not printed.
    let ended = scene.run(&["doctor", "--without", "round-trip", "--without", "dns", "--output", "json"]).with_code(0);
    assert_eq!(ended.json().len(), 15);
    scene.run(&["doctor", "--without", "luck"]).with_code(2);
    assert_eq!(service.stop(PATIENCE).abandoned, 0);
}

#[test]
fn missing_and_invalid_settings() {
    let bare = Scene::new().bare();
    let (seen, remedy) = fails(&bare, "settings");
    assert!(
        seen.contains("BROKER_URL is not set") && remedy.contains("no .env file in this directory or above"),
        "{seen} {remedy}"
    );
    let (seen, _) = fails(&Scene::new().bare().env("BROKER_URL", &broker_url()), "settings");
    assert!(seen.contains("STAGING_NAME"), "{seen}");
    let wrong = Scene::new().env("BROKER_URL", &format!("amqp://app:{SECRET}@host:port/"));
    let (seen, _) = fails(&wrong, "settings");
    assert!(seen.contains("BROKER_URL") && seen.contains("port is not a number"), "{seen}");
    let wrong = Scene::new().env("MANAGEMENT_URL", &format!("https://app:{SECRET}@host"));
    assert!(fails(&wrong, "settings").0.contains("MANAGEMENT_URL uses TLS"));
    // From a file, and from the environment.
    bare.write(".env", &format!("BROKER_URL={}\nEVENTS_REDIS_URL={}\nSTAGING_NAME=x\n", broker_url(), redis_url()));
    let ended = bare.env("STAGING_NAME", &unique("x")).run(&["doctor", "--output", "json"]).with_code(0);
    let settings = found(&ended, "settings");
    let seen = settings["seen"].as_str().unwrap();
    assert!(seen.starts_with("BROKER_URL, EVENTS_REDIS_URL from .env; STAGING_NAME from the environment;"), "{seen}");
    assert!(settings["remedy"].as_str().unwrap().contains("SERVICE_NAME"), "{settings}");
}

#[test]
fn unreachable_and_rejecting_servers() {
    let url = broker_url();
    let (node, _) = url.rsplit_once('/').unwrap();

    let down = Scene::new().env("BROKER_URL", &format!("amqp://app:{SECRET}@127.0.0.1:1/"));
    let (seen, remedy) = fails(&down, "tcp");
    assert!(seen.contains("cannot connect to 127.0.0.1:1 (Connection refused"), "{seen}");
    assert!(remedy.contains("check that RabbitMQ runs there") && remedy.contains("BROKER_URL"), "{remedy}");

    let all_down = down.env("EVENTS_REDIS_URL", &format!("redis://:{SECRET}@127.0.0.1:1/0"));
    let (_, remedy) = fails(&all_down, "tcp");
    assert!(remedy.contains("that RabbitMQ runs") && remedy.contains("that Redis runs"), "{remedy}");

    let nowhere = Scene::new().env("BROKER_URL", &format!("amqp://app:{SECRET}@rabbit.invalid/"));
    let (seen, remedy) = fails(&nowhere, "dns");
    assert!(
        seen.contains("rabbit.invalid:5672 cannot be resolved") && remedy.contains("BROKER_URL"),
        "{seen} {remedy}"
    );

    let wrong = Scene::new().env("BROKER_URL", &with_login(&url, &format!("guest:{SECRET}")));
    let (seen, remedy) = fails(&wrong, "login");
    assert!(seen.contains("rejects the user `guest`") && remedy.contains("BROKER_URL"), "{seen} {remedy}");

    let missing = unique("nowhere");
    let other = Scene::new().env("BROKER_URL", &format!("{node}/{missing}"));
    let (seen, remedy) = fails(&other, "vhost");
    assert!(seen.contains("not found") && remedy.contains(&format!("add_vhost {missing}")), "{seen} {remedy}");

    let secured = Scene::new().env("BROKER_URL", &url.replace("amqp://", "amqps://"));
    // The port does not support TLS.
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
    assert!(seen.contains("connected to") && remedy.contains("that Redis runs"), "{seen} {remedy}");
}

#[test]
fn exchanges_and_queues_that_differ_from_the_settings() {
    let scene = Scene::new();
    let service = Service::builder(&scene.client()).start().unwrap();
    let scene = scene.env("EVENTS_QUEUE_MAX_PRIORITY", "none");
    let (seen, remedy) = fails(&scene, "queues");
    assert!(seen.contains("(406): x-max-priority is 10, expected none"), "{seen}");
    assert!(remedy.contains("EVENTS_QUEUE_MAX_PRIORITY=10"), "{remedy}");
    assert_eq!(service.stop(PATIENCE).abandoned, 0);

    let (seen, remedy) = fails(&scene.env("EVENTS_QUEUE_MAX_PRIORITY", "10"), "consumers");
    assert!(seen.contains("has no consumer") && remedy.contains("start the service"), "{seen} {remedy}");

    // Events need a fanout exchange; that for notifications is a topic exchange.
    let other = Scene::new();
    let client = other.client();
    let listening = Service::builder(&client)
        .on_notification(None, "it", |_: &zc_events::Context, _: Value| Ok(()))
        .start()
        .unwrap();
    let exchange = client.settings().notifications_exchange().to_owned();
    let (seen, remedy) = fails(&other.env("EVENTS_EXCHANGE", &exchange), "exchanges");
    assert!(seen.contains("type is topic, expected fanout") && remedy.contains("EVENTS_EXCHANGE"), "{seen} {remedy}");
    assert_eq!(listening.stop(PATIENCE).abandoned, 0);
}

/// The servers accept connections and send nothing.
#[test]
fn silent_servers_do_not_exceed_the_timeout() {
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
fn a_closed_pipe_ends_the_command() {
    let mut running = Scene::new().start_with_closed_stdout(&["doctor"]);
    running.end().with_code(0);
}

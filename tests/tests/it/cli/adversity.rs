//! Every command without settings and with unreachable, silent or rejecting servers: it names the failure and the remedy, on one
//! screen, without secrets, with the right exit code, before its deadline.

use std::net::TcpListener;

use integration_tests::{broker_url, redis_url, unique};

use integration_tests::command::{Ended, PATIENCE, Scene};

const SECRET: &str = "hunter2canary";

/// The input on stdin.
const LINE: &str = "{\"event_type\": \"order_created\"}\n";

/// The commands that use a server.
const COMMANDS: [&[&str]; 12] = [
    &["emit", "order_created"],
    &["emit", "order_created", "--count", "3"],
    &["emit", "-"],
    &["get", "Order", "5"],
    &["call", "add"],
    &["call", "add", "--no-wait"],
    &["listen", "--for", "10s"],
    &["stub", "answers.toml"],
    &["dead", "list"],
    &["dead", "show", "1"],
    &["dead", "replay", "--all"],
    &["dead", "purge", "--all", "--yes"],
];

/// Whether the command needs the reply store.
fn needs_replies(words: &[&str]) -> bool {
    ["get", "stub"].contains(&words[0]) || words == ["call", "add"]
}

fn scene() -> Scene {
    let scene = Scene::new();
    scene.write("answers.toml", "[[expect]]\ncall = 'add'\nresult = 3\n");
    scene
}

fn run(scene: &Scene, words: &[&str]) -> Ended {
    let ended = scene.run_with(words, LINE);
    let shown = format!("{words:?}: {ended:?}");
    assert!(ended.took < PATIENCE, "{shown}");
    assert!((1..=6).contains(&ended.stderr.lines().count()), "one screen: {shown}");
    assert!(ended.stderr.contains("error: "), "{shown}");
    for secret in [SECRET, "panicked"] {
        assert!(!shown.contains(secret), "{shown}");
    }
    ended
}

/// A URL with the same server and another login.
fn with_login(url: &str, login: &str) -> String {
    let (scheme, rest) = url.split_once("://").unwrap();
    let node = rest.rsplit_once('@').map_or(rest, |(_, node)| node);
    format!("{scheme}://{login}@{node}")
}

#[test]
fn without_settings() {
    let scene = scene().bare();
    for words in COMMANDS {
        let ended = run(&scene, words).with_code(3);
        assert!(ended.stderr.contains("BROKER_URL is not set") && ended.stderr.contains(".env"), "{ended:?}");
    }
    let scene = scene.env("BROKER_URL", &broker_url());
    for words in COMMANDS {
        let ended = run(&scene, words).with_code(3);
        assert!(ended.stderr.contains("STAGING_NAME"), "{ended:?}");
    }
    let scene = scene.env("STAGING_NAME", "x");
    for words in COMMANDS.iter().filter(|words| needs_replies(words)) {
        let ended = run(&scene, words).with_code(3);
        assert!(ended.stderr.contains("EVENTS_REDIS_URL is not set"), "{ended:?}");
    }
    for words in COMMANDS.iter().filter(|words| words[0] == "dead") {
        let ended = run(&scene, words).with_code(3);
        assert!(ended.stderr.contains("SERVICE_NAME") && ended.stderr.contains("--service"), "{ended:?}");
    }
}

#[test]
fn with_a_wrong_setting_that_contains_a_password() {
    let scene = scene().env("BROKER_URL", &format!("amqp://app:{SECRET}@host:port/"));
    for words in COMMANDS {
        let ended = run(&scene, words).with_code(3);
        assert!(ended.stderr.contains("BROKER_URL") && !ended.stderr.contains("no .env file"), "{ended:?}");
    }
    let scene = Scene::new().bare();
    scene.write(".env", &format!("BROKER_URL=amqp://app:{SECRET}@host/ # and\nwhat is this {SECRET}\n"));
    let ended = run(&scene, &["emit", "order_created"]).with_code(3);
    assert!(ended.stderr.contains("/.env, line 2: "), "{ended:?}");
}

#[test]
fn with_the_broker_down() {
    let scene = scene().env("BROKER_URL", &format!("amqp://app:{SECRET}@127.0.0.1:1/"));
    for words in COMMANDS {
        let ended = run(&scene, words).with_code(4);
        assert!(ended.stderr.contains("cannot connect to the broker at amqp://app@127.0.0.1:1"), "{ended:?}");
        assert!(ended.stderr.contains("BROKER_URL"), "{ended:?}");
    }
}

#[test]
fn with_a_wrong_password() {
    let scene = scene().env("BROKER_URL", &with_login(&broker_url(), &format!("guest:{SECRET}")));
    for words in COMMANDS {
        let ended = run(&scene, words).with_code(8);
        assert!(ended.stderr.contains("refused the login of user `guest`"), "{ended:?}");
        assert!(ended.stderr.contains("BROKER_URL"), "{ended:?}");
    }
}

/// All log lines are free of secrets too.
#[test]
fn with_a_wrong_password_and_all_log_lines() {
    let scene =
        scene().env("BROKER_URL", &with_login(&broker_url(), &format!("guest:{SECRET}"))).env("RUST_LOG", "trace");
    for words in COMMANDS {
        let ended = scene.run_with(&[words, &["-vvv"]].concat(), LINE).with_code(8);
        let shown = format!("{ended:?}");
        assert!(shown.contains("DEBUG zc_events_transport"), "{shown}");
        assert!(!shown.contains(SECRET) && !shown.contains("amiquip"), "{shown}");
    }
}

#[test]
fn with_a_missing_virtual_host() {
    let url = broker_url();
    let (node, _) = url.rsplit_once('/').unwrap();
    let scene = scene().env("BROKER_URL", &format!("{node}/{}", unique("nowhere")));
    for words in COMMANDS {
        let ended = run(&scene, words).with_code(8);
        assert!(ended.stderr.contains("virtual host") && ended.stderr.contains("BROKER_URL"), "{ended:?}");
    }
}

#[test]
fn with_redis_down_or_rejecting() {
    let down = format!("redis://:{SECRET}@127.0.0.1:1/0");
    let refusing = with_login(&redis_url(), &format!("nobody:{SECRET}"));
    for (url, code) in [(down, 4), (refusing, 8)] {
        let scene = scene().env("EVENTS_REDIS_URL", &url);
        // Without a bound queue, the request would fail earlier.
        let mut listening = scene.start(&["listen"]);
        listening.until_said("watching");
        for words in [&["get", "Order", "5"][..], &["call", "add"], &["stub", "answers.toml"]] {
            let ended = run(&scene, words).with_code(code);
            assert!(ended.stderr.contains("EVENTS_REDIS_URL"), "{ended:?}");
        }
        listening.interrupt();
        listening.end().with_code(130);
    }
}

#[test]
fn with_a_silent_broker() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("amqp://app:{SECRET}@{}/", silent.local_addr().unwrap());
    let scene = scene().env("BROKER_URL", &url);
    // `--timeout` ends them: the settings alone would let them wait longer than the test does.
    let longer = (2 * PATIENCE).as_secs().to_string();
    let patient = self::scene().env("BROKER_URL", &url);
    let patient = patient.env("EVENTS_PUBLISH_TIMEOUT", &longer).env("EVENTS_TIMEOUT", &longer);
    for words in [
        &["emit", "order_created", "--timeout", "1s"][..],
        &["emit", "-", "--timeout", "1s"],
        &["get", "Order", "5", "--timeout", "1s"],
        &["call", "add", "--timeout", "1s"],
    ] {
        let ended = run(&patient, words);
        assert!([4, 5].contains(&ended.code) && ended.took < PATIENCE, "{words:?}: {ended:?}");
    }
    for words in [&["listen"][..], &["dead", "list"]] {
        let ended = run(&scene, words);
        assert!([4, 5].contains(&ended.code) && ended.took < PATIENCE, "{words:?}: {ended:?}");
    }
}

#[test]
fn commands_without_a_server_ignore_the_settings() {
    let scene = scene().env("BROKER_URL", &format!("amqp://app:{SECRET}@127.0.0.1:1/"));
    for words in
        [&["demo"][..], &["completions", "zsh"], &["man"], &["man", "dead", "replay"], &["--help"], &["--version"]]
    {
        let ended = scene.run(words).with_code(0);
        assert!(!ended.stdout.is_empty() && ended.stderr.is_empty(), "{ended:?}");
    }
}

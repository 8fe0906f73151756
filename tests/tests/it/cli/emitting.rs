//! `zc-events emit` against RabbitMQ: the messages, many at once, invalid lines, a broker that goes away.

use std::io::Write as _;

use integration_tests::proxy::{Ending, Mode, Proxy, Way};
use integration_tests::{broker_url, eventually};
use serde_json::json;
use zc_events::{Protocol, Watched};

use integration_tests::command::{PATIENCE, Scene};

#[test]
fn an_event_arrives_with_all_options_in_both_protocols() {
    let scene = Scene::new();
    let client = scene.client();
    let mut watch = client.watch(Watched::Events).unwrap();
    scene.write("kwargs.json", r#"{"resource_id": 5, "meta": {"a": [1, null]}, "task_id": "mine"}"#);
    for (word, protocol) in [("1", Protocol::V1), ("2", Protocol::V2)] {
        let words = ["emit", "order_created", "--arg", "\"first\"", "--arg", "[2]", "--kwargs", "@kwargs.json"];
        let ended = scene.run(&[&words[..], &["--priority", "7", "--protocol", word]].concat()).with_code(0);
        let told = &ended.json()[0];
        assert_eq!(
            (&told["event_type"], &told["task_id"], &told["confirmed"]),
            (&json!("order_created"), &json!("mine"), &json!(true))
        );
        let message = watch.next(PATIENCE).unwrap().expect("it passes");
        assert_eq!(
            (message.event_type(), message.protocol(), message.priority()),
            ("order_created", Some(protocol), Some(7))
        );
        assert_eq!(message.args(), [json!("first"), json!([2])]);
        assert_eq!(json!(message.kwargs()), json!({"resource_id": 5, "meta": {"a": [1, null]}, "task_id": "mine"}));
        assert_eq!(message.id(), told["id"].as_str());
        assert!(ended.stderr.is_empty(), "{}", ended.stderr);
    }
}

#[test]
fn without_a_bound_queue_an_event_is_not_delivered() {
    let scene = Scene::new();
    let ended = scene.run(&["emit", "order_created"]).with_code(7);
    assert!(ended.stderr.contains("no queue is bound") && ended.stderr.contains("hint:"), "{}", ended.stderr);
    let told = &ended.json()[0];
    assert_eq!((&told["confirmed"], &told["outcome"]), (&json!(false), &json!("not_sent")));
}

#[test]
fn many_lines_are_emitted_and_reported_in_order() {
    const LINES: u64 = 5000;
    let scene = Scene::new();
    let mut watch = scene.client().watch(Watched::Events).unwrap();
    let lines: String = (1..=LINES).map(|number| format!("{{\"number\": {number}}}\n")).collect();
    let ended = scene.run_with(&["emit", "counted", "--kwargs", "-", "--output", "json"], &lines).with_code(0);
    let told = ended.json();
    for number in 1..=LINES {
        let line = &told[number as usize - 1];
        assert_eq!((&line["line"], &line["confirmed"]), (&json!(number), &json!(true)));
        let message = watch.next(PATIENCE).unwrap().expect("it passes");
        assert_eq!((&message.kwargs()["number"], message.id()), (&json!(number), line["id"].as_str()));
    }
    let ended = scene.run(&["emit", "counted", "--count", "50", "--output", "pretty"]).with_code(0);
    assert!(ended.stdout.starts_with("50 events confirmed in "), "{}", ended.stdout);
    let mut ids: Vec<_> = (0..50).map(|_| watch.next(PATIENCE).unwrap().unwrap().id().map(str::to_owned)).collect();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 50);
}

#[test]
fn an_invalid_line_is_reported_with_its_number_and_the_others_are_emitted() {
    let scene = Scene::new();
    let _watch = scene.client().watch(Watched::Events).unwrap();
    let lines = "{\"event_type\": \"a\"}\n\nhunter2\n{\"event_type\": \"b\", \"kwargs\": {\"x\": 1}, \"priority\": 300}\n{\"event_type\": \"c\"}";
    let ended = scene.run_with(&["emit", "-"], lines).with_code(2);
    let told: Vec<_> = ended.json().iter().map(|line| (line["line"].clone(), line["confirmed"].clone())).collect();
    let line = |number: u64, confirmed: bool| (json!(number), json!(confirmed));
    assert_eq!(told, [line(1, true), line(3, false), line(4, false), line(5, true)]);
    for says in ["error: line 3: ", "error: line 4: `priority`", "error: 2 of 4 events were not confirmed"] {
        assert!(ended.stderr.contains(says), "{says}: {}", ended.stderr);
    }
    assert!(!ended.stderr.contains("hunter2"), "{}", ended.stderr);
}

#[test]
fn a_line_is_confirmed_before_the_next_one_comes_and_ctrl_c_ends_the_command() {
    let scene = Scene::new();
    let _watch = scene.client().watch(Watched::Events).unwrap();
    let mut running = scene.start(&["emit", "slow", "--kwargs", "-"]);
    let mut stdin = running.stdin();
    for number in 1..=3 {
        writeln!(stdin, "{{}}").unwrap();
        let told = running.json();
        assert_eq!((&told["line"], &told["confirmed"]), (&json!(number), &json!(true)));
    }
    running.interrupt();
    running.end().with_code(130);
    drop(stdin);
}

#[test]
fn a_closed_stdout_is_a_failure() {
    let scene = Scene::new();
    let _watch = scene.client().watch(Watched::Events).unwrap();
    let mut running = scene.start_with_closed_stdout(&["emit", "e", "--count", "100000"]);
    let ended = running.end().with_code(1);
    assert!(ended.stderr.contains("stdout is closed"), "{}", ended.stderr);
}

#[test]
fn the_output_of_listen_can_be_emitted_again() {
    let scene = Scene::new();
    let mut listening = scene.start(&["listen", "--count", "3"]);
    listening.until_said("watching");
    scene
        .run(&["emit", "order_created", "--kwargs", "{\"resource_id\": 5}", "--arg", "1", "--priority", "3"])
        .with_code(0);
    scene.run(&["emit", "order_created", "--protocol", "2", "--kwargs", "{\"resource_id\": 6}"]).with_code(0);
    scene.run(&["get", "Order", "1", "--timeout", "3s"]).with_code(5);
    let seen = listening.end().with_code(0).stdout;
    let mut watch = scene.client().watch(Watched::Events).unwrap();
    let ended = scene.run_with(&["emit", "-"], &seen).with_code(2);
    assert!(ended.stderr.contains("line 3: this is a request"), "{}", ended.stderr);
    for (id, args, priority) in [(5, vec![json!(1)], 3), (6, vec![], 0)] {
        let message = watch.next(PATIENCE).unwrap().expect("it passes");
        assert_eq!((message.event_type(), &message.kwargs()["resource_id"]), ("order_created", &json!(id)));
        assert_eq!((message.args(), message.priority()), (&args[..], Some(priority)));
    }
}

#[test]
fn when_the_broker_goes_away_the_command_stops_and_says_where() {
    let (proxy, url) = Proxy::before(&broker_url()).unwrap();
    let scene = Scene::new();
    let _watch = scene.client().watch(Watched::Events).unwrap();
    let scene = scene.env("BROKER_URL", &url);
    let mut running = scene.start(&["emit", "lost", "--kwargs", "-", "--output", "json", "--timeout", "2s"]);
    let mut stdin = running.stdin();
    writeln!(stdin, "{{}}").unwrap();
    assert_eq!(running.json()["confirmed"], json!(true));
    // First the network stalls, then the broker accepts no connection.
    proxy.set(Way::Both, Mode::Hold);
    let lines = std::thread::spawn(move || {
        for _ in 0..100_000 {
            if writeln!(stdin, "{{\"text\": \"{}\"}}", "x".repeat(200)).is_err() {
                return;
            }
        }
    });
    let ended = running.end();
    assert!([4, 5].contains(&ended.code), "{}", ended.code);
    assert!(ended.stderr.contains("events were not confirmed"), "{}", last(&ended.stderr));
    assert!(ended.took < PATIENCE && !ended.json().is_empty());
    lines.join().unwrap();

    proxy.set(Way::Both, Mode::Pass);
    let mut running = scene.start(&["emit", "lost", "--kwargs", "-", "--output", "json", "--timeout", "2s"]);
    let mut stdin = running.stdin();
    writeln!(stdin, "{{}}").unwrap();
    assert_eq!(running.json()["confirmed"], json!(true));
    proxy.set(Way::Both, Mode::Swallow);
    eventually(PATIENCE, || proxy.cut_all(Ending::Rst) == 0);
    for _ in 0..3 {
        writeln!(stdin, "{{}}").unwrap();
    }
    let ended = running.end();
    assert!([4, 5].contains(&ended.code), "{}", ended.code);
    assert!(ended.stderr.contains("stopped after number "), "{}", ended.stderr);
    assert!(ended.took < PATIENCE, "{:?}", ended.took);
}

fn last(text: &str) -> &str {
    text.lines().last().unwrap_or_default()
}

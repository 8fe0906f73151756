//! `zc-events stub` against real servers: it answers as its file says, follows the file, and leaves nothing behind.

use integration_tests::eventually;
use serde_json::json;
use zc_events::{Error, Event};

use integration_tests::command::{PATIENCE, Running, Scene};

fn stub(scene: &Scene, file: &str) -> Running {
    let running = scene.start(&["stub", file]);
    running.until_said("answering ");
    running
}

#[test]
fn it_answers_follows_its_file_and_keeps_its_answers_while_that_is_wrong() {
    let scene = Scene::new();
    let client = scene.client();
    let ask = || client.get("add").timeout(PATIENCE).fetch::<i64>();
    scene.write("answers.toml", "[[expect]]\ncall = 'add'\nresult = 1\n");
    let mut running = stub(&scene, "answers.toml");
    assert_eq!((ask().unwrap(), ask().unwrap()), (1, 1));
    let told = running.json();
    assert_eq!((&told["asked"], &told["answered"]), (&json!("GET call of `add`"), &json!("answered with a result")));
    assert_eq!(told["expected"], true);

    scene.write("answers.toml", "[[expect]]\ncall = 'add'\nresult = 22\n");
    running.until_said("answers.toml was read again: 1 expectation");
    assert_eq!(ask().unwrap(), 22);
    scene.write("answers.toml", "[[expect]]\ncall = 'add'\nresalt = 3\n");
    running.until_said("error: answers.toml: expectation 1: unknown field `resalt`").until_said("stay as they were");
    assert_eq!(ask().unwrap(), 22);
    scene.write("answers.toml", "[[expect]]\ncall = 'boom'\nstatus = 500\n[[expect]]\ncall = 'add'\nresult = 4444\n");
    running.until_said("answers.toml was read again: 2 expectations");
    assert_eq!(ask().unwrap(), 4444);
    assert!(matches!(client.get("boom").timeout(PATIENCE).fetch::<i64>(), Err(Error::Call { .. })));

    running.interrupt();
    running.end().with_code(130);
    // Its queue goes with it: nobody is bound any more.
    eventually(PATIENCE, || matches!(client.emit(&Event::new("order_created")), Err(Error::Unroutable { .. })));
}

#[test]
fn a_list_in_json_will_do_with_delays_times_and_failures_by_chance() {
    let scene = Scene::new();
    let answers = json!([
        {"resource": "Order", "pk": 5, "times": 1, "body": {"data": {"type": "Order", "id": "5"}}},
        {"resource": "Order", "pk": "*", "status": 503, "delay": 0.2},
        {"call": "add", "result": 3, "error_rate": 1.0},
    ]);
    scene.write("answers.json", &answers.to_string());
    let _running = stub(&scene, "answers.json");
    assert_eq!(scene.run(&["get", "Order", "5"]).with_code(0).json()[0]["data"]["id"], "5");
    let second = scene.run(&["get", "Order", "5"]).with_code(6);
    assert!(second.took.as_millis() >= 200 && second.stderr.contains("status 503"), "{second:?}");
    scene.run(&["call", "add"]).with_code(6);
}

#[test]
fn without_an_answer_store_or_a_file_it_does_not_begin() {
    let scene = Scene::new();
    scene.write("answers.json", "[]");
    let ended = scene.run(&["stub", "none.toml"]).with_code(2);
    assert!(ended.stderr.contains("none.toml: cannot be read"), "{}", ended.stderr);
    let ended = scene.env("EVENTS_REDIS_URL", "").run(&["stub", "answers.json"]).with_code(3);
    assert!(ended.stderr.contains("EVENTS_REDIS_URL is not set"), "{}", ended.stderr);
}

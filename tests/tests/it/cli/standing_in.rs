//! `zc-events stub` against real servers: it replies as its file says, reloads the file, and leaves nothing.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use integration_tests::proxy::{Ending, Mode, Proxy, Way};
use integration_tests::{broker_url, eventually, redis_url};
use serde_json::json;
use zc_events::{Error, Event, Watched};

use integration_tests::command::{PATIENCE, Running, Scene};

fn stub(scene: &Scene, file: &str) -> Running {
    let running = scene.start(&["stub", file]);
    running.until_said("answering ");
    running
}

#[test]
fn the_stub_reloads_its_file_and_keeps_the_expectations_while_the_file_is_invalid() {
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
    running.until_said("reloaded answers.toml: 1 expectation");
    assert_eq!(ask().unwrap(), 22);
    scene.write("answers.toml", "[[expect]]\ncall = 'add'\nresalt = 3\n");
    running
        .until_said("error: answers.toml: line 1: expectation 1 (call `add`): unknown field `resalt`")
        .until_said("keeping the previous expectations");
    assert_eq!(ask().unwrap(), 22);
    scene.write(
        "answers.toml",
        "[[expect]]\ncall = 'boom'\nerrors = [{ type = 'KeyError' }]\n[[expect]]\ncall = 'add'\nresult = 4444\n",
    );
    running.until_said("reloaded answers.toml: 2 expectations");
    assert_eq!(ask().unwrap(), 4444);
    assert!(matches!(client.get("boom").timeout(PATIENCE).fetch::<i64>(), Err(Error::Call { .. })));

    running.interrupt();
    running.end().with_code(130);
    // The stub's queue is gone: no queue is bound.
    eventually(PATIENCE, || matches!(client.emit(&Event::new("order_created")), Err(Error::Unroutable { .. })));
}

#[test]
fn expectations_in_json_with_delay_times_and_error_rate() {
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
    let failed = scene.run(&["call", "add"]).with_code(6).json().remove(0);
    let error = &failed["errors"][0];
    assert!(error["type"].is_string() && error["message"].as_str().unwrap().contains("random failure"), "{failed}");
}

#[test]
fn the_stub_needs_a_reply_store_and_a_file() {
    let scene = Scene::new();
    scene.write("answers.json", "[]");
    let ended = scene.run(&["stub", "none.toml"]).with_code(2);
    assert!(ended.stderr.contains("none.toml: cannot be read"), "{}", ended.stderr);
    let ended = scene.env("EVENTS_REDIS_URL", "").run(&["stub", "answers.json"]).with_code(3);
    assert!(ended.stderr.contains("EVENTS_REDIS_URL is not set"), "{}", ended.stderr);
}

/// A line comes after the delay, and only if the reply was stored.
#[test]
fn a_reply_is_reported_after_it_was_stored() {
    let (proxy, url) = Proxy::before(&redis_url()).unwrap();
    let scene = Scene::new();
    let client = scene.client();
    scene.write("answers.json", r#"[{"call": "slow", "result": 1, "delay": 1.5}, {"call": "add", "result": 3}]"#);
    let scene = scene.env("EVENTS_REDIS_URL", &url);
    let running = stub(&scene, "answers.json");
    let mut watch = client.watch(Watched::Events).unwrap();
    let ask = |key: &'static str, timeout| client.get(key).timeout(timeout).fetch::<i64>();
    std::thread::scope(|scope| {
        let slow = scope.spawn(|| ask("slow", PATIENCE));
        assert_eq!(watch.next(PATIENCE).unwrap().unwrap().event_type(), "slow");
        assert_eq!(ask("add", PATIENCE).unwrap(), 3);
        assert_eq!(slow.join().unwrap().unwrap(), 1);
    });
    for key in ["add", "slow"] {
        let told = running.json();
        assert_eq!(told["asked"], format!("GET call of `{key}`"));
        assert_eq!(told["answered"], "answered with a result");
    }

    proxy.set(Way::Both, Mode::Hold);
    assert!(ask("add", Duration::from_millis(100)).is_err());
    let stop = AtomicBool::new(false);
    let told = std::thread::scope(|scope| {
        scope.spawn(|| {
            eventually(PATIENCE, || {
                proxy.cut_all(Ending::Rst);
                stop.load(Ordering::SeqCst)
            });
        });
        let told = running.json();
        stop.store(true, Ordering::SeqCst);
        told
    });
    assert!(told["answered"].as_str().unwrap().starts_with("not answered: "), "{told}");
    assert_eq!(told["expected"], true);
}

#[test]
fn a_lost_broker_and_its_return_are_each_reported_once() {
    let (proxy, url) = Proxy::before(&broker_url()).unwrap();
    let scene = Scene::new();
    let client = scene.client();
    scene.write("answers.json", r#"[{"call": "add", "result": 3}]"#);
    let scene = scene.env("BROKER_URL", &url);
    let running = stub(&scene, "answers.json");
    proxy.cut_all(Ending::Rst);
    let before = proxy.accepted();
    eventually(PATIENCE, || {
        // Each new connection is cut in its first frame.
        proxy.set(Way::Both, Mode::CutAfter(1, Ending::Rst));
        proxy.accepted() > before + 3
    });
    proxy.set(Way::Both, Mode::Pass);
    running.until_said("stub reconnected\n");
    assert_eq!(client.get("add").timeout(PATIENCE).fetch::<i64>().unwrap(), 3);
    let said = running.said();
    assert_eq!(said.matches("stub disconnected").count(), 1, "{said}");
    assert!(said.matches("stub still disconnected").count() <= 2, "{said}");
}

#[test]
fn a_new_exchange_is_named() {
    let scene = Scene::new();
    scene.write("answers.json", "[]");
    let exchange = scene.client().settings().events_exchange().to_owned();
    let new = format!("the exchange {exchange} did not exist before: check that STAGING_NAME");
    let ended = scene.run(&["listen", "--for", "100ms"]).with_code(0);
    assert!(ended.stderr.contains(&new), "{ended:?}");
    let ended = scene.run(&["listen", "--for", "100ms"]).with_code(0);
    assert!(!ended.stderr.contains("did not exist before"), "{ended:?}");
    let scene = Scene::new();
    scene.write("answers.json", "[]");
    let running = stub(&scene, "answers.json");
    running.until_said("did not exist before");
}

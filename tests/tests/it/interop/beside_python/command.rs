//! The `zc-events` command in a fleet of Python services: it asks them, stands in for others that they ask, emits what
//! they handle, and sees what they send.

use integration_tests::command::Scene;
use interop_python::Fleet;
use serde_json::json;

fn scene(fleet: &Fleet) -> Scene {
    Scene::new()
        .env("EVENTS_EXCHANGE", &fleet.events_exchange())
        .env("NOTIFICATIONS_EXCHANGE", &fleet.notifications_exchange())
}

#[test]
fn command_requests_and_emits_to_python() {
    let fleet = Fleet::new();
    let mut python = fleet.worker("python").start();
    let scene = scene(&fleet);
    let order = scene.run(&["get", "Order", "23131024", "--include", "company"]).with_code(0).json().remove(0);
    assert_eq!((&order["data"]["id"], &order["data"]["attributes"]["name"]), (&json!("23131024"), &json!("Café / 🍕")));
    assert_eq!(order["included"][0]["attributes"]["name"], "ZC");
    let orders = scene.run(&["get", "Order", "4", "5", "--page-size", "50"]).with_code(0).json().remove(0);
    assert_eq!(orders["meta"]["query"], "filter%5Bid__in%5D=4%2C5&page_size=50");
    let body = json!({"data": {"type": "Order", "attributes": {"name": "a/b"}}}).to_string();
    let created = scene.run_with(&["get", "Order", "--method", "POST", "--data", "-"], &body).with_code(0);
    assert_eq!(created.json()[0]["data"]["id"], "99");
    let missing = scene.run(&["get", "Order", "404"]).with_code(6);
    assert_eq!(missing.json()[0]["errors"][0]["detail"], "Not found.");

    let sum = scene.run(&["call", "add", "--method", "POST", "--data", "{\"x\": 1, \"y\": 2}"]).with_code(0);
    assert_eq!(sum.stdout, "3\n");
    let failed = scene.run(&["call", "boom"]).with_code(6).json().remove(0);
    assert_eq!(failed["errors"][0]["type"], "ValueError");
    scene.run(&["call", "note", "--no-wait", "--data", "[1]"]).with_code(0);
    assert_eq!(python.told("noted", 1)[0]["data"], json!([1]));

    for (number, protocol) in ["1", "2"].into_iter().enumerate() {
        let words = ["emit", "seen", "--arg", "\"é\"", "--kwargs", "{\"n\": {\"a\": null}}", "--protocol", protocol];
        let told = scene.run(&words).with_code(0).json().remove(0);
        let seen = python.told("seen", number + 1).remove(number);
        assert_eq!((&seen["args"], &seen["kwargs"]["n"]), (&json!(["é"]), &json!({"a": null})));
        assert_eq!((&seen["kwargs"]["task_id"], &seen["request"]["id"]), (&told["task_id"], &told["id"]));
    }
}

#[test]
fn command_stubs_and_watches_python() {
    let fleet = Fleet::new();
    let scene = scene(&fleet);
    let order = json!({"type": "Order", "id": "23131024", "attributes": {"name": "Lunch", "created-at": "now"}});
    let answers = json!([
        {"resource": "Order", "pk": 23_131_024, "body": {"data": order}},
        {"resource": "Order", "pk": "*", "status": 404, "body": {"errors": [{"status": "404", "title": "Not found."}]}},
        {"call": "add", "data": {"x": 1, "y": 2}, "result": 3},
    ]);
    scene.write("answers.json", &answers.to_string());
    let stub = scene.start(&["stub", "answers.json"]);
    stub.until_said("answering 3 expectations");
    let listening = scene.start(&["listen"]);
    listening.until_said("watching ");
    let mut python = fleet.caller("python");

    let order = python.does("get_remote_resource", json!({"resource_type": "Order", "pk": "23131024"}));
    assert_eq!((&order["name"], &order["created_at"]), (&json!("Lunch"), &json!("now")));
    assert_eq!(stub.json()["asked"], "GET Order \"23131024\"");
    let asked = listening.json();
    assert_eq!(
        (&asked["kind"], &asked["event_type"], &asked["protocol"]),
        (&json!("request"), &json!("order_request"), &json!(1))
    );

    let raised = python.tries("get_remote_resource", json!({"resource_type": "Order", "pk": "1"})).unwrap_err();
    assert_eq!(raised.class, "ServiceRequestException");
    listening.json();

    let sum = python.does("verb", json!({"verb": "post", "key": "add", "data": {"x": 1, "y": 2}}));
    assert_eq!((&sum["data"], &sum["has_errors"]), (&json!(3), &json!(false)));
    assert_eq!(listening.json()["kind"], "call");

    python.does("emit", json!({"event_type": "order_created", "kwargs": {"resource_id": 5}}));
    let seen = listening.json();
    let members = ["kind", "event_type", "task", "protocol", "request"].map(|name| seen[name].clone());
    assert_eq!(members, [json!("event"), json!("order_created"), json!("microservice.event"), json!(1), json!(false)]);
    assert_eq!(
        (&seen["kwargs"]["resource_id"], &seen["task_id"], &seen["message_id"]),
        (&json!(5), &seen["id"], &seen["id"])
    );
    python.does("send_task", json!({"args": ["order_created", 7], "kwargs": {"a": 1}}));
    let seen = listening.json();
    assert_eq!((&seen["protocol"], &seen["args"], &seen["kwargs"]), (&json!(2), &json!([7]), &json!({"a": 1})));
}

//! What Celery declares, beside the names that are made here.

use serde_json::{Value, json};
use zc_events_protocol::names::events_queue;
use zc_events_protocol::task_router::{RouteKind, RouterNames, route_for_task};

use super::load::{Kind, of_kind, vector};

struct Fleet {
    service: &'static str,
    events_exchange: &'static str,
    max_priority: bool,
    events_key: &'static str,
}

fn fleet(name: &str) -> Fleet {
    let (service, events_exchange, max_priority, events_key) = match name {
        "topology_celery3_readme" => ("c3-svc", "wire-events", false, ""),
        "topology_celery51_django_example" => ("django-example", "test-exchange", true, "django-example-default"),
        "topology_celery5_upstream_example" => ("zc-events-test", "test-exchange", true, "#"),
        "topology_celery5_wire_worker" => ("wire-worker", "wire-events", true, "celery"),
        other => panic!("{other}"),
    };
    Fleet { service, events_exchange, max_priority, events_key }
}

fn find<'a>(vector: &'a Value, list: &str, name: &str) -> &'a Value {
    vector[list].as_array().unwrap().iter().find(|item| item["name"] == name).unwrap_or_else(|| panic!("no {name}"))
}

#[test]
fn queues_and_exchanges_equal_celerys() {
    for (name, _) in of_kind(Kind::Topology) {
        let vector = vector(&name);
        let fleet = fleet(&name);
        let names = RouterNames {
            events_exchange: fleet.events_exchange.to_owned(),
            notifications_exchange: "wire-notifications".to_owned(),
            default_queue: format!("{}-default", fleet.service),
        };

        let queue = find(&vector, "queues", &events_queue(fleet.service));
        assert_eq!((&queue["durable"], &queue["auto_delete"]), (&json!(true), &json!(false)), "{name}");
        let arguments = if fleet.max_priority { json!([["x-max-priority", "signedint", 10]]) } else { json!([]) };
        assert_eq!(queue["arguments"], arguments, "{name}");

        let route = route_for_task("microservice.event", &names);
        let exchange = find(&vector, "exchanges", &route.exchange);
        assert_eq!(exchange["type"], route.kind.as_str(), "{name}");
        assert_eq!((&exchange["durable"], &exchange["auto_delete"]), (&json!(true), &json!(false)), "{name}");
        // The fanout ignores the key that it is bound by.
        let bindings = vector["bindings"].as_array().unwrap();
        let bound = bindings
            .iter()
            .find(|binding| binding["source_name"] == *route.exchange && binding["destination_name"] == queue["name"]);
        assert_eq!(bound.unwrap()["routing_key"], fleet.events_key, "{name}");
        assert_eq!((route.kind, route.routing_key.as_str()), (RouteKind::Fanout, ""), "{name}");

        if name == "topology_celery5_wire_worker" {
            let route = route_for_task("microservice.notification", &names);
            assert_eq!(find(&vector, "exchanges", &route.exchange)["type"], route.kind.as_str());
            let bound = bindings.iter().find(|binding| binding["source_name"] == *route.exchange).unwrap();
            assert_eq!(bound["routing_key"], *route.routing_key);
            let route = route_for_task("some.other.task", &names);
            assert_eq!(find(&vector, "exchanges", &route.exchange)["type"], route.kind.as_str());
            let bound = bindings.iter().find(|binding| binding["source_name"] == *route.exchange).unwrap();
            assert_eq!(bound["routing_key"], *route.routing_key);
        }
    }
}

#[test]
fn router_equals_celerys() {
    let names = RouterNames {
        events_exchange: "wire-events".to_owned(),
        notifications_exchange: "wire-notifications".to_owned(),
        default_queue: "wire-svc-celery-default".to_owned(),
    };
    for (name, task) in [
        ("celery5_send_task", "microservice.event"),
        ("celery5_send_task_notification", "microservice.notification"),
        ("celery3_send_task_notification", "microservice.notification"),
        ("celery4_send_task_default_exchange", "some.other.task"),
    ] {
        let vector = vector(name);
        let route = route_for_task(task, &names);
        assert_eq!(vector["exchange"], *route.exchange, "{name}");
        assert_eq!(vector["exchange_type"], route.kind.as_str(), "{name}");
        assert_eq!(vector["routing_key"], *route.routing_key, "{name}");
    }
}

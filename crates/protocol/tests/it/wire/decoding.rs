//! Every message, decoded, against what Python makes of it.

use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};
use zc_events_protocol::{Limits, Method, Task, peek_event_type};

use super::load::{Kind, message, of_kind, tagged, vector};

fn micros(at: Option<SystemTime>) -> Value {
    at.map(|at| at.duration_since(UNIX_EPOCH).unwrap().as_micros() as u64).into()
}

fn tagged_list(values: &[Value]) -> Value {
    values.iter().map(tagged).collect()
}

fn seen(task: &Task) -> Value {
    let mut seen = json!({
        "protocol": task.protocol.to_string().parse::<u8>().unwrap(),
        "task": task.task,
        "id": task.id,
        "root_id": task.root_id,
        "parent_id": task.parent_id,
        "args": tagged_list(&task.args),
        "kwargs": tagged(&Value::Object(task.kwargs.clone())),
        "retries": task.retries,
        "eta": micros(task.eta),
        "expires": micros(task.expires),
        "response_key": task.response_key,
        "priority": task.priority,
        "origin": task.origin,
        "event_type": task.event_type(),
        "task_id": task.task_id(),
    });
    if let Some(request) = task.resource_request() {
        seen["request"] = json!({
            "response_key": request.response_key,
            "method": request.method.map(Method::as_str),
            "pk": request.pk,
            "user_id": request.user_id,
            "roles": request.roles,
            "query_string": request.query_string,
            "related_resource": request.related_resource,
            "relationship": request.relationship,
            "body": request.body.as_ref().map(tagged),
        });
    }
    if let Some(call) = task.call() {
        seen["call"] = json!({
            "key": call.key,
            "method": call.method.map(Method::as_str),
            "data": tagged(&call.data),
            "headers": tagged(&call.headers),
            "id": call.id,
            "response_key": call.response_key,
        });
    }
    seen
}

#[test]
fn messages_decode_as_in_python() {
    let (mut read, mut refused) = (0, 0);
    for (name, expectation) in of_kind(Kind::Message) {
        let (properties, body) = message(&vector(&name));
        let found = Task::decode(&properties, &body, &Limits::default());
        match (expectation.expect, expectation.refused) {
            (Some(mut expected), None) => {
                read += 1;
                let task = found.unwrap_or_else(|error| panic!("{name}: {error}"));
                let peeked = peek_event_type(&properties, &body);
                // What is plain to see is seen; escapes are left to the decoder.
                let plain = expected.as_object_mut().unwrap().remove("peek") == Some(json!(true));
                let escaped = name.ends_with("_unicode") && name.starts_with("celery");
                assert_eq!(peeked, task.event_type().filter(|_| plain && !escaped), "{name}");
                assert_eq!(seen(&task), expected, "{name}");
            }
            (None, Some(reason)) => {
                refused += 1;
                assert_eq!(found.expect_err(&name).reason(), reason, "{name}");
            }
            _ => panic!("{name} has no expectation"),
        }
    }
    assert_eq!((read, refused), (265, 18));
}

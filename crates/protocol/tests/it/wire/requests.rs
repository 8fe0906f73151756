//! The requests of zc_events, built again and compared with the originals.

use serde_json::{Value, json};
use zc_events_protocol::{EncodeOptions, Method, Query, ResourceRequest};

use super::load::{Kind, body_json, exclusion, message, of_kind, split, vector};

pub(crate) fn builds(name: &str) -> bool {
    split(name).is_some_and(|(_, about)| about.starts_with("rpc_") || about == "fetch_remote_resource")
        && exclusion(name).is_none()
}

fn build(about: &str) -> ResourceRequest {
    let order = || ResourceRequest::new("Order");
    let with_pk = |pk: Value| ResourceRequest { pk, ..order() };
    let with_query = |query: Query| ResourceRequest { query, ..order() };
    let query = Query::default;
    // `make_service_request`
    let service = || ResourceRequest { roles: vec!["service".to_owned()], priority: Some(5), ..order() };
    let document = json!({"data": {"type": "Order"}});
    match about {
        "rpc_get" => with_pk("23131024".into()),
        "rpc_get_int_pk" => with_pk(23_131_024.into()),
        "rpc_get_list_all" => order(),
        "rpc_get_async" => with_pk("1".into()),
        "rpc_get_data" => ResourceRequest { priority: Some(9), ..with_pk("1".into()) },
        "rpc_get_camel" => ResourceRequest { pk: 1.into(), ..ResourceRequest::new("OrderLineItem") },
        "rpc_get_include_page_size" => {
            let query = query().with("include", "company,items").with("page_size", 50);
            ResourceRequest { query, ..with_pk("1".into()) }
        }
        "rpc_get_pks_list" => with_query(query().with("filter[id__in]", "1,2,3")),
        "rpc_get_pks_set" => with_query(query().with("filter[id__in]", 7)),
        "rpc_get_query_params" => with_query(query().with("filter[name]", "café & co")),
        "rpc_get_related" => {
            ResourceRequest { related_resource: Some("items".to_owned()), user_id: "56".into(), ..with_pk("1".into()) }
        }
        "rpc_get_user_roles" => ResourceRequest {
            user_id: "56".into(),
            roles: vec!["user".to_owned(), "staff".to_owned()],
            ..with_pk("1".into())
        },
        "rpc_async" => ResourceRequest { method: Method::Delete, priority: Some(5), ..with_pk("1".into()) },
        "rpc_service_post" => {
            let body = json!({"data": {"type": "Order", "attributes": {"name": "x/y"}}});
            ResourceRequest { method: Method::Post, body, ..service() }
        }
        "rpc_service_patch" => ResourceRequest {
            pk: "1".into(),
            user_id: 56.into(),
            method: Method::Patch,
            query: query().with("a", 1),
            body: "raw string body".into(),
            ..service()
        },
        "fetch_remote_resource" => {
            ResourceRequest { pk: "1".into(), method: Method::Patch, body: document, ..service() }
        }
        other => panic!("no builder for {other}"),
    }
}

#[test]
fn requests_equal_pythons_bytes() {
    let mut compared = 0;
    for (name, _) in of_kind(Kind::Message) {
        if !builds(&name) {
            continue;
        }
        let (version, about) = split(&name).unwrap();
        let vector = vector(&name);
        let request = build(about);
        let encoded = request.encode(&EncodeOptions::default()).unwrap();
        let mut ours: Value = serde_json::from_slice(&encoded.body).unwrap();
        let mut original = body_json(&vector);

        for body in [&mut ours, &mut original] {
            assert_eq!(body["kwargs"]["task_id"], body["id"], "{name}");
            assert!(body["kwargs"]["response_key"].as_str().unwrap().starts_with("request-"), "{name}");
            assert_eq!(body["kwargs"]["response_key"].as_str().unwrap().len(), "request-".len() + 36, "{name}");
            body["id"] = json!(null);
            body["kwargs"]["task_id"] = json!(null);
            body["kwargs"]["response_key"] = json!(null);
        }
        // zc_events 0.1 says `id` for `pk`.
        if matches!(version, "v011" | "v0110") {
            let kwargs = original["kwargs"].as_object_mut().unwrap();
            let pk = kwargs.remove("id").unwrap();
            kwargs.insert("pk".to_owned(), pk);
        }
        // zc_events 0.1.1 sends the role `service` where later versions send no role.
        if version == "v011" && about.starts_with("rpc_get") {
            assert_eq!(original["kwargs"]["roles"], json!(["service"]), "{name}");
            original["kwargs"]["roles"] = json!(["anonymous"]);
        }
        assert_eq!(ours, original, "{name}");

        let (properties, _) = message(&vector);
        assert_eq!(encoded.properties.headers, None, "{name}");
        assert_eq!(encoded.properties.content_type, properties.content_type, "{name}");
        assert_eq!(encoded.properties.content_encoding, properties.content_encoding, "{name}");
        // zc_events 0.1 knows no priority.
        if !matches!(version, "v011" | "v0110") {
            assert_eq!(encoded.properties.priority, properties.priority, "{name}");
        }
        compared += 1;
    }
    assert_eq!(compared, 54);
}

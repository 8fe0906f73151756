//! JSON:API documents, read by name and into types. Input: the text of the document.

use std::collections::BTreeMap;
use std::fmt::{Debug, Display};

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use zc_events_protocol::resource::{Document, Identifier, PrimaryData, RemoteResource, ResourceError};

/// A string that contains this is secret: no error and no `Debug` may show it.
const SECRET: &str = "hush";

/// A type with a field for every case that deserialization treats differently.
#[derive(Deserialize)]
#[allow(dead_code)]
struct Order {
    id: u64,
    #[serde(rename = "type")]
    type_: Option<String>,
    name: String,
    total_cents: i64,
    created_at: Option<String>,
    #[serde(default)]
    lines: Vec<Line>,
    company: Option<u64>,
    customer: Option<Identifier>,
}

#[derive(Deserialize)]
#[allow(dead_code)]
struct Line {
    price: f32,
    count: u8,
    kind: Option<Kind>,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(dead_code)]
enum Kind {
    Food,
    Drink { litres: f64 },
    Other(String),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(dead_code)]
struct Strict {
    name: Option<String>,
    #[serde(default)]
    lines: Vec<Line>,
}

#[derive(Deserialize)]
#[allow(dead_code)]
enum Thing {
    Order(Order),
    Company(Strict),
}

#[derive(Deserialize)]
#[allow(dead_code)]
struct Flat {
    name: Option<String>,
    #[serde(flatten)]
    rest: BTreeMap<String, Value>,
}

/// A recursive type, with relationships.
#[derive(Deserialize)]
#[allow(dead_code)]
struct Node {
    name: Option<String>,
    company: Option<Box<Node>>,
    #[serde(default)]
    items: Vec<Node>,
}

/// Reads a document, writes and reads it again, follows its relationships, and deserializes it into types. Neither an
/// error nor `Debug` shows a value.
pub fn run(data: &[u8]) {
    let Ok(value) = serde_json::from_slice::<Value>(data) else { return };
    let quiet = Quiet::new(&value);
    let document = match Document::from_value(value) {
        Ok(document) => document,
        Err(error) => return quiet.shows_none(&error),
    };
    quiet.check(&document);
    let written = document.to_value();
    match Document::from_value(written) {
        Ok(again) => assert!(again == document, "it was written and read again, and changed"),
        Err(error) => panic!("what was written is refused: {error}"),
    }
    let _ = (document.next_link(), document.prev_link(), document.first_link(), document.last_link());
    for error in &document.errors {
        let _ = error.status_code();
    }
    let index = document.index();
    for object in document.data.items() {
        for name in object.relationships.keys() {
            quiet.check(&document.related(object, name));
            quiet.check(&index.related(object, name));
        }
    }
    for resource in document.remote_resources().unwrap_or_default() {
        walk(&resource, 2);
    }
    read_as::<Node>(&document, &quiet);
    read_as::<Value>(&document, &quiet);
    read_as::<Order>(&document, &quiet);
    read_as::<Strict>(&document, &quiet);
    read_as::<Thing>(&document, &quiet);
    read_as::<Flat>(&document, &quiet);
    read_as::<BTreeMap<String, Value>>(&document, &quiet);
    read_as::<(u8, String)>(&document, &quiet);
    read_as::<()>(&document, &quiet);
}

/// Reads all attributes and relationships of a resource by name, and of related resources.
fn walk(resource: &RemoteResource<'_>, steps: usize) {
    let _ = (resource.id(), resource.type_(), resource.link("related"), &resource["name"]);
    let Some(object) = resource.object().filter(|_| steps > 0) else { return };
    for name in object.attributes.keys() {
        assert!(resource.get(name).is_some(), "an attribute is not found by its name");
    }
    for name in object.relationships.keys() {
        walk(&resource.related(name), steps - 1);
        resource.related_list(name).iter().for_each(|other| walk(other, steps - 1));
    }
}

fn read_as<T: DeserializeOwned>(document: &Document, quiet: &Quiet) {
    let one = document.resource::<T>();
    let many = document.resources::<T>();
    // Both ways ask the same of the same resource.
    if let PrimaryData::One(_) = document.data {
        assert_eq!(one.is_ok(), many.is_ok());
        assert_eq!(one.is_ok(), document.attributes::<T>().is_ok());
    }
    for error in [one.err(), many.err()].into_iter().flatten() {
        quiet.shows_none(&error);
        if let ResourceError::Field(field) = &error {
            let _ = (field.type_(), field.id());
        }
    }
}

/// Whether the document has secrets only in values, which must not be shown.
struct Quiet(bool);

impl Quiet {
    fn new(value: &Value) -> Self {
        Quiet(!names_a_secret(value))
    }

    fn shows_none<T: Display + Debug>(&self, what: &T) {
        self.check(what);
        assert!(!self.0 || !what.to_string().contains(SECRET), "a value is shown: {what}");
        assert!(!what.to_string().chars().any(char::is_control), "{what:?}");
    }

    fn check<T: Debug>(&self, what: &T) {
        assert!(!self.0 || !format!("{what:?}").contains(SECRET), "a value is shown: {what:?}");
    }
}

/// Whether a name contains the secret, or the id or type of a resource, or the kind of an error. Those are shown.
fn names_a_secret(value: &Value) -> bool {
    let has = |value: &Value| value.to_string().contains(SECRET);
    match value {
        Value::Array(items) => items.iter().any(names_a_secret),
        Value::Object(members) => members.iter().any(|(name, member)| {
            name.to_lowercase().contains(SECRET)
                || (matches!(name.as_str(), "id" | "type" | "status" | "code") && has(member))
                || names_a_secret(member)
        }),
        _ => false,
    }
}

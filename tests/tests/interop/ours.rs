//! What a service of ours does in these tests: keeps what it was given.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use integration_tests::python::PATIENCE;
use integration_tests::{broker_url, eventually};
use serde_json::{Value, json};
use zc_events::{Context, EventClient, HandlerError, Service, ServiceBuilder};

/// What handlers were given, in the order of their beginning.
#[derive(Clone, Default)]
pub(crate) struct Seen(Arc<Mutex<Vec<Value>>>);

impl Seen {
    pub(crate) fn push(&self, what: Value) {
        self.locked().push(what);
    }

    /// All of it, once it is so much.
    #[track_caller]
    pub(crate) fn after(&self, count: usize) -> Vec<Value> {
        eventually(PATIENCE, || self.locked().len() >= count);
        self.locked().clone()
    }

    pub(crate) fn count(&self) -> usize {
        self.locked().len()
    }

    /// The one with this id, once it is there.
    #[track_caller]
    pub(crate) fn of_id(&self, id: &str) -> Value {
        eventually(PATIENCE, || self.locked().iter().find(|seen| seen["id"] == id).cloned())
    }

    /// A handler that keeps what it is given, under the names that the Python side uses.
    pub(crate) fn handler(
        &self,
    ) -> impl Fn(&Context, Value) -> Result<(), HandlerError> + Send + Sync + 'static + use<> {
        let seen = self.clone();
        move |context: &Context, kwargs: Value| {
            seen.push(json!({
                "id": context.id(), "task_id": context.task_id(), "root_id": context.root_id(),
                "parent_id": context.parent_id(), "args": context.args(), "kwargs": kwargs,
                "redelivered": context.is_redelivered(), "attempt": context.attempt(),
            }));
            Ok(())
        }
    }

    fn locked(&self) -> MutexGuard<'_, Vec<Value>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A service of ours that handles `seen` and keeps it.
pub(crate) fn listening(client: &EventClient) -> (ServiceBuilder, Seen) {
    let seen = Seen::default();
    (Service::builder(client).on("seen", seen.handler()), seen)
}

/// The reasons of a service's dead letters and their bodies, in their order. They are taken out.
pub(crate) fn dead_letters(client: &EventClient) -> Vec<(String, Vec<u8>)> {
    let mut connection = amiquip::Connection::insecure_open(&broker_url()).unwrap();
    let channel = connection.open_channel(None).unwrap();
    let queue = format!("{}-events.dead", client.settings().service_name().unwrap());
    let mut letters = Vec::new();
    while let Some(letter) = channel.basic_get(queue.as_str(), true).unwrap() {
        let headers = letter.delivery.properties.headers().clone().unwrap();
        let Some(amiquip::AmqpValue::LongString(reason)) = headers.get("x-zc-reason") else { panic!("{headers:?}") };
        letters.push((reason.clone(), letter.delivery.body));
    }
    connection.close().unwrap();
    letters
}

/// A file of the captured vectors.
pub(crate) fn vector(name: &str) -> Value {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../crates/protocol/tests/vectors").join(name);
    let text = std::fs::read(path.with_extension("json")).unwrap_or_else(|error| panic!("{name}: {error}"));
    serde_json::from_slice(&text).unwrap()
}

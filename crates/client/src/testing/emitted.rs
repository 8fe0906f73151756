//! What was sent, for a test to look at.

use std::fmt;

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use zc_events_protocol::resource::fit;
use zc_events_protocol::{Limits, Task, names};
use zc_events_transport::memory::Published;

use crate::{Error, Result};

/// Which kind of message it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Kind {
    /// An event.
    Event,
    /// A request for a resource.
    Request,
    /// A call by key.
    Call,
    /// A notification, on its own exchange.
    Notification,
}

/// A message that was sent to one of the exchanges, as its receivers read it.
#[derive(Clone)]
pub struct Emitted {
    task: Task,
    published: Published,
}

impl Emitted {
    /// `None` where it went straight to a queue, or is not to be read.
    pub(super) fn of(published: &Published) -> Option<Self> {
        if published.exchange().is_empty() {
            return None;
        }
        let task = Task::decode(published.properties(), published.body(), &Limits::default()).ok()?;
        Some(Self { task, published: published.clone() })
    }

    /// Which kind it is.
    #[must_use]
    pub fn kind(&self) -> Kind {
        if self.task.task == names::NOTIFICATION_TASK {
            Kind::Notification
        } else if self.task.call().is_some() {
            Kind::Call
        } else if self.task.kwargs.contains_key("response_key") {
            Kind::Request
        } else {
            Kind::Event
        }
    }

    /// The type of the event, such as `order_created` or `order_request`; the key of a call.
    #[must_use]
    pub fn event_type(&self) -> &str {
        self.task.event_type().unwrap_or_default()
    }

    /// The id of its envelope.
    #[must_use]
    pub fn id(&self) -> Option<&str> {
        self.task.id.as_deref()
    }

    /// The positional arguments behind the event type.
    #[must_use]
    pub fn args(&self) -> &[Value] {
        self.task.args.get(1..).unwrap_or_default()
    }

    /// The keyword arguments, `task_id` among them.
    #[must_use]
    pub fn kwargs(&self) -> &Map<String, Value> {
        &self.task.kwargs
    }

    /// The keyword arguments without `task_id` as a `T`, as a handler gets them; of a call, its data.
    ///
    /// # Errors
    /// [`Error::Decode`], with the field that does not fit.
    pub fn payload<T: DeserializeOwned>(&self) -> Result<T> {
        let payload = match self.task.call() {
            Some(call) => call.data,
            None => {
                let mut kwargs = self.task.kwargs.clone();
                kwargs.remove("task_id");
                Value::Object(kwargs)
            }
        };
        fit(&payload).map_err(|misfit| Error::decode(&format!("the payload of `{}`", self.event_type()), misfit))
    }

    /// How urgent it is.
    #[must_use]
    pub fn priority(&self) -> Option<u8> {
        self.published.properties().priority
    }

    /// The exchange it was sent to.
    #[must_use]
    pub fn exchange(&self) -> &str {
        self.published.exchange()
    }

    /// The routing key: empty, or that of a notification's channel.
    #[must_use]
    pub fn routing_key(&self) -> &str {
        self.published.routing_key()
    }

    /// The id of the message in whose handler it was sent.
    #[must_use]
    pub fn parent_id(&self) -> Option<&str> {
        self.task.parent_id.as_deref()
    }
}

impl fmt::Debug for Emitted {
    /// Without what it says, which may be secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Emitted")
            .field("kind", &self.kind())
            .field("event_type", &self.event_type())
            .field("id", &self.id())
            .finish_non_exhaustive()
    }
}

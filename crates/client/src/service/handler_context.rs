//! What a handler is told beside the payload. `request_body` and `pagination` add what a view reads of its request.

use std::fmt;
use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use zc_events_protocol::{Channel, Deadline, IncomingCall, IncomingRequest, PayloadError, Query, Task};

use super::engine::InboundMessage;
use super::handler_error::HandlerError;
use super::kind::TaskKind;
use crate::{Error, EventClient, Jwt, Result};

/// The circumstances of an event or a request.
pub struct Context {
    pub(super) client: EventClient,
    pub(super) message: Arc<InboundMessage>,
    pub(super) kind: TaskKind,
    pub(super) channel: Option<Channel>,
    pub(super) request: Option<IncomingRequest>,
    pub(super) call: Option<IncomingCall>,
    /// Under which name the resource is served.
    pub(super) resource: Option<String>,
    pub(super) query: Query,
    pub(super) roles: Vec<String>,
    pub(super) redelivered: bool,
    pub(super) attempt: u32,
    pub(super) deadline: Deadline,
}

impl Context {
    /// What the message says. It could be read, or there would be no handler to tell.
    fn task(&self) -> Option<&Task> {
        self.message.task().ok()
    }

    /// The keyword arguments as a `T`.
    pub(super) fn payload<T: DeserializeOwned>(&self) -> Result<T, PayloadError> {
        self.message.payload()
    }

    /// The client, for what the handler emits or asks itself.
    #[must_use]
    pub fn client(&self) -> &EventClient {
        &self.client
    }

    /// The type of the event, such as `order_created` or `order_request`; the key of a call.
    #[must_use]
    pub fn event_type(&self) -> &str {
        self.task().and_then(Task::event_type).unwrap_or_default()
    }

    /// Whether this is a notification, and no event.
    #[must_use]
    pub fn is_notification(&self) -> bool {
        self.kind == TaskKind::Notification
    }

    /// The channel of a notification. `None` where the sender did not tell: Celery's router of the Python library
    /// publishes notifications for all channels alike.
    #[must_use]
    pub fn channel(&self) -> Option<Channel> {
        self.channel
    }

    /// The id of the message. The same message, delivered twice, has the same id.
    #[must_use]
    pub fn id(&self) -> Option<&str> {
        self.task()?.id.as_deref()
    }

    /// The `task_id` that the sender gave it; the message's id as a rule.
    #[must_use]
    pub fn task_id(&self) -> Option<&str> {
        self.task()?.task_id()
    }

    /// The positional arguments behind the event type.
    #[must_use]
    pub fn args(&self) -> &[Value] {
        self.task().and_then(|task| task.args.get(1..)).unwrap_or_default()
    }

    /// `resource_type`, where the event is about a resource.
    #[must_use]
    pub fn resource_type(&self) -> Option<&str> {
        self.task()?.kwargs.get("resource_type").and_then(Value::as_str)
    }

    /// `resource_id`, where the event is about a resource.
    #[must_use]
    pub fn resource_id(&self) -> Option<&Value> {
        self.task()?.kwargs.get("resource_id")
    }

    /// On whose behalf; not null. In a call that is a header of it, as Python has it.
    #[must_use]
    pub fn user_id(&self) -> Option<&Value> {
        let of_call = || self.call.as_ref()?.headers.get("user_id");
        self.task()?.kwargs.get("user_id").or_else(of_call).filter(|id| !id.is_null())
    }

    /// With which roles: those of a request, and of a call the header `roles`.
    #[must_use]
    pub fn roles(&self) -> &[String] {
        &self.roles
    }

    /// Whether that role is among them.
    #[must_use]
    pub fn has_role(&self, role: &str) -> bool {
        self.roles.iter().any(|own| own == role)
    }

    /// The name under which the resource is served that was asked for, as
    /// [`ServiceBuilder::resource`](crate::ServiceBuilder::resource) got it.
    #[must_use]
    pub fn resource_name(&self) -> Option<&str> {
        self.resource.as_deref()
    }

    /// A JSON web token that says who asks: roles, and the user where there is one, as the Python services have it in
    /// the requests that their views get. Signed with `SECRET_KEY`, without an end.
    ///
    /// # Errors
    /// [`Error::Config`](crate::Error::Config) without a `SECRET_KEY`.
    pub fn jwt(&self) -> Result<String> {
        #[derive(Serialize)]
        struct Caller<'a> {
            roles: &'a [String],
            #[serde(skip_serializing_if = "Option::is_none")]
            id: Option<&'a Value>,
        }
        // Python leaves out whatever is false to it.
        let is_someone = |id: &&Value| **id != "" && **id != false && id.as_f64() != Some(0.0);
        self.client.sign_jwt(&Caller { roles: self.roles(), id: self.user_id().filter(is_someone) })
    }

    /// Checks a token that came along, in a header of a call or in the payload, say; see
    /// [`EventClient::verify_jwt`](crate::EventClient::verify_jwt).
    ///
    /// # Errors
    /// One with status 401 where the token is not accepted, which says why; one without a status where there is no
    /// `SECRET_KEY`.
    pub fn verify_jwt(&self, token: &str) -> Result<Jwt, HandlerError> {
        self.client.verify_jwt(token).map_err(|error| match error {
            Error::Token { .. } => HandlerError::with_status(401, error.to_string())
                .kind("AuthenticationFailed")
                .code("authentication_failed"),
            other => other.into(),
        })
    }

    /// The request, where this is one: query, body and the rest.
    #[must_use]
    pub fn request(&self) -> Option<&IncomingRequest> {
        self.request.as_ref()
    }

    /// The call, where this is one: method, headers and the rest.
    #[must_use]
    pub fn call(&self) -> Option<&IncomingCall> {
        self.call.as_ref()
    }

    /// The id of the message that began it all, which nested events and requests carry on.
    /// This message's own, where it has no other.
    #[must_use]
    pub fn root_id(&self) -> Option<&str> {
        let task = self.task()?;
        task.root_id.as_deref().or(task.id.as_deref())
    }

    /// The id of the message in whose handler this one was sent.
    #[must_use]
    pub fn parent_id(&self) -> Option<&str> {
        self.task()?.parent_id.as_deref()
    }

    /// Which attempt this is, from 1. A worker that vanished while it handled nothing else counts as one.
    #[must_use]
    pub fn attempt(&self) -> u32 {
        self.attempt
    }

    /// When the handler must have ended: when its caller gives up, where that is told, and
    /// at the latest when it would count as stuck (`EVENTS_HANDLER_TIMEOUT`). What it asks
    /// other services through [`Context::client`] ends by then as well; what it emits does not.
    #[must_use]
    pub fn deadline(&self) -> Deadline {
        self.deadline
    }

    /// Whether it may have been handled before, in part or wholly: the broker says that it
    /// was delivered before, or this is not the first attempt.
    #[must_use]
    pub fn is_redelivered(&self) -> bool {
        self.redelivered
    }
}

impl fmt::Debug for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Context")
            .field("task", &self.task())
            .field("redelivered", &self.redelivered)
            .field("attempt", &self.attempt)
            .finish_non_exhaustive()
    }
}

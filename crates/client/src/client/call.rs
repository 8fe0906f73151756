//! Calling a function of another service by its key.

use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Map;
use zc_events_protocol::resource::deserialize;
use zc_events_protocol::{Call, CallReply, Limits, Method};

use super::pending::{Pending, Read, Sent};
use super::{EmitReceipt, EventClient, To};
use crate::log_fields::EventFields;
use crate::{Error, Result};

/// A call by key, in the making; see [`EventClient::get`] and its like.
///
/// ```
/// # use zc_events::{Context, EventClient, Service, Settings};
/// # let settings = Settings::builder().broker_url("memory://").events_redis_url("memory://").staging_name("test").service_name("sums").build()?;
/// # let client = EventClient::new(settings)?;
/// let service = Service::builder(&client)
///     .call("add", |_: &Context, (x, y): (i64, i64)| Ok(x + y))
///     .start()?;
/// let sum: i64 = client.post("add").data((2, 3))?.fetch()?;
/// assert_eq!(sum, 5);
/// // Sent now, waited for when the answer is needed.
/// let pending = client.post("add").data((20, 3))?.send::<i64>()?;
/// assert_eq!(pending.wait()?, 23);
/// # Ok::<(), zc_events::Error>(())
/// ```
#[derive(Clone, Debug)]
#[must_use = "a call does nothing until it is sent or fetched"]
pub struct CallRequest {
    client: EventClient,
    call: Call,
    timeout: Duration,
}

impl CallRequest {
    pub(super) fn new(client: EventClient, key: &str, method: Method) -> Self {
        let timeout = client.settings().timeout;
        Self { client, call: Call::new(key, method), timeout }
    }

    /// What the function gets; `{}` unless set.
    ///
    /// # Errors
    /// [`Error::Encode`]: it cannot be written as JSON.
    pub fn data<T: Serialize>(mut self, data: T) -> Result<Self> {
        self.call = self.call.data(data)?;
        Ok(self)
    }

    /// What the function gets beside the data; `{}` unless set.
    ///
    /// # Errors
    /// As for [`CallRequest::data`].
    pub fn headers<T: Serialize>(mut self, headers: T) -> Result<Self> {
        self.call = self.call.headers(headers)?;
        Ok(self)
    }

    /// The priority in the other services' queues, 0 to 10; 9 unless set, and 0 where nobody waits, as in Python.
    pub fn priority(mut self, priority: u8) -> Self {
        self.call = self.call.priority(priority);
        self
    }

    /// How long to wait for the answer, from sending on; `EVENTS_TIMEOUT` unless set.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Sends the call and waits for what the function returns.
    ///
    /// # Errors
    /// As for [`CallRequest::send`] and [`Pending::wait`].
    pub fn fetch<T: DeserializeOwned + 'static>(self) -> Result<T> {
        self.send()?.wait()
    }

    /// Sends the call, to be waited for later. It is transient, as
    /// [`RemoteRequest::send`](super::RemoteRequest::send) says.
    ///
    /// # Errors
    /// As for [`EventClient::emit`]; and [`Error::Config`] without an `EVENTS_REDIS_URL`.
    pub fn send<T: DeserializeOwned + 'static>(self) -> Result<Pending<T>> {
        let Self { client, call, timeout } = self;
        // One that was cloned before is another call.
        let call = call.renewed();
        let metered = client.track_request(call.key());
        let handed = hand_over(&client, &call, timeout);
        let what = format!("the call of `{}`", call.key());
        let key = call.response_key().unwrap_or_default().to_owned();
        Pending::of(
            client,
            what,
            key,
            metered,
            handed,
            Arc::new(ReadCall { key: call.key().to_owned(), result: PhantomData }),
        )
    }

    /// Sends the call where no answer is wanted, and waits until it is confirmed, as
    /// [`EventClient::emit`] does. Nothing is heard of what the function returns; where it
    /// fails, its service tries it again, as it does with events.
    ///
    /// # Errors
    /// As for [`EventClient::emit`].
    #[doc(alias = "call_no_wait")]
    #[doc(alias = "delete_no_wait")]
    #[doc(alias = "post_no_wait")]
    #[doc(alias = "put_no_wait")]
    pub fn no_wait(self) -> Result<()> {
        self.start_no_wait()?.wait()
    }

    /// [`CallRequest::no_wait`], whose confirm is waited for later.
    ///
    /// # Errors
    /// As for [`EventClient::start_emit`].
    pub fn start_no_wait(self) -> Result<EmitReceipt> {
        let call = self.call.renewed().no_wait();
        let about = Map::new();
        let about = EventFields { event_type: call.key(), task_id: Some(call.id()), kwargs: &about };
        self.client.hand_over_event(To::Events, &about, |options| Ok(call.encode(options)?))
    }
}

fn hand_over(client: &EventClient, call: &Call, timeout: Duration) -> Result<Sent> {
    let (options, deadline) = client.request_options(timeout)?;
    let encoded = call.encode(&options)?;
    let about = EventFields { event_type: call.key(), task_id: Some(call.id()), kwargs: &Map::new() };
    client.hand_over_request(&about, &encoded, deadline)
}

/// Reads the answer to a call.
struct ReadCall<T> {
    key: String,
    result: PhantomData<fn() -> T>,
}

impl<T: DeserializeOwned> Read<T> for ReadCall<T> {
    fn read(&self, bytes: &[u8], limits: &Limits) -> Result<T> {
        let unreadable = |error| Error::decode(&format!("the answer to the call of `{}`", self.key), error);
        let reply = CallReply::decode(bytes, limits).map_err(unreadable)?;
        if reply.is_error() {
            return Err(Error::failed_call(&self.key, &reply));
        }
        deserialize(&reply.data)
            .map_err(|error| Error::decode(&format!("the answer to the call of `{}`", self.key), error))
    }
}

impl EventClient {
    /// Calls the function with this key, with the method GET.
    pub fn get(&self, key: &str) -> CallRequest {
        self.call(key, Method::Get)
    }

    /// Calls the function with this key, with the method PUT.
    pub fn put(&self, key: &str) -> CallRequest {
        self.call(key, Method::Put)
    }

    /// Calls the function with this key, with the method POST.
    pub fn post(&self, key: &str) -> CallRequest {
        self.call(key, Method::Post)
    }

    /// Calls the function with this key, with the method DELETE.
    pub fn delete(&self, key: &str) -> CallRequest {
        self.call(key, Method::Delete)
    }

    /// Calls the function with this key. The method is told to it, and means what both ends
    /// agree on. Python's `call` is the one with POST.
    pub fn call(&self, key: &str, method: Method) -> CallRequest {
        CallRequest::new(self.clone(), key, method)
    }
}

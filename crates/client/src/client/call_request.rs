//! Calls of functions of other services, by key.

use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Map;
use zc_events_protocol::resource::deserialize;
use zc_events_protocol::{Call, CallReply, Limits, Method};

use super::emit::EmitReceipt;
use super::pending::{Pending, Read};
use super::sent_request::SentRequest;
use super::{EventClient, To};
use crate::log_fields::EventFields;
use crate::{Error, Result};

/// A call of a function by key; see [`EventClient::call`].
///
/// To fetch a resource instead, see [`RemoteRequest`](crate::RemoteRequest).
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
/// // Send now and wait for the result later.
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

impl EventClient {
    /// Calls the function with this key, with the method GET. It fetches no resource: for that, see
    /// [`EventClient::get_remote_resource`] and [`EventClient::remote`].
    pub fn get(&self, key: &str) -> CallRequest {
        self.call(key, Method::Get)
    }

    /// Calls the function with this key, with the method PUT. It changes no resource: for that, see
    /// [`EventClient::remote`].
    pub fn put(&self, key: &str) -> CallRequest {
        self.call(key, Method::Put)
    }

    /// Calls the function with this key, with the method POST. It creates no resource: for that, see
    /// [`EventClient::remote`].
    pub fn post(&self, key: &str) -> CallRequest {
        self.call(key, Method::Post)
    }

    /// Calls the function with this key, with the method DELETE. It deletes no resource: for that, see
    /// [`EventClient::remote`].
    pub fn delete(&self, key: &str) -> CallRequest {
        self.call(key, Method::Delete)
    }

    /// Calls the function with this key. It fetches no resource: for that, see [`EventClient::remote`].
    ///
    /// The function receives the method; caller and function agree on its meaning. Python's `call` uses POST.
    pub fn call(&self, key: &str, method: Method) -> CallRequest {
        let timeout = self.settings().timeout;
        CallRequest { client: self.clone(), call: Call::new(key, method), timeout }
    }
}

impl CallRequest {
    /// Sets the data that the function receives; `{}` by default.
    ///
    /// # Errors
    /// [`Error::Encode`]: the data cannot be written as JSON.
    pub fn data<T: Serialize>(mut self, data: T) -> Result<Self> {
        self.call = self.call.data(data)?;
        Ok(self)
    }

    /// Sets the headers that the function receives besides the data; `{}` by default.
    ///
    /// # Errors
    /// As for [`CallRequest::data`].
    pub fn headers<T: Serialize>(mut self, headers: T) -> Result<Self> {
        self.call = self.call.headers(headers)?;
        Ok(self)
    }

    /// Sets the priority in the queues of the other services, 0 to 10. By default it is 9, and 0 for a call without an
    /// answer, as in Python.
    pub fn priority(mut self, priority: u8) -> Self {
        self.call = self.call.priority(priority);
        self
    }

    /// Sets how long to wait for the answer, counted from sending; `EVENTS_TIMEOUT` by default.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Sends the call and waits for the result of the function.
    ///
    /// # Errors
    /// As for [`CallRequest::send`] and [`Pending::wait`].
    pub fn fetch<T: DeserializeOwned + 'static>(self) -> Result<T> {
        self.send()?.wait()
    }

    /// Sends the call. Wait for the result later, with [`Pending::wait`]. The call is transient: the broker drops it after
    /// the timeout.
    ///
    /// # Errors
    /// As for [`EventClient::emit`]; and [`Error::Config`] without an `EVENTS_REDIS_URL`.
    pub fn send<T: DeserializeOwned + 'static>(self) -> Result<Pending<T>> {
        let Self { client, call, timeout } = self;
        // A clone of a call that was sent is a new call.
        let call = call.renewed();
        let tracked = client.track_request(call.key());
        let sent = send(&client, &call, timeout);
        let what = format!("the call of `{}`", call.key());
        let response_key = call.response_key().unwrap_or_default().to_owned();
        let read = ReadResult { key: call.key().to_owned(), result: PhantomData };
        Pending::of(client, what, response_key, tracked, sent, Arc::new(read))
    }

    /// Sends the call without waiting for a result. Waits until the broker confirms it, as [`EventClient::emit`] does. If
    /// the function fails, its service retries it like an event.
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

    /// Sends the call without waiting for a result. Wait for the confirm later, with [`EmitReceipt::wait`].
    ///
    /// # Errors
    /// As for [`EventClient::start_emit`].
    pub fn start_no_wait(self) -> Result<EmitReceipt> {
        let call = self.call.renewed().no_wait();
        let kwargs = Map::new();
        let about = EventFields { event_type: call.key(), task_id: Some(call.id()), kwargs: &kwargs };
        self.client.hand_over_event(To::Events, &about, |options| Ok(call.encode(options)?))
    }
}

fn send(client: &EventClient, call: &Call, timeout: Duration) -> Result<SentRequest> {
    let (options, deadline) = client.request_options(timeout)?;
    let encoded = call.encode(&options)?;
    let about = EventFields { event_type: call.key(), task_id: Some(call.id()), kwargs: &Map::new() };
    client.hand_over_request(&about, &encoded, deadline)
}

/// Reads the answer to a call: the result of the function.
struct ReadResult<T> {
    key: String,
    result: PhantomData<fn() -> T>,
}

impl<T: DeserializeOwned> Read<T> for ReadResult<T> {
    fn read(&self, bytes: &[u8], limits: &Limits) -> Result<T> {
        let what = || format!("the answer to the call of `{}`", self.key);
        let reply = CallReply::decode(bytes, limits).map_err(|error| Error::decode(&what(), error))?;
        if reply.is_error() {
            return Err(Error::failed_call(&self.key, &reply));
        }
        deserialize(&reply.data).map_err(|error| Error::decode(&what(), error))
    }
}

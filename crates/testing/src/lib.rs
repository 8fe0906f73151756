//! Tests of services and clients, without a broker, a store, or a clock: nothing has to be installed, and nothing
//! sleeps.
//!
//! A [`Fleet`] is one broker, one reply store and one content store in memory, with a clock that stands still. Clients made by it work as
//! any others do; so do services made from them. Remote services are stood in for by [`Expectation`]s. What was sent
//! is recorded ([`Fleet::emitted`]), and what became of it, too ([`Fleet::endings`]).
//!
//! **Time** passes when the test says so ([`Fleet::advance`]), and while the test itself waits (for an answer, for
//! [`Fleet::until`]) and nothing else is left to do: a request that nobody answers ends at its deadline at once, and a
//! retry in an hour needs no hour. [`Fleet::settle`] waits until all that can be done now is done.
//!
//! What is awaited outside of handlers counts as the test's, on whichever thread: one that waits for messages in a loop lets
//! time run.
//!
//! **At its end** a fleet fails the test where something that was expected has not come, or something came that was not.
//!
//! ```
//! use serde_json::json;
//! use std::time::Duration;
//! use zc_events_testing::{Ending, Expectation, Fleet};
//! use zc_events::{Context, Event, Service};
//!
//! #[derive(serde::Deserialize)]
//! struct OrderCreated {
//!     resource_id: u64,
//! }
//!
//! #[derive(serde::Deserialize)]
//! struct Order {
//!     name: String,
//! }
//!
//! // What is to be tested: tells the kitchen of each order.
//! fn kitchen(client: &zc_events::EventClient) -> zc_events::ServiceBuilder {
//!     Service::builder(client).on("order_created", |context: &Context, event: OrderCreated| {
//!         let order: Order = context.client().get_remote_resource("Order", event.resource_id)?;
//!         Ok(context.client().emit(&Event::new("ticket_printed").set("title", order.name)?)?)
//!     })
//! }
//!
//! let fleet = Fleet::new();
//! let service = kitchen(&fleet.client("kitchen")).start()?;
//! let order = json!({"data": {"type": "Order", "id": "5", "attributes": {"name": "Lunch"}}});
//! // At first the other service has trouble.
//! fleet.expect(Expectation::get("Order").pk(5).status(503));
//! fleet.expect(Expectation::get("Order").pk(5).answer(200, order));
//!
//! let event = Event::new("order_created").resource("Order", 5);
//! fleet.client("shop").emit(&event)?;
//! fleet.settle();
//! assert_eq!(fleet.endings(&event), [Ending::Retried]);
//! assert!(fleet.emitted("ticket_printed").is_empty());
//!
//! fleet.advance(Duration::from_secs(60));
//! assert_eq!(fleet.endings(&event), [Ending::Retried, Ending::Handled]);
//! assert_eq!(fleet.emitted("ticket_printed")[0].kwargs()["title"], "Lunch");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Against real servers a [`Stub`] stands in for remote services with the same [`Expectation`]s.

mod current_message;
mod expectation;
mod expectation_format;
mod expectations;
mod faults;
mod fleet;
mod harness;
mod quiescence;
mod received_request;
mod reply;
mod settled_message;
mod stub;
mod stub_queue;
mod time;

pub use expectation::Expectation;
pub use expectations::Answers;
pub use fleet::Fleet;
pub use settled_message::{Ended, Ending};
pub use stub::{Stub, StubLine};
pub use zc_events_transport::memory::SendFault;

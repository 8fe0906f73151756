//! Order per resource: events about one order are applied in the order in which they happened, though several workers
//! handle events side by side, retries overtake, and the broker may deliver again.
//!
//! ```text
//! cargo test --example ordered
//! ```
//!
//! A queue keeps the order of what lies in it, and that is all: two workers may take two events of one order at once, and
//! one that failed comes back after those behind it. `workers(1)` does not help against the second. What helps is a
//! number in each event (`version`, counted up by the sender in the transaction that changes the order), and a receiver that
//! knows the last one it has applied:
//!
//! - the next one is applied;
//! - an earlier one was applied before (a duplicate), and is done with;
//! - a later one waits: `retry_after`, until those before it are there, or until its attempts are used up, when it is
//!   a dead letter that somebody looks at.
//!
//! Where only the latest state counts, it is simpler: apply what is newer, ignore what is older, never wait.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde::Deserialize;
use zc_events::{Context, EventClient, HandlerError, Retry, Service, ServiceBuilder};

/// How long one that has come too early waits.
const EARLY: Duration = Duration::from_secs(2);

#[derive(Deserialize)]
struct OrderChanged {
    resource_id: u64,
    version: u64,
    status: String,
}

/// An order, as far as this service knows it. In a database it is a row, and its lock is the row's.
#[derive(Default)]
struct Order {
    version: u64,
    statuses: Vec<String>,
}

type Orders = Arc<Mutex<HashMap<u64, Order>>>;

fn service(client: &EventClient, orders: &Orders) -> ServiceBuilder {
    let orders = Arc::clone(orders);
    Service::builder(client)
        .on("order_changed", move |_: &Context, event: OrderChanged| {
            let mut orders = orders.lock().unwrap_or_else(PoisonError::into_inner);
            let order = orders.entry(event.resource_id).or_default();
            if event.version <= order.version {
                return Ok(());
            }
            if event.version > order.version + 1 {
                let text = format!("version {} has come, {} is applied", event.version, order.version);
                return Err(HandlerError::new(text).retry_after(EARLY));
            }
            order.version = event.version;
            order.statuses.push(event.status);
            Ok(())
        })
        .retry(Retry::attempts(20))
}

fn main() -> zc_events::Result<()> {
    let client = EventClient::from_env()?;
    service(&client, &Orders::default()).start()?.run_until_signal()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use zc_events::Event;
    use zc_events::testing::{Ending, Fleet};

    use super::*;

    fn changed(order: u64, version: u64, status: &str) -> Event {
        let event = Event::new("order_changed").resource("Order", order);
        event.set("version", version).unwrap().set("status", status).unwrap()
    }

    fn statuses(orders: &Orders, order: u64) -> Vec<String> {
        orders.lock().unwrap()[&order].statuses.clone()
    }

    #[test]
    fn events_of_one_order_are_applied_in_order_whatever_their_order() {
        let (fleet, orders) = (Fleet::new(), Orders::default());
        let _service = service(&fleet.client("orders"), &orders).start().unwrap();
        let shop = fleet.client("shop");
        let events =
            [changed(5, 3, "delivered"), changed(5, 1, "created"), changed(6, 1, "created"), changed(5, 2, "cooked")];
        events.iter().for_each(|event| shop.emit(event).unwrap());
        for event in &events {
            assert_eq!(fleet.until_ended(event), [Ending::Handled]);
        }
        assert_eq!(statuses(&orders, 5), ["created", "cooked", "delivered"]);
        // Another order does not wait.
        assert_eq!(fleet.endings(&events[2]), [Ending::Handled]);
    }

    #[test]
    fn what_comes_again_is_applied_once() {
        let (fleet, orders) = (Fleet::new(), Orders::default());
        let _service = service(&fleet.client("orders"), &orders).start().unwrap();
        let shop = fleet.client("shop");
        shop.emit(&changed(5, 1, "created")).unwrap();
        // Under another id: the sender has made it anew.
        shop.emit(&changed(5, 1, "created")).unwrap();
        fleet.settle();
        assert_eq!(statuses(&orders, 5), ["created"]);
    }

    #[test]
    fn one_whose_predecessor_never_comes_is_a_dead_letter() {
        let (fleet, orders) = (Fleet::new(), Orders::default());
        let _service = service(&fleet.client("orders"), &orders).start().unwrap();
        let event = changed(5, 2, "cooked");
        fleet.client("shop").emit(&event).unwrap();
        assert_eq!(fleet.until_ended(&event), [Ending::DeadLettered("failed")]);
        assert_eq!(fleet.dead_letters("orders")[0].detail, "version 2 has come, 0 is applied");
    }
}

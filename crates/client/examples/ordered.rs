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
//! One that waits must not give up before one that fails by itself does: that may succeed at its last attempt, and then its
//! successors have to be there. So the pauses of both grow in step, those of who waits to twice the length: with
//! 20 attempts one that fails takes 16 minutes at most, and one that waits at least 32. That is time enough for eight
//! in a row, each of which looks for its predecessor at intervals.
//!
//! Where only the latest state counts, it is simpler: apply what is newer, ignore what is older, never wait.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde::Deserialize;
use zc_events::{Context, EventClient, HandlerError, Retry, Service, ServiceBuilder};

/// How often one is tried, whatever keeps it from being applied.
const ATTEMPTS: u32 = 20;
/// The first and the longest pause of one that failed by itself.
const FAILED: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));

/// How long one that has come too early waits after this attempt: at least twice as long as one that failed, whose pauses
/// grow fourfold, too, and end at the longest.
fn early(attempt: u32) -> Duration {
    let (first, longest) = FAILED;
    2 * first.saturating_mul(4_u32.saturating_pow(attempt.saturating_sub(1))).min(longest)
}

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

/// `tell` is what else it takes to apply a change, and may fail: to tell the kitchen.
fn service<F>(client: &EventClient, orders: &Orders, tell: F) -> ServiceBuilder
where
    F: Fn(&OrderChanged) -> Result<(), HandlerError> + Send + Sync + 'static,
{
    let orders = Arc::clone(orders);
    Service::builder(client)
        .on("order_changed", move |context: &Context, event: OrderChanged| {
            let mut orders = orders.lock().unwrap_or_else(PoisonError::into_inner);
            let order = orders.entry(event.resource_id).or_default();
            if event.version <= order.version {
                return Ok(());
            }
            if event.version > order.version + 1 {
                let text = format!("version {} has come, {} is applied", event.version, order.version);
                return Err(HandlerError::new(text).retry_after(early(context.attempt())));
            }
            tell(&event)?;
            order.version = event.version;
            order.statuses.push(event.status);
            Ok(())
        })
        .retry(Retry::attempts(ATTEMPTS).backoff(FAILED.0, FAILED.1))
}

fn main() -> zc_events::Result<()> {
    let client = EventClient::from_env()?;
    service(&client, &Orders::default(), |_| Ok(())).start()?.run_until_signal()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use zc_events::{Event, Settlement};
    use zc_events_testing::Fleet;

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
        let _service = service(&fleet.client("orders"), &orders, |_| Ok(())).start().unwrap();
        let shop = fleet.client("shop");
        let events =
            [changed(5, 3, "delivered"), changed(5, 1, "created"), changed(6, 1, "created"), changed(5, 2, "cooked")];
        events.iter().for_each(|event| shop.emit(event).unwrap());
        for event in &events {
            assert_eq!(fleet.until_settled(event), [Settlement::Handled]);
        }
        assert_eq!(statuses(&orders, 5), ["created", "cooked", "delivered"]);
        // Another order does not wait.
        assert_eq!(fleet.settlements(&events[2]), [Settlement::Handled]);
    }

    #[test]
    fn those_behind_one_that_succeeds_at_its_last_attempt_are_still_there() {
        let (fleet, orders, failures) = (Fleet::new(), Orders::default(), AtomicU32::new(0));
        let tell = move |event: &OrderChanged| {
            let is_up = event.version > 1 || failures.fetch_add(1, Ordering::Relaxed) >= ATTEMPTS - 1;
            if is_up { Ok(()) } else { Err(HandlerError::new("the kitchen does not answer")) }
        };
        let _service = service(&fleet.client("orders"), &orders, tell).start().unwrap();
        let events: Vec<Event> = (1..=9).map(|version| changed(5, version, &version.to_string())).collect();
        events.iter().rev().for_each(|event| fleet.client("shop").emit(event).unwrap());
        for event in &events {
            assert_eq!(fleet.until_settled(event), [Settlement::Handled]);
        }
        assert_eq!(fleet.settlements(&events[0]).len(), ATTEMPTS as usize);
        assert_eq!(statuses(&orders, 5), ["1", "2", "3", "4", "5", "6", "7", "8", "9"]);
    }

    #[test]
    fn what_comes_again_is_applied_once() {
        let (fleet, orders) = (Fleet::new(), Orders::default());
        let _service = service(&fleet.client("orders"), &orders, |_| Ok(())).start().unwrap();
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
        let _service = service(&fleet.client("orders"), &orders, |_| Ok(())).start().unwrap();
        let event = changed(5, 2, "cooked");
        fleet.client("shop").emit(&event).unwrap();
        assert_eq!(fleet.until_settled(&event), [Settlement::DeadLettered { reason: "failed" }]);
        assert_eq!(fleet.dead_letters("orders")[0].detail, "version 2 has come, 0 is applied");
    }
}

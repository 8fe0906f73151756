//! Order per resource: the events of one order are applied in sequence, although several workers handle events at once,
//! retries overtake each other, and the broker may redeliver.
//!
//! ```text
//! cargo test --example ordered
//! ```
//!
//! A queue is not enough: two workers may take two events of one order at once, and an event that failed comes back after
//! later events. `workers(1)` solves only the first problem. The solution is a number in each event (`version`, which the
//! sender increments in the transaction that changes the order), and a receiver that stores the last version it has applied:
//!
//! - It applies the next version.
//! - It ignores an earlier version: a duplicate.
//! - A later version waits (`retry_after`) until the versions before it are applied. After its last attempt it is
//!   dead-lettered, and an operator looks at it.
//!
//! A waiting event must not give up before a failing one, which may succeed at its last attempt. So the pauses of both grow
//! in the same way, and those of a waiting event are twice as long: with 20 attempts a failing event takes at most 16
//! minutes, and a waiting one at least 32. That is enough for eight events in a row, each of which checks for its
//! predecessor at intervals.
//!
//! If only the latest state counts, it is simpler: apply newer versions, ignore older ones, never wait.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde::Deserialize;
use zc_events::{Context, EventClient, HandlerError, Retry, Service, ServiceBuilder};

/// The number of attempts, for failing and waiting events.
const ATTEMPTS: u32 = 20;
/// The first and the longest pause of a failing event.
const FAILED: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));

/// How long an event that came too early waits after this attempt: at least twice as long as a failing event, whose pauses
/// also grow fourfold up to the longest.
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

/// An order in this service. In a database it is a row, with a row lock.
#[derive(Default)]
struct Order {
    version: u64,
    statuses: Vec<String>,
}

type Orders = Arc<Mutex<HashMap<u64, Order>>>;

/// `tell` is a step of applying a change that may fail, such as telling the kitchen.
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
        // Events of another order do not wait.
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
        // The same version with another id: the sender has made the event again.
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

//! Two programs with one `SERVICE_NAME`: what they share, and what happens to an event that only one of them handles.
//!
//! ```text
//! cargo test --example shared_name
//! ```
//!
//! Programs with the same name consume the same queue, `<SERVICE_NAME>-events`, and each event goes to one of them. That is
//! how a service runs in many copies. There is one rule: **all copies must handle the same event types**. A program without
//! a handler for an event ignores the event (as Python's listener does) and acknowledges it. Then the event is gone, and the
//! other program, which has a handler, never gets it.
//!
//! So:
//! - Copies of one program: use the same name, and `EVENTS_DEDUP=store`, so that all copies recognise a duplicate.
//! - A new program beside an old one (a Rust service that replaces a Python service step by step): use another name. The new
//!   program then has its own queue with a copy of each event. Move the handlers one by one: add each to the new program and
//!   remove it from the old one. Make them idempotent, because for a moment both programs may handle the same event.
//! - A new event type: old copies ignore it while they run. Deploy the handlers first, then the program that emits the event.

use zc_events::{Context, EventClient, Service, ServiceBuilder, Value};

/// The handlers of the old program.
fn old(client: &EventClient) -> ServiceBuilder {
    Service::builder(client).on("order_created", |_: &Context, _: Value| Ok(()))
}

/// The handlers of the new program: one more.
fn new(client: &EventClient) -> ServiceBuilder {
    old(client).on("order_shipped", |_: &Context, _: Value| Ok(()))
}

fn main() -> zc_events::Result<()> {
    let client = EventClient::from_env()?;
    new(&client).start()?.run_until_signal()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use zc_events::{Dedup, Event, Settlement};
    use zc_events_testing::Fleet;

    use super::*;

    fn emit(fleet: &Fleet, event_type: &str, count: usize) -> Vec<Event> {
        let shop = fleet.client("shop");
        let events: Vec<Event> = (0..count).map(|id| Event::new(event_type).resource("Order", id)).collect();
        events.iter().for_each(|event| shop.emit(event).unwrap());
        fleet.settle();
        events
    }

    #[test]
    fn copies_of_one_program_share_the_work() {
        let fleet = Fleet::new();
        let copies = [new(&fleet.client("orders")).start().unwrap(), new(&fleet.client("orders")).start().unwrap()];
        let events = emit(&fleet, "order_shipped", 100);
        assert!(events.iter().all(|event| fleet.settlements(event) == [Settlement::Handled]));
        let shares = copies.iter().map(|copy| copy.health().processed).collect::<Vec<_>>();
        assert!(shares.iter().all(|share| *share > 0) && shares.iter().sum::<u64>() == 100, "{shares:?}");
    }

    #[test]
    fn what_one_copy_does_not_know_it_takes_from_the_other() {
        let fleet = Fleet::new();
        let (old, _new) =
            (old(&fleet.client("orders")).start().unwrap(), new(&fleet.client("orders")).start().unwrap());
        let events = emit(&fleet, "order_shipped", 100);
        let lost = events.iter().filter(|event| fleet.settlements(event).is_empty()).count();
        assert!(lost > 0);
        assert_eq!(old.health().ignored, lost as u64);
    }

    #[test]
    fn under_a_name_of_its_own_the_new_program_gets_everything() {
        let fleet = Fleet::new();
        let _old = old(&fleet.client("orders")).start().unwrap();
        let _new = new(&fleet.client("orders-rs")).start().unwrap();
        let events = emit(&fleet, "order_shipped", 100);
        assert!(events.iter().all(|event| fleet.settlements(event) == [Settlement::Handled]));
        // Both handle the event that both know.
        let events = emit(&fleet, "order_created", 10);
        assert!(events.iter().all(|event| fleet.settlements(event) == [Settlement::Handled, Settlement::Handled]));
    }

    #[test]
    fn an_event_that_comes_again_is_known_to_all_copies_where_they_share_what_is_done() {
        let fleet = Fleet::new();
        let copy = || {
            let settings = fleet.settings("orders").events_dedup(Dedup::Store).build().unwrap();
            new(&EventClient::new(settings).unwrap()).start().unwrap()
        };
        let first = copy();
        let event = Event::new("order_created");
        fleet.client("shop").emit(&event).unwrap();
        fleet.settle();
        // The other copy recognises the duplicate only by the store.
        drop(first);
        let _second = copy();
        fleet.client("shop").emit(&event).unwrap();
        fleet.settle();
        assert_eq!(fleet.settlements(&event), [Settlement::Handled, Settlement::Duplicate]);
    }
}

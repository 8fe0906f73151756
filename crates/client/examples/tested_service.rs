//! A service with five handlers, and its tests on `zc_events_testing`: no broker, no Redis, no sleep.
//!
//! ```text
//! cargo test --example tested_service   # the tests, at the end of this file
//! cargo run --example tested_service    # the service, with the settings of the environment
//! ```

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use zc_events::{
    Context, Document, Event, EventClient, HandlerError, ResourceObject, ResourceView, Retry, Service, ServiceBuilder,
    ViewResult,
};

/// An invoice, as the service stores and serves it.
#[derive(Clone, Serialize, Deserialize)]
struct Invoice {
    company: String,
    total: f64,
    paid: bool,
}

/// In place of a database.
type Invoices = Arc<Mutex<HashMap<u64, Invoice>>>;

#[derive(Deserialize)]
struct OrderCreated {
    resource_id: u64,
    company: u64,
    total: f64,
}

#[derive(Deserialize)]
struct Paid {
    resource_id: u64,
}

#[derive(Deserialize)]
struct OrderCancelled {
    resource_id: u64,
}

/// A company, a resource of another service.
#[derive(Deserialize)]
struct Company {
    name: String,
}

/// The argument of the function `quote`.
#[derive(Deserialize)]
struct Quote {
    portions: u32,
}

/// The error for an unknown invoice. It is permanent: a retry does not help.
fn no_invoice(order: u64) -> HandlerError {
    HandlerError::new(format!("there is no invoice for order {order}")).permanent()
}

/// The service: three events, a function, a resource.
fn invoices(client: &EventClient, invoices: &Invoices) -> ServiceBuilder {
    let lock = |invoices: &Invoices| Arc::clone(invoices);
    let (created, paid, cancelled) = (lock(invoices), lock(invoices), lock(invoices));
    Service::builder(client)
        .on("order_created", move |context: &Context, event: OrderCreated| {
            // Request the company first: an attempt that fails here has changed nothing.
            let company: Company = context.client().get_remote_resource("Company", event.company)?;
            let invoice = Invoice { company: company.name, total: event.total, paid: false };
            created.lock().unwrap_or_else(PoisonError::into_inner).insert(event.resource_id, invoice);
            let event = Event::new("invoice_created").resource("Order", event.resource_id);
            Ok(context.client().emit(&event)?)
        })
        .retry(Retry::attempts(4))
        .on("order_paid", move |_: &Context, event: Paid| {
            let mut invoices = paid.lock().unwrap_or_else(PoisonError::into_inner);
            invoices.get_mut(&event.resource_id).ok_or_else(|| no_invoice(event.resource_id))?.paid = true;
            Ok(())
        })
        .on("order_cancelled", move |_: &Context, event: OrderCancelled| {
            cancelled.lock().unwrap_or_else(PoisonError::into_inner).remove(&event.resource_id);
            Ok(())
        })
        .call("quote", |_: &Context, quote: Quote| match quote.portions {
            0 => Err(HandlerError::with_status(400, "nothing is to be quoted").kind("ValueError")),
            portions => Ok(f64::from(portions) * 12.5),
        })
        .resource("Invoice", InvoiceView(lock(invoices)))
}

/// The view that serves invoices.
struct InvoiceView(Invoices);

impl ResourceView for InvoiceView {
    fn retrieve(&self, _: &Context, pk: &str) -> ViewResult {
        let invoices = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let invoice =
            pk.parse().ok().and_then(|order: u64| invoices.get(&order)).ok_or_else(HandlerError::not_found)?;
        Ok(Document::one(ResourceObject::new("Invoice", pk).attributes(invoice)?).into())
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    env_logger::Builder::from_env(env_logger::Env::default().default_filter_or("info"))
        .filter_module("amiquip", log::LevelFilter::Off)
        .init();
    let client = EventClient::from_env()?;
    invoices(&client, &Invoices::default()).start()?.run_until_signal()?;
    client.close(Duration::from_secs(10))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use zc_events::{Error, Outcome, Settlement};
    use zc_events_testing::{Expectation, Fleet, SendFault};

    use super::*;

    /// The service in its own fleet, and a client that talks to it.
    struct Scene {
        shop: EventClient,
        invoices: Invoices,
        // Dropped in this order: the service stops, then the fleet checks that all expected requests came.
        _service: Service,
        fleet: Fleet,
    }

    fn scene() -> Scene {
        let fleet = Fleet::new();
        let stored = Invoices::default();
        let service = invoices(&fleet.client("invoices"), &stored).start().unwrap();
        Scene { shop: fleet.client("shop"), invoices: stored, _service: service, fleet }
    }

    fn company() -> Expectation {
        let company = json!({"data": {"type": "Company", "id": "7", "attributes": {"name": "Acme"}}});
        Expectation::get("Company").pk(7).answer(200, company)
    }

    fn order_created() -> Event {
        Event::new("order_created").resource("Order", 5).set("company", 7).unwrap().set("total", 80.0).unwrap()
    }

    impl Scene {
        fn invoice(&self, order: u64) -> Option<Invoice> {
            self.invoices.lock().unwrap().get(&order).cloned()
        }

        fn emit(&self, event: &Event) {
            self.shop.emit(event).unwrap();
            self.fleet.settle();
        }
    }

    #[test]
    fn an_order_gets_an_invoice_and_the_fleet_is_told() {
        let scene = scene();
        scene.fleet.expect(company());
        let event = order_created();
        scene.emit(&event);
        assert_eq!(scene.fleet.settlements(&event), [Settlement::Handled]);
        assert_eq!(scene.invoice(5).unwrap().company, "Acme");
        let told = scene.fleet.emitted("invoice_created");
        assert_eq!((told.len(), &told[0].kwargs()["resource_id"]), (1, &json!(5)));
        // Messages sent within the handler name the handled message as their parent.
        assert_eq!(told[0].parent_id(), Some(event.id()));
    }

    #[test]
    fn a_payment_is_noted_and_one_without_an_invoice_is_a_dead_letter() {
        let scene = scene();
        scene.fleet.expect(company());
        scene.emit(&order_created());
        scene.emit(&Event::new("order_paid").resource("Order", 5));
        assert!(scene.invoice(5).unwrap().paid);
        scene.emit(&Event::new("order_paid").resource("Order", 6));
        let letters = scene.fleet.dead_letters("invoices");
        assert_eq!(letters.len(), 1);
        assert_eq!((letters[0].reason.as_str(), letters[0].attempts), ("failed", 1));
        assert_eq!(letters[0].detail, "there is no invoice for order 6");
    }

    #[test]
    fn a_cancelled_order_has_no_invoice() {
        let scene = scene();
        scene.fleet.expect(company());
        scene.emit(&order_created());
        scene.emit(&Event::new("order_cancelled").resource("Order", 5));
        assert!(scene.invoice(5).is_none());
    }

    #[test]
    fn a_quote_is_a_number_or_says_why_there_is_none() {
        let scene = scene();
        let quote = |portions: u32| scene.shop.get("quote").data(json!({"portions": portions})).unwrap().fetch::<f64>();
        assert_eq!(quote(4).unwrap(), 50.0);
        let Err(Error::Call { failure, .. }) = quote(0) else { panic!("nothing was quoted") };
        assert_eq!(failure.errors()[0].kind, "ValueError");
    }

    #[test]
    fn an_invoice_is_served_and_one_that_is_not_there_is_404() {
        let scene = scene();
        scene.fleet.expect(company());
        scene.emit(&order_created());
        let invoice: Invoice = scene.shop.get_remote_resource("Invoice", 5).unwrap();
        assert_eq!((invoice.company.as_str(), invoice.total), ("Acme", 80.0));
        assert_eq!(scene.shop.get_remote_resource::<Invoice>("Invoice", 6).map(drop).unwrap_err().status(), Some(404));
    }

    #[test]
    fn a_company_service_in_trouble_costs_attempts_and_no_order() {
        let scene = scene();
        // The company service fails, then does not answer, then works again.
        scene.fleet.expect(Expectation::get("Company").pk(7).status(503));
        scene.fleet.expect(Expectation::get("Company").pk(7).never_answers());
        scene.fleet.expect(company());
        let event = order_created();
        scene.emit(&event);
        assert_eq!(scene.fleet.until_settled(&event), [Settlement::Handled]);
        assert_eq!(scene.fleet.settlements(&event), [Settlement::Retried, Settlement::Retried, Settlement::Handled]);
        assert_eq!(scene.fleet.emitted("invoice_created").len(), 1);
    }

    #[test]
    fn an_order_that_never_works_out_is_a_dead_letter_after_four_attempts() {
        let scene = scene();
        scene.fleet.expect(Expectation::get("Company").pk(7).status(503).times(4));
        let event = order_created();
        scene.emit(&event);
        assert_eq!(scene.fleet.until_settled(&event), [Settlement::DeadLettered { reason: "failed" }]);
        assert_eq!(scene.fleet.dead_letters("invoices")[0].attempts, 4);
    }

    #[test]
    fn an_event_that_comes_twice_is_handled_once() {
        let scene = scene();
        scene.fleet.expect(company());
        let event = order_created();
        scene.fleet.deliver_again("invoices", &event);
        scene.emit(&event);
        assert_eq!(scene.fleet.settlements(&event), [Settlement::Handled, Settlement::Duplicate]);
        assert_eq!(scene.fleet.emitted("invoice_created").len(), 1);
    }

    #[test]
    fn a_broker_that_restarts_in_the_middle_loses_no_order() {
        let scene = scene();
        // The handler waits for the company service while the broker is lost.
        scene.fleet.expect(Expectation::get("Company").pk(7).never_answers());
        scene.fleet.expect(company());
        let event = order_created();
        scene.emit(&event);
        scene.fleet.restart_broker();
        assert_eq!(scene.fleet.until_settled(&event), [Settlement::Handled]);
        assert_eq!(scene.invoice(5).unwrap().company, "Acme");
    }

    #[test]
    fn a_lost_confirm_leaves_it_open_whether_the_event_is_out() {
        let scene = scene();
        scene.fleet.expect(company());
        scene.emit(&order_created());
        let event = Event::new("order_cancelled").resource("Order", 5);
        scene.fleet.fail_sends(SendFault::MessageLost, 1);
        assert_eq!(scene.shop.emit(&event).unwrap_err().outcome(), Outcome::Unknown);
        scene.fleet.settle();
        assert!(scene.invoice(5).is_some());
        // The event keeps its id when it is sent again, so it is recognised as a duplicate.
        scene.fleet.fail_sends(SendFault::ConfirmLost, 1);
        assert_eq!(scene.shop.emit(&event).unwrap_err().outcome(), Outcome::Unknown);
        scene.emit(&event);
        assert_eq!(scene.fleet.settlements(&event), [Settlement::Handled, Settlement::Duplicate]);
        assert!(scene.invoice(5).is_none());
    }

    #[test]
    fn a_blocked_broker_is_told_from_one_that_is_gone() {
        let scene = scene();
        scene.fleet.block_broker(Some("low on memory"));
        assert!(
            matches!(scene.shop.emit(&order_created()), Err(Error::Blocked { reason }) if reason == "low on memory")
        );
        scene.fleet.block_broker(None);
        scene.fleet.take_broker_down(Some("gone for lunch"));
        let error = scene.shop.emit(&order_created()).unwrap_err();
        assert!(matches!(&error, Error::Unavailable { .. }) && error.outcome() == Outcome::NotSent, "{error:?}");
        scene.fleet.take_broker_down(None);
        scene.fleet.expect(company());
        scene.emit(&order_created());
        assert!(scene.invoice(5).is_some());
    }

    #[test]
    fn without_redis_a_quote_fails_and_an_order_waits() {
        let scene = scene();
        scene.fleet.take_store_down(Some("Redis is down"));
        let quote = scene.shop.get("quote").data(json!({"portions": 4})).unwrap().fetch::<f64>();
        assert!(matches!(quote, Err(Error::Unavailable { .. })), "{quote:?}");
        // Requested twice: the first answer could not be stored.
        scene.fleet.expect(company().times(2));
        let event = order_created();
        scene.emit(&event);
        assert_eq!(scene.fleet.settlements(&event), [Settlement::Retried]);
        scene.fleet.take_store_down(None);
        assert_eq!(scene.fleet.until_settled(&event), [Settlement::Handled]);
    }
}

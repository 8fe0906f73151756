//! A marketplace in one program: an orders service, a service that handles no order events, and a caller.
//!
//! ```text
//! cargo run --example marketplace
//! ```
//!
//! It runs in memory if nothing is configured. With `BROKER_URL`, `EVENTS_REDIS_URL` and `STAGING_NAME` in the environment
//! or in a `.env`, it runs on RabbitMQ and Redis. Only this program falls back to memory: for the library, a missing
//! `BROKER_URL` is an error.

use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use zc_events::{
    Context, Document, Event, EventClient, HandlerError, ResourceObject, ResourceView, Service, Settings, ViewResult,
};

/// The limit for waits that usually take milliseconds.
const PATIENCE: Duration = Duration::from_secs(10);

/// The payload of `order_created`.
#[derive(Deserialize)]
struct OrderCreated {
    resource_id: u64,
}

/// An order, as the service serves it and the caller reads it.
#[derive(Serialize, Deserialize)]
struct Order {
    name: String,
}

/// The view that serves orders.
struct Orders;

impl ResourceView for Orders {
    fn retrieve(&self, _: &Context, pk: &str) -> ViewResult {
        if pk != "23131024" {
            return Err(HandlerError::not_found());
        }
        let order = Order { name: "Lunch for twelve".to_owned() };
        Ok(Document::one(ResourceObject::new("Order", pk).attributes(&order)?).into())
    }
}

/// A client of the service with this name. All clients share the broker and the store, as programs on several machines do.
fn client(service: &str) -> zc_events::Result<EventClient> {
    let defaults = Settings::builder()
        .broker_url("memory://marketplace")
        .events_redis_url("memory://marketplace")
        .staging_name("marketplace-demo");
    // Several services run in this program, so the environment cannot name them.
    EventClient::new(Settings::from_env_or(defaults)?.with_service_name(service)?)
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    // amiquip's log lines do not help a user, and at `trace` they show whole messages.
    env_logger::Builder::from_env(env_logger::Env::default().default_filter_or("info"))
        .filter_module("amiquip", log::LevelFilter::Off)
        .init();

    let orders = Service::builder(&client("demo-orders")?)
        .on("order_created", |_: &Context, event: OrderCreated| {
            log::info!("order {} was created", event.resource_id);
            Ok(())
        })
        .resource("Order", Orders)
        .start()?;
    let stock = Service::builder(&client("demo-stock")?).start()?;

    let caller = client("demo-caller")?;
    caller.emit(&Event::new("order_created").resource("Order", 23131024).user(56))?;
    wait_until("the event to be handled by one service and ignored by the other", || {
        orders.health().processed > 0 && stock.health().ignored > 0
    })?;

    let order: Order = caller.get_remote_resource("Order", "23131024")?;
    println!("Order name: {}", order.name);

    for service in [orders, stock] {
        let stopped = service.stop(PATIENCE);
        assert_eq!(stopped.abandoned, 0);
    }
    caller.close(PATIENCE)?;
    Ok(())
}

fn wait_until(what: &str, condition: impl Fn() -> bool) -> Result<(), String> {
    let started = Instant::now();
    while !condition() {
        if started.elapsed() > PATIENCE {
            return Err(format!("waited in vain for {what}"));
        }
        std::thread::yield_now();
    }
    Ok(())
}

//! `zc-events demo`: a marketplace in one process, which shows the library's features.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde::Serialize;
use serde_json::{Value, json};
use zc_events::{
    Context, Document, Error, Event, EventClient, HandlerError, Replay, ResourceObject, ResourceView, Retry, Service,
    Settings, ViewResult,
};

use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::{BOLD, FAINT, Line, Output};
use crate::session::Session;

/// The limit of each step; a step takes milliseconds.
const PATIENCE: Duration = Duration::from_secs(10);
/// The only order.
const ORDER: u64 = 23_131_024;

/// The view of orders.
struct Orders;

impl ResourceView for Orders {
    fn retrieve(&self, _: &Context, pk: &str) -> ViewResult {
        if pk != ORDER.to_string() {
            return Err(HandlerError::not_found());
        }
        let order = ResourceObject::new("Order", pk).attributes(&json!({"name": "Lunch for twelve"}))?;
        Ok(Document::one(order).into())
    }
}

/// A client of the service `service`. All clients share one broker and one store, as programs on several machines do.
fn client(service: &str) -> zc_events::Result<EventClient> {
    let settings = Settings::builder()
        .broker_url("memory://demo")
        .events_redis_url("memory://demo")
        .staging_name("demo")
        .service_name(service)
        .build()?;
    EventClient::new(settings)
}

/// Runs the story.
pub(crate) fn run(session: &Session) -> Result<(), Failure> {
    let story = Story(session.output);
    story.head("A marketplace in one process, in memory: no RabbitMQ, no Redis, nothing to install.")?;
    story
        .tell("orders", "handles order_created and order_paid, and serves the resource Order and the function total")?;
    story.tell("stock", "is in the same fleet and receives every event, but handles none")?;
    let has_bank = Arc::new(AtomicBool::new(false));
    let bank = Arc::clone(&has_bank);
    let orders = Service::builder(&client("orders")?)
        .on("order_created", |_: &Context, _: Value| Ok(()))
        .on("order_paid", move |_: &Context, _: Value| {
            if bank.load(Ordering::SeqCst) { Ok(()) } else { Err(HandlerError::new("the bank is closed")) }
        })
        .retry(Retry::never())
        .resource("Order", Orders)
        .call("total", |_: &Context, prices: Vec<u64>| Ok(prices.iter().sum::<u64>()))
        .start()?;
    let stock = Service::builder(&client("stock")?).start()?;
    let shop = client("shop")?;

    story.head("An event: every service receives it, and the broker confirms that it is stored.")?;
    shop.emit(&Event::new("order_created").resource("Order", ORDER).user(56))?;
    story.tell("shop", format_args!("emits order_created for order {ORDER}: confirmed"))?;
    wait("both services to receive the event", || orders.health().processed == 1 && stock.health().ignored == 1)?;
    story.tell("orders", "handles the event, then acknowledges it")?;
    story.tell("stock", "ignores the event")?;

    story.head("A request: another service's resource, with a deadline.")?;
    let order: Value = shop.get_remote_resource("Order", ORDER.to_string())?;
    story.tell("shop", format_args!("requests Order {ORDER}: {}", order["name"]))?;
    match shop.get_remote_resource::<Value>("Order", "1") {
        Err(Error::Remote { status, .. }) => story.tell("shop", format_args!("requests Order 1: status {status}"))?,
        other => return Err(unexpected("the request for a missing order", &other)),
    }
    let total: u64 = shop.get("total").data([12, 30])?.fetch()?;
    story.tell("shop", format_args!("calls total with [12, 30]: {total}"))?;

    story.head("A failure: the event is not lost; it waits as a dead letter until it is replayed.")?;
    shop.emit(&Event::new("order_paid").resource("Order", ORDER))?;
    let dead = client("orders")?.dead_letters()?;
    wait("the dead letter", || orders.health().dead_lettered == 1)?;
    for letter in dead.list()? {
        let text =
            format!("fails to handle {}, which becomes a dead letter: {}", letter.message.event_type(), letter.detail);
        story.tell("orders", text)?;
    }
    has_bank.store(true, Ordering::SeqCst);
    let replayed = dead.replay(&Replay::new(), |_| true)?;
    wait("the dead letter to be handled", || {
        orders.health().processed >= 2 && dead.list().is_ok_and(|it| it.is_empty())
    })?;
    story.tell("you", format_args!("open the bank and replay {} dead letter: handled", replayed.done.len()))?;

    for service in [orders, stock] {
        if service.stop(PATIENCE).abandoned > 0 {
            return Err(Failure::new(Exit::Failed, "a handler did not finish"));
        }
    }
    shop.close(PATIENCE)?;
    story
        .head("Next: set BROKER_URL, EVENTS_REDIS_URL and STAGING_NAME in a .env file, and run `zc-events listen`.")?;
    Ok(())
}

fn unexpected(request: &str, result: &zc_events::Result<Value>) -> Failure {
    let result = result.as_ref().map_or_else(ToString::to_string, |_| "a resource".to_owned());
    Failure::new(Exit::Failed, format!("{request} returned {result}"))
}

fn wait(what: &str, is_so: impl Fn() -> bool) -> Result<(), Failure> {
    let begun = Instant::now();
    while !is_so() {
        if begun.elapsed() > PATIENCE {
            return Err(Failure::new(Exit::Timeout, format!("timed out waiting for {what}")));
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    Ok(())
}

/// Prints who does what.
struct Story(Output);

/// A line of JSON.
#[derive(Serialize)]
struct Step<'a> {
    who: &'a str,
    what: String,
}

impl Story {
    fn head(&self, text: &str) -> io::Result<()> {
        if self.0.is_json() { Ok(()) } else { self.0.text(format_args!("{BOLD}{text}{BOLD:#}")) }
    }

    fn tell(&self, who: &str, text: impl fmt::Display) -> io::Result<()> {
        if self.0.is_json() {
            return self.0.json(&Step { who, what: text.to_string() });
        }
        self.0.text(format_args!("  {FAINT}{who:6}{FAINT:#} {}", Line(&text.to_string())))
    }
}

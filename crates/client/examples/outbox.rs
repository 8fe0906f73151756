//! A transactional outbox: the program writes an order and its event in one transaction of its database. A relay emits the
//! events of the outbox, with the row's id as the event's id.
//!
//! ```text
//! cargo run --example outbox    # in memory
//! cargo test --example outbox
//! ```
//!
//! Why: a service that writes the order first may die before it emits. A service that emits first may emit an event for an
//! order that is never written. With the outbox, the event of a committed order is always emitted: at once, or when the
//! relay and the broker are back. It may be emitted twice, if the relay dies between the confirm and the deletion. Receivers
//! recognise the duplicate by its id: services in Rust do so automatically (`EVENTS_DEDUP`), services in Python must check
//! the envelope's `id`.
//!
//! A row that can never be emitted (it cannot be decoded, or the event is too large) is set aside with the reason, so it does
//! not block the others; an operator has to look at it. If the broker is unreachable or blocks publishers, the batch ends at
//! the first event, and all rows stay.
//!
//! The database here is `redb`. With SQL, use a table `outbox (id, position, event)`, and write to it in the same
//! `BEGIN .. COMMIT` as the order. Run one relay at a time, or let each take rows with `FOR UPDATE SKIP LOCKED`.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use redb::{Database, ReadableTable, ReadableTableMetadata, TableDefinition};
use serde::{Deserialize, Serialize};
use zc_events::{Event, EventClient, Settings};

/// Orders by their number.
const ORDERS: TableDefinition<'_, u64, &str> = TableDefinition::new("orders");
/// Events by their position, in JSON.
const OUTBOX: TableDefinition<'_, u64, &str> = TableDefinition::new("outbox");
/// Rows that were set aside, oldest first: the row, and why it cannot be emitted.
const SET_ASIDE: TableDefinition<'_, u64, (&str, &str)> = TableDefinition::new("set_aside");
/// The number of events in a batch.
const BATCH: usize = 500;

type Error = Box<dyn std::error::Error + Send + Sync>;

/// A row of the outbox: all parts of the event, with its id.
#[derive(Serialize, Deserialize)]
struct Row {
    id: String,
    event_type: String,
    resource_id: u64,
    name: String,
}

impl Row {
    /// The event of the row. It is the same each time.
    fn event(&self) -> Result<Event, Error> {
        let event = Event::new(&self.event_type).with_id(&self.id).resource("Order", self.resource_id);
        Ok(event.set("name", &self.name)?)
    }
}

/// The database of the program.
struct Shop(Database);

impl Shop {
    fn open(path: &Path) -> Result<Self, Error> {
        let database = Database::create(path)?;
        let write = database.begin_write()?;
        write.open_table(ORDERS)?;
        write.open_table(OUTBOX)?;
        write.open_table(SET_ASIDE)?;
        write.commit()?;
        Ok(Self(database))
    }

    /// Takes an order. After `Ok`, the order and its event are written.
    fn order(&self, number: u64, name: &str) -> Result<(), Error> {
        let write = self.0.begin_write()?;
        write.open_table(ORDERS)?.insert(number, name)?;
        {
            let mut outbox = write.open_table(OUTBOX)?;
            let position = outbox.last()?.map_or(1, |(last, _)| last.value() + 1);
            let id = uuid::Uuid::new_v4().to_string();
            let row = Row { id, event_type: "order_created".to_owned(), resource_id: number, name: name.to_owned() };
            outbox.insert(position, serde_json::to_string(&row)?.as_str())?;
        }
        write.commit()?;
        Ok(())
    }

    /// The oldest rows of the outbox, undecoded.
    fn oldest(&self) -> Result<Vec<(u64, String)>, Error> {
        let outbox = self.0.begin_read()?.open_table(OUTBOX)?;
        let rows = outbox.iter()?.take(BATCH).map(|row| {
            let (position, row) = row?;
            Ok((position.value(), row.value().to_owned()))
        });
        rows.collect()
    }

    /// Removes rows from the outbox: emitted rows are deleted, the others are set aside.
    fn take_out(&self, told: &[u64], hopeless: &[(u64, String)]) -> Result<(), Error> {
        let write = self.0.begin_write()?;
        {
            let (mut outbox, mut set_aside) = (write.open_table(OUTBOX)?, write.open_table(SET_ASIDE)?);
            for position in told {
                outbox.remove(position)?;
            }
            for (position, why) in hopeless {
                let next = set_aside.last()?.map_or(1, |(last, _)| last.value() + 1);
                if let Some(row) = outbox.remove(position)? {
                    set_aside.insert(next, (row.value(), why.as_str()))?;
                }
            }
        }
        write.commit()?;
        Ok(())
    }

    fn waiting(&self) -> Result<u64, Error> {
        Ok(self.0.begin_read()?.open_table(OUTBOX)?.len()?)
    }

    /// The number of rows that were set aside.
    fn set_aside(&self) -> Result<u64, Error> {
        Ok(self.0.begin_read()?.open_table(SET_ASIDE)?.len()?)
    }
}

/// Emits the events of the outbox and removes the confirmed ones. All others stay for the next time, also those that may
/// have gone out, because they keep their id. Returns the number of removed rows. After `stop` is set, it starts no new
/// event, and waits for unconfirmed ones for at most `EVENTS_PUBLISH_TIMEOUT`.
fn relay(shop: &Shop, client: &EventClient, stop: &AtomicBool) -> Result<usize, Error> {
    let rows = shop.oldest()?;
    let (mut out, mut told, mut hopeless, mut trouble) = (Vec::new(), Vec::new(), Vec::new(), None);
    for (position, row) in &rows {
        if stop.load(Ordering::Acquire) {
            break;
        }
        let event = serde_json::from_str::<Row>(row).map_err(Error::from).and_then(|row| row.event());
        let event = match event {
            Ok(event) => event,
            Err(error) => {
                hopeless.push((*position, error.to_string()));
                continue;
            }
        };
        match client.start_emit(&event) {
            Ok(receipt) => out.push((*position, receipt)),
            Err(error @ (zc_events::Error::TooLarge { .. } | zc_events::Error::Encode { .. })) => {
                hopeless.push((*position, error.to_string()));
            }
            // The same failure would meet all later events, and each would wait for the whole timeout.
            Err(error) => {
                trouble = Some(error);
                break;
            }
        }
    }
    for (position, receipt) in out {
        match receipt.wait() {
            Ok(()) => told.push(position),
            Err(error) => trouble = Some(error),
        }
    }
    shop.take_out(&told, &hopeless)?;
    if let Some(error) = trouble {
        log::warn!("{} events stay in the outbox: {error}", shop.waiting()?);
    }
    for (position, why) in &hopeless {
        log::error!("row {position} of the outbox is set aside ({} are): {why}", shop.set_aside()?);
    }
    Ok(told.len() + hopeless.len())
}

/// Relays at short intervals until `stop` is set. A service runs this on its own thread.
fn relay_until(shop: &Shop, client: &EventClient, stop: &AtomicBool) -> Result<(), Error> {
    const PAUSE: Duration = Duration::from_millis(200);
    while !stop.load(Ordering::Acquire) {
        if relay(shop, client, stop)? == 0 {
            std::thread::sleep(PAUSE);
        }
    }
    Ok(())
}

fn main() -> Result<(), Error> {
    env_logger::Builder::from_env(env_logger::Env::default().default_filter_or("warn"))
        .filter_module("amiquip", log::LevelFilter::Off)
        .init();
    let defaults = Settings::builder().broker_url("memory://outbox").staging_name("outbox-demo").service_name("shop");
    let client = EventClient::new(Settings::from_env_or(defaults)?)?;
    let folder = tempfile::tempdir()?;
    let shop = Shop::open(&folder.path().join("shop.redb"))?;
    let stock = zc_events::Service::builder(&client)
        .on("order_created", |context: &zc_events::Context, event: zc_events::Value| {
            println!("order {} was created: {}", event["resource_id"], context.id().unwrap_or_default());
            Ok(())
        })
        .start()?;
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let relaying = scope.spawn(|| relay_until(&shop, &client, &stop));
        let ordered = (1..=3).try_for_each(|number| shop.order(number, "Lunch"));
        let started = std::time::Instant::now();
        while stock.health().processed < 3 && started.elapsed() < Duration::from_secs(10) && !relaying.is_finished() {
            std::thread::yield_now();
        }
        stop.store(true, Ordering::Release);
        let relayed = relaying.join().unwrap_or_else(|_| Err("the relay panicked".into()));
        ordered.and(relayed)
    })?;
    println!("{} events wait in the outbox, {} are set aside", shop.waiting()?, shop.set_aside()?);
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::sync::{Arc, Mutex};

    use zc_events::{Clock, Context, Service, Settlement, Value};
    use zc_events_testing::{Fleet, SendFault};

    use super::*;

    /// The largest event in these tests, in bytes.
    const MOST: usize = 10_000;

    /// A shop, and a stock service that records its events.
    struct Scene {
        shop: Shop,
        client: EventClient,
        noted: Arc<Mutex<Vec<u64>>>,
        _service: Service,
        fleet: Fleet,
        _folder: tempfile::TempDir,
    }

    impl Scene {
        fn relay(&self) -> usize {
            relay(&self.shop, &self.client, &AtomicBool::new(false)).unwrap()
        }

        /// Writes a row that cannot be decoded.
        fn write_broken_row(&self) {
            let write = self.shop.0.begin_write().unwrap();
            {
                let mut outbox = write.open_table(OUTBOX).unwrap();
                let next = outbox.last().unwrap().map_or(1, |(last, _)| last.value() + 1);
                outbox.insert(next, "{}").unwrap();
            }
            write.commit().unwrap();
        }

        /// The rows that were set aside, with the reasons.
        fn set_aside(&self) -> Vec<(String, String)> {
            let table = self.shop.0.begin_read().unwrap().open_table(SET_ASIDE).unwrap();
            let read = |row: Result<(_, redb::AccessGuard<'_, (&str, &str)>), _>| {
                let (_, row): (redb::AccessGuard<'_, u64>, _) = row.unwrap();
                (row.value().0.to_owned(), row.value().1.to_owned())
            };
            table.iter().unwrap().map(read).collect()
        }
    }

    fn scene() -> Scene {
        let (fleet, folder) = (Fleet::new(), tempfile::tempdir().unwrap());
        let noted = Arc::new(Mutex::new(Vec::new()));
        let notes = Arc::clone(&noted);
        let service = Service::builder(&fleet.client("stock"))
            .on("order_created", move |_: &Context, event: Value| {
                notes.lock().unwrap().push(event["resource_id"].as_u64().unwrap());
                Ok(())
            })
            .start()
            .unwrap();
        let shop = Shop::open(&folder.path().join("shop.redb")).unwrap();
        let client = EventClient::new(fleet.settings("shop").events_max_body(MOST).build().unwrap()).unwrap();
        Scene { shop, client, noted, _service: service, fleet, _folder: folder }
    }

    #[test]
    fn what_is_ordered_is_told_of_once_the_relay_runs() {
        let scene = scene();
        (1..=700).for_each(|number| scene.shop.order(number, "Lunch").unwrap());
        assert!(scene.fleet.emitted("order_created").is_empty());
        assert_eq!(scene.relay(), BATCH);
        assert_eq!(scene.relay(), 200);
        assert_eq!((scene.relay(), scene.shop.waiting().unwrap()), (0, 0));
        scene.fleet.settle();
        assert_eq!(scene.noted.lock().unwrap().len(), 700);
    }

    #[test]
    fn an_order_that_is_not_written_is_not_told_of() {
        let scene = scene();
        let write = scene.shop.0.begin_write().unwrap();
        write.open_table(OUTBOX).unwrap().insert(1, "{}").unwrap();
        drop(write);
        assert_eq!(scene.relay(), 0);
    }

    #[test]
    fn a_broker_that_is_down_costs_time_and_no_event() {
        let scene = scene();
        scene.shop.order(1, "Lunch").unwrap();
        scene.fleet.take_broker_down(Some("down"));
        assert_eq!((scene.relay(), scene.shop.waiting().unwrap()), (0, 1));
        scene.fleet.take_broker_down(None);
        assert_eq!(scene.relay(), 1);
        scene.fleet.settle();
        assert_eq!(*scene.noted.lock().unwrap(), [1]);
    }

    #[test]
    fn an_event_that_may_be_out_is_emitted_again_and_handled_once() {
        let scene = scene();
        scene.shop.order(1, "Lunch").unwrap();
        // The event is emitted, but the relay does not get the confirm.
        scene.fleet.fail_sends(SendFault::ConfirmLost, 1);
        assert_eq!(scene.relay(), 0);
        assert_eq!(scene.relay(), 1);
        scene.fleet.settle();
        let emitted = scene.fleet.emitted("order_created");
        let ids: HashSet<_> = emitted.iter().map(|emitted| emitted.id().unwrap()).collect();
        assert_eq!((emitted.len(), ids.len()), (2, 1));
        let endings: Vec<_> = scene.fleet.all_settlements().into_iter().map(|message| message.settlement).collect();
        assert_eq!(endings, [Settlement::Handled, Settlement::Duplicate]);
        assert_eq!(*scene.noted.lock().unwrap(), [1]);
    }

    #[test]
    fn what_can_never_go_out_is_set_aside_and_keeps_nothing_back() {
        let scene = scene();
        scene.write_broken_row();
        scene.shop.order(1, "Lunch").unwrap();
        scene.shop.order(2, &"x".repeat(MOST)).unwrap();
        scene.write_broken_row();
        scene.shop.order(3, "Dinner").unwrap();
        assert_eq!((scene.relay(), scene.shop.waiting().unwrap()), (5, 0));
        scene.fleet.settle();
        let noted: HashSet<u64> = scene.noted.lock().unwrap().iter().copied().collect();
        assert_eq!(noted, HashSet::from([1, 3]));
        let set_aside = scene.set_aside();
        assert_eq!((set_aside.len(), scene.shop.set_aside().unwrap()), (3, 3));
        assert!(set_aside[0].1.contains("missing field"), "{}", set_aside[0].1);
        assert!(set_aside[1].1.contains("bytes"), "{}", set_aside[1].1);
        // It is set aside only once.
        assert_eq!(scene.relay(), 0);
    }

    #[test]
    fn a_broker_that_takes_nothing_costs_one_event_its_time_and_not_each() {
        let scene = scene();
        (1..=20).for_each(|number| scene.shop.order(number, "Lunch").unwrap());
        scene.fleet.block_broker(Some("low on memory"));
        let before = scene.fleet.clock().now();
        assert_eq!((scene.relay(), scene.shop.waiting().unwrap()), (0, 20));
        let took = scene.fleet.clock().now() - before;
        assert!(took < Duration::from_secs(20), "{took:?}");
        scene.fleet.block_broker(None);
        assert_eq!((scene.relay(), scene.shop.waiting().unwrap()), (20, 0));
    }

    #[test]
    fn one_that_is_told_to_stop_begins_with_nothing() {
        let scene = scene();
        scene.shop.order(1, "Lunch").unwrap();
        assert_eq!(relay(&scene.shop, &scene.client, &AtomicBool::new(true)).unwrap(), 0);
        relay_until(&scene.shop, &scene.client, &AtomicBool::new(true)).unwrap();
        assert_eq!((scene.fleet.emitted("order_created").len(), scene.shop.waiting().unwrap()), (0, 1));
    }
}

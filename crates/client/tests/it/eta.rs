//! Messages with an eta or an expiry. In memory, where the test moves the time.

use std::sync::mpsc;
use std::time::Duration;

use serde_json::Value;
use zc_events::{Clock, Context, Event, Service};
use zc_events_protocol::EncodeOptions;

use crate::support::{ManualFleet, PATIENCE, eventually};

#[test]
fn message_waits_for_its_eta_and_is_dropped_after_it_expires() {
    let fleet = ManualFleet::new("eta");
    let (seen, handled) = mpsc::channel();
    let service = Service::builder(&fleet.client())
        .on("later", move |context: &Context, _: Value| Ok(seen.send(context.id().map(str::to_owned))?))
        .start()
        .unwrap();
    let now = fleet.clock.wall();
    let held = Event::new("later");
    let options = EncodeOptions { eta: Some(now + Duration::from_secs(60)), ..EncodeOptions::default() };
    let encoded = held.encode(&options).unwrap();
    fleet.publish(&encoded.properties, &encoded.body);
    let expired = EncodeOptions { expires: Some(now - Duration::from_secs(1)), ..EncodeOptions::default() };
    let encoded = Event::new("later").encode(&expired).unwrap();
    fleet.publish(&encoded.properties, &encoded.body);
    // For so long it does not wait in memory.
    let waits = || fleet.broker().queue_len("orders-events.retry.1m") == Some(1);
    eventually(|| service.health().expired == 1 && service.health().under_way == 0 && waits());
    assert_eq!(handled.try_recv(), Err(mpsc::TryRecvError::Empty));
    fleet.clock.advance(Duration::from_secs(61));
    assert_eq!(handled.recv_timeout(PATIENCE).unwrap().as_deref(), Some(held.id()));
    assert_eq!(service.stop(PATIENCE).abandoned, 0);
}

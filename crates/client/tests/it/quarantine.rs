//! The quarantine: messages whose worker died while it handled them. In memory, where the test moves the time.

use std::sync::mpsc;
use std::time::Duration;

use uuid::Uuid;
use zc_events::{Clock, Context, Dedup, Event, EventClient, Retry, Service, Value};
use zc_events_cache::{Claim, ReplyStore};
use zc_events_protocol::EncodeOptions;
use zc_events_transport::{Broker, Outgoing};

use crate::support::{DEAD, ManualFleet, PATIENCE, QUARANTINE, QUEUE, eventually, nothing, reason};

#[test]
fn redelivered_message_is_handled_alone() {
    let fleet = ManualFleet::new("vanished");
    let client = fleet.client();
    let prepare = Service::builder(&client).on("order_created", nothing).start().unwrap();
    assert_eq!(prepare.stop(PATIENCE).abandoned, 0);
    client.emit(&Event::new("order_created")).unwrap();
    fleet.take_and_vanish(QUEUE);
    let (seen, handled) = mpsc::channel();
    let service = Service::builder(&client)
        .on("order_created", move |context: &Context, _: Value| {
            Ok(seen.send((context.attempt(), context.is_redelivered()))?)
        })
        // Even with a single attempt: the message may not be the one that ended the process.
        .retry(Retry::never())
        .start()
        .unwrap();
    assert_eq!(handled.recv_timeout(PATIENCE), Ok((1, true)));
    eventually(|| service.health().processed == 1 && service.health().quarantined == 1);
}

#[test]
fn message_that_kills_workers_is_dead_lettered_and_others_are_handled() {
    let fleet = ManualFleet::new("killer");
    let client = fleet.client();
    let start = || {
        Service::builder(&client)
            .on("kills", |_: &Context, _: Value| panic!("it is not to be run"))
            .on("works", nothing)
            .retry(Retry::attempts(3))
            .start()
            .unwrap()
    };
    assert_eq!(start().stop(PATIENCE).abandoned, 0);
    let event = Event::new("works");
    client.emit(&event).unwrap();
    fleet.take_and_vanish(QUEUE);
    // In the quarantine, as its third attempt, it is again the end of its worker.
    let encoded = event.encode(&EncodeOptions::default()).unwrap();
    let taken = fleet.empty(QUEUE);
    let mut properties = taken[0].properties.clone();
    properties.headers.get_or_insert_default().insert("x-zc-attempt".into(), 3.into());
    let copy = Outgoing {
        exchange: "",
        routing_key: QUARANTINE,
        mandatory: true,
        properties: &properties,
        body: &encoded.body,
    };
    let deadline = fleet.clock.deadline(PATIENCE);
    fleet.broker().send(&copy, deadline).unwrap().wait(deadline).unwrap();
    fleet.take_and_vanish(QUARANTINE);
    client.emit(&Event::new("works")).unwrap();
    let service = start();
    eventually(|| service.health().dead_lettered == 1 && service.health().processed == 1);
    drop(service);
    let letters = fleet.empty(DEAD);
    assert_eq!(letters.iter().map(reason).collect::<Vec<_>>(), ["worker_lost"]);
}

#[test]
fn quarantined_message_waits_for_the_claim_of_another_process() {
    let fleet = ManualFleet::new("claimed");
    let client = EventClient::new(fleet.settings().events_dedup(Dedup::Store).build().unwrap()).unwrap();
    let event = Event::new("mine");
    let encoded = event.encode(&Default::default()).unwrap();
    let who = Uuid::new_v5(&Uuid::NAMESPACE_OID, format!("{}/0", event.id()).as_bytes());
    let key = format!("zc-events:done:orders:{}", Uuid::new_v5(&who, &encoded.body).simple());
    let claimed = fleet.store().claim(&key, "another", Duration::from_secs(60), fleet.clock.deadline(PATIENCE));
    assert!(matches!(claimed, Ok(Claim::Granted)));
    let service = Service::builder(&client).on("mine", nothing).start().unwrap();
    fleet.send_to(QUARANTINE, &encoded.properties, &encoded.body);
    let start = fleet.clock.now();
    fleet.pass_time_until(&service, || fleet.clock.now() - start > Duration::from_secs(40));
    assert_eq!((fleet.broker().unacked(QUARANTINE), service.health().processed), (Some(1), 0));
    assert_eq!(fleet.broker().queue_len("orders-events.retry.15s"), None);
    fleet.pass_time_until(&service, || service.health().processed == 1);
}

#[test]
fn worker_lost_in_quarantine_counts_as_an_attempt() {
    let fleet = ManualFleet::new("left");
    let client = fleet.client();
    assert_eq!(Service::builder(&client).on("mine", nothing).start().unwrap().stop(PATIENCE).abandoned, 0);
    let encoded = Event::new("mine").encode(&Default::default()).unwrap();
    fleet.send_to(QUARANTINE, &encoded.properties, &encoded.body);
    fleet.take_and_vanish(QUARANTINE);
    let (seen, handled) = mpsc::channel();
    let service = Service::builder(&client)
        .on("mine", move |context: &Context, _: Value| Ok(seen.send(context.attempt())?))
        .start()
        .unwrap();
    assert_eq!(handled.recv_timeout(PATIENCE), Ok(2));
    eventually(|| service.health().processed == 1 && service.health().dead_lettered == 0);
}

//! Messages that become dead letters, and a dead-letter queue that takes nothing. In memory.

use std::time::Duration;

use zc_events::{Clock, Event, EventClient, Service};
use zc_events_protocol::{EncodeOptions, Headers, Properties};

use crate::support::{DEAD, ManualFleet, QUEUE, declare_full, eventually, nothing, reason};

#[test]
fn malformed_or_too_large_message_is_dead_lettered_if_it_is_for_this_service() {
    let fleet = ManualFleet::new("limits");
    let settings = fleet.settings().events_max_body(2000).events_max_headers(1024);
    let client = EventClient::new(settings.build().unwrap()).unwrap();
    let service = Service::builder(&client).on("mine", nothing).start().unwrap();
    let message = |event_type: &str, headers: Headers, size: usize| {
        let event = Event::new(event_type).set("text", "x".repeat(size)).unwrap();
        let encoded = event.encode(&EncodeOptions::default()).unwrap();
        fleet.publish(&Properties { headers: Some(headers), ..encoded.properties }, &encoded.body);
    };
    let large = || Headers::from([("note".to_owned(), "x".repeat(2000).into())]);
    message("mine", large(), 0);
    message("mine", Headers::new(), 3000);
    message("theirs", large(), 3000);
    message("mine", Headers::new(), 0);
    eventually(|| {
        service.health().processed == 1 && service.health().dead_lettered == 2 && service.health().ignored == 1
    });
    drop(service);
    let letters = fleet.empty(DEAD);
    let mut reasons: Vec<_> = letters.iter().map(reason).collect();
    reasons.sort_unstable();
    assert_eq!(reasons, ["headers_too_large", "too_large"]);
    assert!(letters.iter().any(|letter| letter.body.len() > 3000));
}

#[test]
fn full_dead_letter_queue_keeps_the_message_until_there_is_room() {
    let fleet = ManualFleet::new("dead-full");
    let client = fleet.client();
    declare_full(&fleet, DEAD);
    let service = Service::builder(&client).on("mine", nothing).start().unwrap();
    let encoded = Event::new("mine").encode(&Default::default()).unwrap();
    let properties = Properties { content_type: Some("application/x-python-serialize".into()), ..encoded.properties };
    fleet.publish(&properties, &encoded.body);
    let start = fleet.clock.now();
    fleet.pass_time_until(&service, || fleet.clock.now() - start > Duration::from_secs(100));
    assert_eq!((service.health().dead_lettered, fleet.broker().unacked(QUEUE)), (0, Some(1)));
    assert!(fleet.broker().delete_queue(DEAD));
    fleet.pass_time_until(&service, || service.health().dead_lettered == 1);
    eventually(|| fleet.broker().unacked(QUEUE) == Some(0));
    assert_eq!(fleet.broker().queue_len(DEAD), Some(1));
}

//! How a service stops. In memory.

use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use zc_events::{Context, Error, Event, HandlerError, Service, Value};

use crate::support::{ManualFleet, PATIENCE, eventually, nothing};

#[test]
fn service_handle_stops_run_until_signal() {
    let service = Service::builder(&ManualFleet::new("handle").client()).start().unwrap();
    let handle = service.handle();
    let running = thread::spawn(|| service.run_until_signal());
    handle.stop();
    assert_eq!(running.join().unwrap().unwrap().abandoned, 0);
    assert!(!handle.health().consuming);
}

#[test]
fn closing_the_client_stops_its_services() {
    let fleet = ManualFleet::new("closed");
    let client = fleet.client();
    let service = Service::builder(&client).on("noted", nothing).start().unwrap();
    client.close(PATIENCE).unwrap();
    assert!(matches!(client.emit(&Event::new("noted")), Err(Error::Closed)));
    assert_eq!(service.run_until_signal().unwrap().abandoned, 0);
}

#[test]
fn stop_abandons_a_stuck_handler_and_requeues_its_message() {
    let fleet = ManualFleet::new("stuck");
    let client = fleet.client();
    let (release, stuck) = mpsc::channel::<()>();
    let (begin, begun) = mpsc::channel();
    let stuck = std::sync::Mutex::new(stuck);
    let service = Service::builder(&client)
        .on("stuck", move |_: &Context, _: Value| {
            begin.send(())?;
            Ok(stuck.lock().map_err(|_| HandlerError::new("poisoned"))?.recv()?)
        })
        .start()
        .unwrap();
    client.emit(&Event::new("stuck")).unwrap();
    begun.recv_timeout(PATIENCE).unwrap();
    let handle = service.handle();
    let stopping = thread::spawn(move || service.stop(Duration::from_secs(5)));
    eventually(|| handle.health().stopping);
    fleet.clock.advance(Duration::from_secs(6));
    assert_eq!(stopping.join().unwrap().abandoned, 1);
    assert_eq!(fleet.broker().queue_len("orders-events"), Some(1));
    drop(release);
}

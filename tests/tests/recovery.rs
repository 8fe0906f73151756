//! Connections that are cut while they are in use, by a proxy between client and broker.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use integration_tests::proxy::{Ending, Proxy};
use integration_tests::{broker_url, eventually, unique};
use serde_json::Value;
use zc_events::{Context, Event, EventClient, Service, Settings};

const PATIENCE: Duration = Duration::from_secs(30);

#[test]
fn a_service_and_its_client_come_back_and_lose_nothing_confirmed() {
    let (proxy, url) = Proxy::before(&broker_url()).unwrap();
    let settings =
        Settings::builder().broker_url(url).events_exchange(unique("recovery")).service_name(unique("recovery"));
    let client = EventClient::new(settings.build().unwrap()).unwrap();
    let seen: Arc<Mutex<std::collections::HashSet<u64>>> = Arc::default();
    let handled = Arc::clone(&seen);
    let service = Service::builder(&client)
        .on("count", move |_: &Context, payload: Value| {
            handled.lock().unwrap().extend(payload["n"].as_u64());
            Ok(())
        })
        .start()
        .unwrap();

    let sent = Arc::new(AtomicU64::new(0));
    let (emitter, counter) = (client.clone(), Arc::clone(&sent));
    let emitting = thread::spawn(move || {
        let mut confirmed = Vec::new();
        for n in 0..1000u64 {
            let event = Event::new("count").set("n", n).unwrap();
            if emitter.emit(&event).is_ok() {
                confirmed.push(n);
            }
            counter.store(n, Ordering::SeqCst);
        }
        confirmed
    });
    for cut in 1..=5 {
        eventually(PATIENCE, || sent.load(Ordering::SeqCst) >= cut * 150);
        proxy.cut_all(Ending::Fin);
    }
    let confirmed = emitting.join().unwrap();
    assert!(confirmed.len() > 950, "only {} of 1000 were confirmed", confirmed.len());
    eventually(PATIENCE, || {
        let seen = seen.lock().unwrap();
        confirmed.iter().all(|n| seen.contains(n))
    });
    eventually(PATIENCE, || service.health().consuming);
}

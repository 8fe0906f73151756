//! Connections that are cut while they are in use, by a proxy between client and broker.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use integration_tests::proxy::{Ending, Mode, Proxy, Way};
use integration_tests::{broker_url, eventually, redis_url, unique, wait_until};
use serde_json::Value;
use zc_events::{
    Context, Document, Error, Event, EventClient, Outcome, ResourceObject, ResourceView, Service, Settings,
    SettingsBuilder, ViewResult,
};

const PATIENCE: Duration = Duration::from_secs(30);

/// The broker says which exchange is missing and not which message it refused: some may have been routed before.
#[test]
fn deleted_exchange_is_declared_again() {
    let exchange = unique("deleted");
    let settings = Settings::builder().broker_url(broker_url()).events_exchange(&exchange).service_name("unbound");
    let client = EventClient::new(settings.build().unwrap()).unwrap();
    // No queue is bound.
    assert!(matches!(client.emit(&Event::new("first")), Err(Error::Unroutable { .. })));
    let mut connection = amiquip::Connection::insecure_open(&broker_url()).unwrap();
    connection.open_channel(None).unwrap().exchange_delete(&exchange, false).unwrap();
    connection.close().unwrap();

    let events: Vec<Event> = (0..300).map(|_| Event::new("many")).collect();
    let errors: Vec<Error> = client.emit_many(&events).into_iter().filter_map(Result::err).collect();
    assert_eq!(errors.len(), events.len());
    // How many were out when the broker refused one is a matter of who is faster: of one alone it is known that it was
    // refused, of several of none.
    let refused: Vec<_> = errors.iter().filter(|error| !matches!(error, Error::Unroutable { .. })).collect();
    assert!(!refused.is_empty(), "{errors:?}");
    for error in refused {
        assert!(error.to_string().contains(&exchange), "{error:?}");
        assert!(matches!(error, Error::Rejected { .. }) || error.outcome() == Outcome::Unknown, "{error:?}");
    }
    // There again, and as empty as it was.
    assert!(client.emit_many(&events).iter().all(|emitted| matches!(emitted, Err(Error::Unroutable { .. }))));
}

#[test]
fn service_and_client_reconnect_and_lose_nothing_confirmed() {
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

struct Orders;

impl ResourceView for Orders {
    fn retrieve(&self, _: &Context, pk: &str) -> ViewResult {
        Ok(Document::one(ResourceObject::new("Order", pk).attributes(&serde_json::json!({"name": "Lunch"}))?).into())
    }
}

#[test]
fn slow_store_does_not_end_a_request_before_its_deadline() {
    // Another database than the first has to be asked for: opening a connection takes an answer, too.
    let redis = redis_url().replace("/0", "/1");
    let (proxy, slow) = Proxy::before(&redis).unwrap();
    let settings: SettingsBuilder =
        Settings::builder().broker_url(broker_url()).events_exchange(unique("slow")).events_timeout(PATIENCE);
    let server = settings.clone().events_redis_url(redis).service_name(unique("slow")).build().unwrap();
    let _service = Service::builder(&EventClient::new(server).unwrap()).resource("Order", Orders).start().unwrap();
    let client = EventClient::new(settings.events_redis_url(slow).build().unwrap()).unwrap();
    // Before there is a connection, and once there is one.
    for held in 1..=2 {
        proxy.set(Way::Both, Mode::Hold);
        let asking = client.clone();
        let answer = thread::spawn(move || asking.get_remote_resource::<Value>("Order", "1"));
        // Beyond the short look that comes first, and what that is given to end.
        let ends_early = wait_until(Duration::from_secs(1), || answer.is_finished()).is_ok();
        proxy.set(Way::Both, Mode::Pass);
        assert_eq!(answer.join().unwrap().unwrap()["name"], "Lunch", "{held}");
        assert!(!ends_early, "{held}");
    }
}

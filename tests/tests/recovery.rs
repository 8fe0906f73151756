//! Connections that are cut while they are in use, by a proxy between client and broker.

use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use integration_tests::{broker_url, eventually, unique};
use serde_json::Value;
use zc_events::{Context, Event, EventClient, Service, Settings};

const PATIENCE: Duration = Duration::from_secs(30);

/// Passes bytes between clients and the broker until it cuts them off.
struct Proxy {
    address: String,
    open: Arc<Mutex<Vec<TcpStream>>>,
}

impl Proxy {
    fn start(target: String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let open: Arc<Mutex<Vec<TcpStream>>> = Arc::default();
        let registry = Arc::clone(&open);
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let Ok(server) = TcpStream::connect(&target) else { continue };
                registry.lock().unwrap().extend([client.try_clone().unwrap(), server.try_clone().unwrap()]);
                for (mut from, mut to) in [(client.try_clone().unwrap(), server.try_clone().unwrap()), (server, client)]
                {
                    thread::spawn(move || {
                        let _ = std::io::copy(&mut from, &mut to);
                        let _ = to.shutdown(Shutdown::Both);
                    });
                }
            }
        });
        Self { address, open }
    }

    fn cut_all(&self) {
        for stream in self.open.lock().unwrap().drain(..) {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }
}

#[test]
fn a_service_and_its_client_come_back_and_lose_nothing_confirmed() {
    let direct = broker_url();
    let address = direct.split("://").nth(1).unwrap().rsplit('@').next().unwrap().split('/').next().unwrap();
    let proxy = Proxy::start(address.to_owned());
    let settings = Settings::builder()
        .broker_url(format!("amqp://guest:guest@{}/", proxy.address))
        .events_exchange(unique("recovery"))
        .service_name(unique("recovery"));
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
        proxy.cut_all();
    }
    let confirmed = emitting.join().unwrap();
    assert!(confirmed.len() > 950, "only {} of 1000 were confirmed", confirmed.len());
    eventually(PATIENCE, || {
        let seen = seen.lock().unwrap();
        confirmed.iter().all(|n| seen.contains(n))
    });
    eventually(PATIENCE, || service.health().consuming);
}

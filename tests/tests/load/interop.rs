//! Load beside Python: many events of either side to a Rust service and a Python service, and many requests each way. The
//! figures go to stdout.

mod beside_python {
    use std::io::Write;
    use std::sync::atomic::{AtomicU64, Ordering};
    use std::sync::{Arc, Mutex, PoisonError};
    use std::thread;
    use std::time::{Duration, Instant};

    use integration_tests::{eventually, wait_until};
    use interop_python::{Fleet, PATIENCE};
    use serde_json::{Value, json};
    use uuid::Uuid;
    use zc_events::{Context, Document, Event, HandlerError, ResourceObject, ResourceView, Service, ViewResult};

    use crate::alone;

    const EVENTS: u64 = 20_000;
    const REQUESTS: u64 = 2_000;
    /// Callers at once, on either side.
    const CALLERS: u64 = 4;
    /// For all events to arrive everywhere.
    const LONG: Duration = Duration::from_secs(300);

    /// A line that is seen whether the test passes or not.
    fn say(line: &str) {
        let mut stdout = std::io::stdout().lock();
        writeln!(stdout, "{line}").and_then(|()| stdout.flush()).unwrap();
    }

    fn per_second(count: u64, took: Duration) -> f64 {
        (count as f64 / took.as_secs_f64()).round()
    }

    /// The payload of an event of the load: `specimens.py` has the same.
    fn numbered(number: u64) -> Value {
        json!({
            "n": number,
            "name": format!("café / 中 🍕 {}", number * 7919 % 1000),
            "half": number as f64 / 2.0,
            "tags": [(number % 10).to_string(), null, number.is_multiple_of(3)],
            "meta": {"id": number * 1_000_003, "deep": {"list": [[], {}, number]}},
        })
    }

    fn digest(mut lines: Vec<String>) -> String {
        lines.sort_unstable();
        Uuid::new_v5(&Uuid::NAMESPACE_OID, lines.join("\n").as_bytes()).to_string()
    }

    /// Who emits: gives how long it took, and a digest of what was emitted.
    type Emit<'a> = &'a mut dyn FnMut() -> (Duration, String);

    /// A service of ours and a Python one beside it, each with all events as they were meant.
    fn both_handle_all(fleet: &Fleet, who: &str, emit: Emit<'_>) {
        let lines = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&lines);
        let service = Service::builder(&fleet.client("ours"))
            .on("counted", move |_: &Context, payload: Value| {
                kept.lock().unwrap_or_else(PoisonError::into_inner).push(payload.to_string());
                Ok(())
            })
            .start()
            .unwrap();
        let mut worker = fleet.worker("python").prefetch(50).start();
        let begun = Instant::now();
        // Asked while they are emitted, so that the times are theirs.
        let arrived = AtomicU64::new(0);
        let (emitted, theirs) = thread::scope(|scope| {
            let watch = scope.spawn(|| {
                let _ = wait_until(LONG, || service.health().processed == EVENTS);
                arrived.store(begun.elapsed().as_millis() as u64, Ordering::SeqCst);
            });
            let emitted = emit();
            let wanted = usize::try_from(EVENTS).unwrap();
            let theirs = wait_until(LONG, || worker.count_of_lines() == wanted).map_or(LONG, |()| begun.elapsed());
            watch.join().unwrap();
            (emitted, theirs)
        });
        let ours = Duration::from_millis(arrived.load(Ordering::SeqCst));
        let our_lines = std::mem::take(&mut *lines.lock().unwrap_or_else(PoisonError::into_inner));
        let their_lines = worker.lines();
        for (what, count, took) in [
            (format!("{who} emitted"), EVENTS, emitted.0),
            ("ours handled".to_owned(), our_lines.len() as u64, ours),
            ("Python handled".to_owned(), their_lines.len() as u64, theirs),
        ] {
            say(&format!("{what} {count} events by {:.1} s ({}/s)", took.as_secs_f64(), per_second(count, took)));
        }
        assert_eq!((our_lines.len() as u64, their_lines.len() as u64), (EVENTS, EVENTS));
        let meant = digest((0..EVENTS).map(|number| numbered(number).to_string()).collect());
        let (ours, theirs) = (digest(our_lines), digest(their_lines));
        say(&format!("digests: meant {meant}, emitted {}, ours {ours}, Python {theirs}", emitted.1));
        assert_eq!([emitted.1, ours, theirs], [&*meant; 3]);
        let health = service.health();
        assert_eq!((health.failed, health.duplicates, health.dead_lettered), (0, 0, 0));
    }

    #[test]
    fn events_of_python_reach_rust_and_python_unchanged() {
        let _alone = alone();
        let fleet = Fleet::new();
        let mut python = fleet.caller("caller");
        both_handle_all(&fleet, "Python", &mut || {
            python.begin("emit_many", json!({"event_type": "counted", "count": EVENTS}));
            let emitted = python.answer_within(LONG).unwrap();
            let took = Duration::from_secs_f64(emitted["seconds"].as_f64().unwrap());
            (took, emitted["digest"].as_str().unwrap().to_owned())
        });
    }

    #[test]
    fn events_of_rust_reach_rust_and_python_unchanged() {
        let _alone = alone();
        let fleet = Fleet::new();
        let client = fleet.client("caller");
        both_handle_all(&fleet, "ours", &mut || {
            let begun = Instant::now();
            let mut lines = Vec::new();
            for chunk in Vec::from_iter(0..EVENTS).chunks(500) {
                let events: Vec<Event> = chunk.iter().map(|number| event(&numbered(*number))).collect();
                for emitted in client.emit_many(&events) {
                    emitted.unwrap();
                }
                lines.extend(chunk.iter().map(|number| numbered(*number).to_string()));
            }
            (begun.elapsed(), digest(lines))
        });
    }

    fn event(payload: &Value) -> Event {
        let kwargs = payload.as_object().unwrap().iter();
        kwargs.fold(Event::new("counted"), |event, (name, value)| event.set(name, value).unwrap())
    }

    struct Numbers;

    impl ResourceView for Numbers {
        fn retrieve(&self, _: &Context, pk: &str) -> ViewResult {
            let number: u64 = pk.parse().map_err(|error| HandlerError::from(error).permanent())?;
            Ok(Document::one(ResourceObject::new("Number", pk).attributes(&json!({"number": number}))?).into())
        }
    }

    #[test]
    fn requests_both_ways_get_their_own_replies() {
        let _alone = alone();
        let fleet = Fleet::new();
        let service = Service::builder(&fleet.client("numbers")).resource("Number", Numbers).start().unwrap();
        let mut python = fleet.caller("caller");
        let begun = Instant::now();
        python.begin("ask_many", json!({"resource_type": "Number", "count": REQUESTS, "threads": CALLERS}));
        let asked = python.answer().unwrap();
        let took = begun.elapsed();
        say(&format!(
            "{REQUESTS} requests of Python, answered by ours: {:.1} s ({}/s), failed {}",
            took.as_secs_f64(),
            per_second(REQUESTS, took),
            asked["failed"],
        ));
        assert_eq!((&asked["failed"], &asked["failures"]), (&json!(0), &json!([])));
        // The last is counted after it was answered.
        eventually(PATIENCE, || service.health().processed == REQUESTS);
        drop(service);

        let _worker = fleet.worker("python").start();
        let client = fleet.client("ours");
        let (next, begun) = (AtomicU64::new(1), Instant::now());
        let failures = thread::scope(|scope| {
            let ask = || {
                let mut failures = Vec::new();
                loop {
                    let number = next.fetch_add(1, Ordering::SeqCst);
                    if number > REQUESTS {
                        return failures;
                    }
                    let request = client.remote("Order").pk(number).timeout(PATIENCE);
                    match request.fetch_resource::<Value>() {
                        Ok(order) if order.id == number.to_string() => {}
                        Ok(order) => failures.push(format!("asked for {number}, was answered with {}", order.id)),
                        Err(error) => failures.push(error.to_string()),
                    }
                }
            };
            let callers: Vec<_> = (0..CALLERS).map(|_| scope.spawn(ask)).collect();
            callers.into_iter().flat_map(|caller| caller.join().unwrap()).collect::<Vec<_>>()
        });
        let took = begun.elapsed();
        say(&format!(
            "{REQUESTS} requests of ours, answered by Python: {:.1} s ({}/s), failed {}",
            took.as_secs_f64(),
            per_second(REQUESTS, took),
            failures.len(),
        ));
        assert!(failures.is_empty(), "{:?}", failures.first());
    }
}

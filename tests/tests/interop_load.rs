//! Load, beside Python: many events of a Python program to a service of ours and a Python one, and many requests each way. A
//! program of its own, and one part after the other, so that each has the machine to itself. The figures go to stdout.

mod beside_python {
    use std::io::Write;
    use std::sync::atomic::{AtomicU64, Ordering};
    use std::sync::{Arc, Mutex, PoisonError};
    use std::thread;
    use std::time::{Duration, Instant};

    use integration_tests::python::{Fleet, PATIENCE};
    use integration_tests::{eventually, wait_until};
    use serde_json::{Value, json};
    use uuid::Uuid;
    use zc_events::{Context, Document, HandlerError, ResourceObject, ResourceView, Service, ViewResult};

    const EVENTS: u64 = 20_000;
    const REQUESTS: u64 = 2_000;
    /// Callers at once, on either side.
    const CALLERS: u64 = 4;
    /// For all events to arrive everywhere.
    const LONG: Duration = Duration::from_secs(300);

    static ALONE: Mutex<()> = Mutex::new(());

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
            "tags": [(number % 10).to_string(), null, number % 3 == 0],
            "meta": {"id": number * 1_000_003, "deep": {"list": [[], {}, number]}},
        })
    }

    fn digest(mut lines: Vec<String>) -> String {
        lines.sort_unstable();
        Uuid::new_v5(&Uuid::NAMESPACE_OID, lines.join("\n").as_bytes()).to_string()
    }

    #[test]
    fn many_events_of_python_arrive_at_both_as_they_were() {
        let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
        let fleet = Fleet::new();
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
        let mut python = fleet.caller("caller");
        let begun = Instant::now();
        python.begin("emit_many", json!({"event_type": "counted", "count": EVENTS}));
        let emitted = python.answer().unwrap();
        let emitting = begun.elapsed();
        let ours = wait_until(LONG, || service.health().processed == EVENTS).map(|()| begun.elapsed());
        let wanted = usize::try_from(EVENTS).unwrap();
        let theirs = wait_until(LONG, || worker.count_of_lines() == wanted).map(|()| begun.elapsed());
        let (ours, theirs) = (ours.unwrap_or(LONG), theirs.unwrap_or(LONG));

        let our_lines = std::mem::take(&mut *lines.lock().unwrap_or_else(PoisonError::into_inner));
        let their_lines = worker.lines();
        say(&format!(
            "{EVENTS} events of Python: emitted in {:.1} s ({}/s); ours handled {} by {:.1} s ({}/s); Python handled {} by {:.1} s ({}/s)",
            emitting.as_secs_f64(),
            per_second(EVENTS, emitting),
            our_lines.len(),
            ours.as_secs_f64(),
            per_second(EVENTS, ours),
            their_lines.len(),
            theirs.as_secs_f64(),
            per_second(EVENTS, theirs),
        ));
        assert_eq!((our_lines.len(), their_lines.len()), (wanted, wanted));
        let meant = digest((0..EVENTS).map(|number| numbered(number).to_string()).collect());
        let (ours, theirs) = (digest(our_lines), digest(their_lines));
        say(&format!("digests: meant {meant}; emitted {}; ours {ours}; Python {theirs}", emitted["digest"]));
        assert_eq!((emitted["digest"].as_str(), ours.as_str(), theirs.as_str()), (Some(&*meant), &*meant, &*meant));
        let health = service.health();
        assert_eq!((health.failed, health.duplicates, health.dead_lettered), (0, 0, 0));
    }

    struct Numbers;

    impl ResourceView for Numbers {
        fn retrieve(&self, _: &Context, pk: &str) -> ViewResult {
            let number: u64 = pk.parse().map_err(|error| HandlerError::from(error).permanent())?;
            Ok(Document::one(ResourceObject::new("Number", pk).attributes(&json!({"number": number}))?).into())
        }
    }

    #[test]
    fn many_requests_each_way_are_answered_each_with_its_own() {
        let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
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

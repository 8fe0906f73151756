//! Many answers awaited together on a real Redis: what that costs, and what becomes of them.

use std::time::Duration;

use integration_tests::proxy::{Mode, Proxy, Way};
use integration_tests::{broker_url, eventually, redis_url, unique};
use zc_events::{Context, EventClient, PendingSet, Service, Settings};

const PATIENCE: Duration = Duration::from_secs(60);
const CALLS: u64 = 2_000;

/// A service that adds one, and the client of its caller.
fn fleet(redis: &str) -> (Service, EventClient) {
    let exchange = unique("gather");
    let settings = |redis: &str| {
        Settings::builder()
            .broker_url(broker_url())
            .events_redis_url(redis)
            .events_exchange(&exchange)
            .service_name(&exchange)
            .events_timeout(PATIENCE)
            .build()
            .unwrap()
    };
    let server = EventClient::new(settings(&redis_url())).unwrap();
    let service = Service::builder(&server).call("next", |_: &Context, n: u64| Ok(n + 1)).start().unwrap();
    (service, EventClient::new(settings(redis)).unwrap())
}

fn called(client: &EventClient) -> PendingSet<u64> {
    (0..CALLS).map(|n| client.get("next").data(n).unwrap().send().unwrap()).collect()
}

#[test]
fn cost_of_a_ready_reply_does_not_grow_with_their_number() {
    let (proxy, redis) = Proxy::before(&redis_url()).unwrap();
    let (service, client) = fleet(&redis);
    let set = called(&client);
    eventually(PATIENCE, || service.health().processed == CALLS);
    let [before, _] = proxy.passed();
    let sums: Vec<u64> = set.wait_all(PATIENCE).into_iter().map(Result::unwrap).collect();
    assert_eq!(sums, Vec::from_iter(1..=CALLS));
    // A key has 36 letters. All keys with each answer would be 100 MB.
    let [after, _] = proxy.passed();
    assert!(after - before < CALLS * 36 * 10, "{} bytes were sent to Redis", after - before);
}

#[test]
fn replies_arrive_one_by_one_as_they_are_pushed() {
    let (_service, client) = fleet(&redis_url());
    let mut set = called(&client);
    let mut seen = vec![false; CALLS as usize];
    while let Some((index, sum)) = set.wait_any(PATIENCE) {
        assert_eq!(sum.unwrap(), index as u64 + 1);
        assert!(!std::mem::replace(&mut seen[index], true), "{index} came twice");
    }
    assert!(set.is_empty() && seen.iter().all(|seen| *seen));
}

#[test]
fn stalled_redis_ends_each_request_by_its_deadline() {
    let (proxy, redis) = Proxy::before(&redis_url()).unwrap();
    let (service, client) = fleet(&redis);
    let set = called(&client);
    eventually(PATIENCE, || service.health().processed == CALLS);
    proxy.set(Way::Down, Mode::Hold);
    let all = set.wait_all(Duration::from_secs(2));
    assert_eq!(all.len() as u64, CALLS);
    assert!(all.iter().all(|end| end.as_ref().is_err_and(zc_events::Error::is_timeout)), "{:?}", all.first());
}

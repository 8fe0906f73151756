//! Listening to notifications: whose they are, and what becomes of those whose handlers fail. In memory, with the time
//! in the test's hand.

use std::sync::{Arc, Mutex, mpsc};

use serde_json::{Value, json};
use zc_events::{Channel, Context, Event, HandlerError, Retry, Service};
use zc_events_protocol::{HeaderValue, names};
use zc_events_transport::Delivery;

use crate::support::{ManualFleet, PATIENCE, eventually, vectors};

const QUEUE: &str = "orders-notifications";

fn nothing(_: &Context, _: Value) -> Result<(), HandlerError> {
    Ok(())
}

fn header<'a>(letter: &'a Delivery, name: &str) -> Option<&'a str> {
    letter.properties.headers.as_ref()?.get(name).and_then(HeaderValue::as_str)
}

type Seen = (String, Option<Channel>, u32, Value);

/// A handler that notes what it gets.
fn noting(seen: &mpsc::Sender<Seen>) -> impl Fn(&Context, Value) -> Result<(), HandlerError> + Send + Sync + 'static {
    let seen = Mutex::new(seen.clone());
    move |context, payload| {
        assert!(context.is_notification());
        let seen = seen.lock().map_err(|_| HandlerError::new("poisoned"))?;
        Ok(seen.send((context.event_type().to_owned(), context.channel(), context.attempt(), payload))?)
    }
}

#[test]
fn channel_handler_precedes_the_general_handler() {
    let fleet = ManualFleet::new("notifications-channels");
    let client = fleet.client();
    let ((texts, text), (others, other)) = (mpsc::channel(), mpsc::channel());
    let service = Service::builder(&client)
        .on_notification(Channel::Text, "shipped", noting(&texts))
        .on_notification(None, "shipped", noting(&others))
        .on_notification(Channel::Slack, "alarm", nothing)
        .start()
        .unwrap();
    let event = Event::new("shipped").set("to", ["a@b.c"]).unwrap();
    for channel in [Channel::Email, Channel::Text, Channel::Push] {
        // One event, and its id, on three ways: none is a duplicate of another.
        client.notify(channel, &event).unwrap();
    }
    client.notify(Channel::Email, &Event::new("alarm")).unwrap();
    eventually(|| service.health().processed == 3 && service.health().ignored == 1);
    let payload = json!({"to": ["a@b.c"]});
    assert_eq!(text.try_iter().collect::<Vec<_>>(), [("shipped".into(), Some(Channel::Text), 1, payload.clone())]);
    let mut channels: Vec<_> = other.try_iter().map(|(_, channel, ..)| channel.unwrap().routing_key()).collect();
    channels.sort_unstable();
    assert_eq!(channels, ["microservice.notification.email", "microservice.notification.push"]);
    // The same once more is one.
    client.notify(Channel::Email, &event).unwrap();
    eventually(|| service.health().duplicates == 1);
}

#[test]
fn notifications_of_python_are_decoded_in_every_form() {
    let fleet = ManualFleet::new("notifications-python");
    let (seen, handled) = mpsc::channel();
    let service = Service::builder(&fleet.client())
        .on_notification(None, "send_email", noting(&seen))
        .on_notification(None, "send_text", noting(&seen))
        .on_notification(None, "order_created", noting(&seen))
        .start()
        .unwrap();
    let vectors = [
        ("head_notif_email", Some(Channel::Email)),
        ("v0310_notif_text", Some(Channel::Text)),
        // Through Celery's router, whose key is literally a wildcard.
        ("celery3_send_task_notification", None),
        ("celery4_send_task_notification", None),
        ("celery5_send_task_notification", None),
    ];
    for (name, channel) in vectors {
        let vector = vectors::read(name);
        let routing_key = vector["routing_key"].as_str().unwrap();
        assert_eq!(channel.is_none(), routing_key == names::NOTIFICATION_WILDCARD, "{name}");
        fleet.publish_notification(routing_key, &vectors::properties(&vector), vectors::body(&vector));
        let (event_type, told, attempt, payload) = handled.recv_timeout(PATIENCE).unwrap();
        let task = vectors::task(&vector);
        assert_eq!((Some(event_type.as_str()), told, attempt), (task.event_type(), channel, 1), "{name}");
        let mut kwargs = task.kwargs.clone();
        kwargs.remove("task_id");
        assert_eq!(payload, Value::Object(kwargs), "{name}");
    }
    eventually(|| service.health().processed == 5);
}

#[test]
fn event_and_notification_of_one_name_have_separate_handlers() {
    let fleet = ManualFleet::new("notifications-names");
    let client = fleet.client();
    let (events, event) = mpsc::channel();
    let (seen, notification) = mpsc::channel();
    let service = Service::builder(&client)
        .on("shipped", move |context: &Context, _: Value| {
            assert!(!context.is_notification() && context.channel().is_none());
            Ok(events.send(context.attempt())?)
        })
        .on_notification(Channel::Email, "shipped", noting(&seen))
        .start()
        .unwrap();
    let shipped = Event::new("shipped");
    client.emit(&shipped).unwrap();
    client.notify(Channel::Email, &shipped).unwrap();
    // The task says what a message is, in any queue: for example a dead letter that was put back.
    let vector = vectors::read("celery5_send_task_notification");
    let body = String::from_utf8(vectors::body(&vector).to_vec()).unwrap().replace("order_created", "shipped");
    fleet.send_to("orders-events", &vectors::properties(&vector), body.as_bytes());
    eventually(|| service.health().processed == 2 && service.health().ignored == 1);
    assert_eq!((event.try_iter().count(), notification.try_iter().count()), (1, 1));
}

#[test]
fn failing_notification_is_retried_as_a_notification_then_dead_lettered() {
    let fleet = ManualFleet::new("notifications-retry");
    let client = fleet.client();
    let attempts = Arc::new(Mutex::new(Vec::new()));
    let noted = Arc::clone(&attempts);
    let service = Service::builder(&client)
        .on("shipped", |_: &Context, _: Value| panic!("it is no event"))
        .on_notification(Channel::Push, "shipped", move |context: &Context, _: Value| {
            noted.lock().map_err(|_| HandlerError::new("poisoned"))?.push((context.attempt(), context.channel()));
            Err(HandlerError::new("no device"))
        })
        .retry(Retry::attempts(3))
        .start()
        .unwrap();
    client.notify(Channel::Push, &Event::new("shipped")).unwrap();
    eventually(|| service.health().retried == 1);
    let waiting = |queue: String| fleet.broker().queue_len(&queue);
    let delays = ["1s", "5s"];
    let in_retry: usize = delays.iter().filter_map(|it| waiting(format!("orders-notifications.retry.{it}"))).sum();
    assert_eq!(in_retry, 1);
    assert!(delays.iter().all(|it| waiting(format!("orders-events.retry.{it}")).is_none()));
    fleet.pass_time_until(&service, || service.health().dead_lettered == 1);
    let push = Some(Channel::Push);
    assert_eq!(*attempts.lock().unwrap(), [(1, push), (2, push), (3, push)]);
    drop(service);
    let letters = fleet.empty("orders-events.dead");
    assert_eq!(header(&letters[0], "x-zc-reason"), Some("failed"));
    assert_eq!(header(&letters[0], "x-zc-exchange"), Some("microservice-notifications-test"));
    assert_eq!(header(&letters[0], "x-zc-routing-key"), Some("microservice.notification.push"));
}

#[test]
fn redelivered_notification_is_quarantined_and_keeps_its_channel() {
    let fleet = ManualFleet::new("notifications-vanished");
    let client = fleet.client();
    let start = |seen: &mpsc::Sender<Seen>| {
        Service::builder(&client).on_notification(Channel::Email, "shipped", noting(seen)).start().unwrap()
    };
    let (seen, handled) = mpsc::channel();
    assert_eq!(start(&seen).stop(PATIENCE).abandoned, 0);
    client.notify(Channel::Email, &Event::new("shipped")).unwrap();
    fleet.take_and_vanish(QUEUE);
    let service = start(&seen);
    let (_, channel, attempt, _) = handled.recv_timeout(PATIENCE).unwrap();
    assert_eq!((channel, attempt), (Some(Channel::Email), 1));
    eventually(|| service.health().quarantined == 1 && service.health().processed == 1);
}

#[test]
fn notification_queue_exists_only_with_a_handler_and_duplicates_are_refused() {
    let fleet = ManualFleet::new("notifications-none");
    let client = fleet.client();
    let service = Service::builder(&client).on("shipped", nothing).start().unwrap();
    assert_eq!(fleet.broker().queue_len(QUEUE), None);
    assert!(client.notify(Channel::Email, &Event::new("shipped")).is_err());
    drop(service);
    let listening = Service::builder(&client).on_notification(None, "shipped", nothing).start().unwrap();
    assert_eq!(fleet.broker().queue_len(QUEUE), Some(0));
    assert!(listening.health().is_ready());
    assert_eq!(listening.stop(PATIENCE).abandoned, 0);
    let twice = Service::builder(&client)
        .on_notification(Channel::Email, "shipped", nothing)
        .on_notification(Channel::Email, "shipped", nothing)
        .start();
    assert!(twice.unwrap_err().to_string().contains("two handlers"));
}

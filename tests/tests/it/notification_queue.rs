//! Listening to notifications on RabbitMQ: what Python publishes, what fails and comes back, and a queue that a Python
//! service has declared before.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use integration_tests::{broker_url, eventually, unique};
use serde_json::Value;
use zc_events::{Channel, Context, Event, EventClient, HandlerError, Retry, Service, Settings};

const PATIENCE: Duration = Duration::from_secs(20);

/// As Celery 5 puts it there through the router of zc_events.
const OF_CELERY: &[u8] =
    br#"[["shipped"], {"to": ["a@b.c"]}, {"callbacks": null, "errbacks": null, "chain": null, "chord": null}]"#;

fn client(name: &str) -> EventClient {
    let settings = Settings::builder()
        .broker_url(broker_url())
        .events_exchange(format!("{name}-events"))
        .notifications_exchange(format!("{name}-notifications"))
        .service_name(format!("{name}-mails"));
    EventClient::new(settings.build().unwrap()).unwrap()
}

#[test]
fn notifications_of_every_kind_arrive_and_are_retried() {
    let name = unique("notifications");
    let client = client(&name);
    let seen: Arc<Mutex<Vec<_>>> = Arc::default();
    let noted = Arc::clone(&seen);
    let service = Service::builder(&client)
        .on("shipped", |_: &Context, _: Value| Err(HandlerError::new("it is no event").permanent()))
        .on_notification(None, "shipped", move |context: &Context, _: Value| {
            let attempt = context.attempt();
            noted.lock().map_err(|_| HandlerError::new("poisoned"))?.push((context.channel(), attempt));
            if attempt == 1 && context.channel() == Some(Channel::Email) {
                return Err(HandlerError::new("the mail server is down"));
            }
            Ok(())
        })
        .retry(Retry::attempts(2).backoff(Duration::from_secs(1), Duration::from_secs(1)))
        .start()
        .unwrap();
    client.notify(Channel::Email, &Event::new("shipped")).unwrap();
    client.notify(Channel::Push, &Event::new("shipped")).unwrap();

    let mut connection = amiquip::Connection::insecure_open(&broker_url()).unwrap();
    let channel = connection.open_channel(None).unwrap();
    let mut headers = amiquip::FieldTable::new();
    for (name, value) in [("task", "microservice.notification".to_owned()), ("id", unique("id"))] {
        headers.insert(name.to_owned(), amiquip::AmqpValue::LongString(value));
    }
    let properties =
        amiquip::AmqpProperties::default().with_content_type("application/json".into()).with_headers(headers);
    let publish = amiquip::Publish::with_properties(OF_CELERY, "microservice.notification.*", properties);
    channel.basic_publish(client.settings().notifications_exchange(), publish).unwrap();

    eventually(PATIENCE, || service.health().processed == 3);
    let mut seen = seen.lock().unwrap().clone();
    seen.sort_by_key(|(channel, attempt)| (channel.map(Channel::routing_key), *attempt));
    let (email, push) = (Some(Channel::Email), Some(Channel::Push));
    assert_eq!(seen, [(None, 1), (email, 1), (email, 2), (push, 1)]);
    assert_eq!((service.health().failed, service.health().retried), (1, 1));
    drop(service);
    connection.close().unwrap();
}

#[test]
fn queue_declared_by_python_is_used_unchanged() {
    let name = unique("notifications");
    let client = client(&name);
    let queue = format!("{name}-mails-notifications");
    let mut connection = amiquip::Connection::insecure_open(&broker_url()).unwrap();
    let channel = connection.open_channel(None).unwrap();
    // With priorities, which the worker of the captured topology has not, nor ours.
    let mut options = amiquip::QueueDeclareOptions { durable: true, ..amiquip::QueueDeclareOptions::default() };
    options.arguments.insert("x-max-priority".to_owned(), amiquip::AmqpValue::LongInt(10));
    channel.queue_declare(queue.as_str(), options).unwrap();
    let listen = || Service::builder(&client).on_notification(Channel::Text, "shipped", |_: &Context, _: Value| Ok(()));
    let service = listen().start().unwrap();
    client.notify(Channel::Text, &Event::new("shipped").priority(9)).unwrap();
    eventually(PATIENCE, || service.health().processed == 1);
    drop(service);
    assert!(listen().strict_topology().start().unwrap_err().to_string().contains("x-max-priority"));
    connection.close().unwrap();
}

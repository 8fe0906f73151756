//! Python's settings and ours.

use zc_events::SettingsBuilder;

use crate::migrating::page::cell;

/// A setting.
pub(crate) struct Row {
    /// Its name in the Python service's settings.
    pub(crate) python: &'static str,
    /// Its variable here; the same, as a rule.
    variable: &'static str,
    /// In code, as it stands here.
    rust: &'static str,
    note: &'static str,
    pub(crate) set: fn(SettingsBuilder) -> SettingsBuilder,
}

macro_rules! rows {
    ($($python:literal, $variable:literal, $note:literal => |$settings:ident| $set:expr,)*) => {
        vec![$(Row {
            python: $python,
            variable: $variable,
            rust: stringify!($set),
            note: $note,
            set: |$settings| $set,
        }),*]
    };
}

/// As Markdown.
pub(crate) fn table() -> String {
    let mut text = "\n| Python | variable here | in code | |\n|---|---|---|---|\n".to_owned();
    for row in all() {
        text += &format!("| `{}` | `{}` | {} | {} |\n", row.python, row.variable, cell(row.rust), row.note);
    }
    text + "\n"
}

pub(crate) fn all() -> Vec<Row> {
    rows! {
        "SERVICE_NAME", "SERVICE_NAME", "the queue is `<SERVICE_NAME>-events`, as in Python" =>
            |settings| settings.service_name("orders"),
        "STAGING_NAME", "STAGING_NAME", "the suffix of the exchange names, except for `production`" =>
            |settings| settings.staging_name("beta"),
        "BROKER_URL", "BROKER_URL", "the old trailing `//` also works; separate several nodes with `;`" =>
            |settings| settings.broker_url("amqp://guest:guest@rabbitmq:5672/%2F"),
        "CELERY_BROKER_URL", "CELERY_BROKER_URL", "wins over `BROKER_URL`" =>
            |settings| settings.broker_url("amqp://guest:guest@rabbitmq:5672/%2F"),
        "EVENTS_REDIS_URL", "EVENTS_REDIS_URL", "`REDIS_URL` in 0.1" =>
            |settings| settings.events_redis_url("redis://redis:6379/0"),
        "EVENTS_EXCHANGE", "EVENTS_EXCHANGE", "used as given; not needed if `STAGING_NAME` is set" =>
            |settings| settings.events_exchange("microservice-events-beta"),
        "NOTIFICATIONS_EXCHANGE", "NOTIFICATIONS_EXCHANGE", "the same" =>
            |settings| settings.notifications_exchange("microservice-notifications-beta"),
        "SECRET_KEY", "SECRET_KEY", "for the tokens that views get" => |settings| settings.secret_key("hush"),
        "AWS_ACCESS_KEY_ID", "AWS_ACCESS_KEY_ID", "with the feature `s3`" =>
            |settings| settings.aws_access_key_id("AKIA").aws_secret_access_key("hush"),
        "AWS_SECRET_ACCESS_KEY", "AWS_SECRET_ACCESS_KEY", "a secret" =>
            |settings| settings.aws_access_key_id("AKIA").aws_secret_access_key("hush"),
        "AWS_INDEXER_BUCKET_NAME", "AWS_INDEXER_BUCKET_NAME", "the bucket, or the folder, for index rebuilds" =>
            |settings| settings.aws_indexer_bucket_name("index"),
        "Queue(.., queue_arguments={'x-max-priority': 10})", "EVENTS_QUEUE_MAX_PRIORITY",
            "`none` if the Python service follows the oldest README" =>
            |settings| settings.events_queue_max_priority(Some(10)),
        "CELERYD_CONCURRENCY", "EVENTS_WORKERS", "threads, not processes" => |settings| settings.events_workers(4),
        "CELERYD_PREFETCH_MULTIPLIER", "EVENTS_PREFETCH", "for the whole service, not for each worker" =>
            |settings| settings.events_prefetch(64),
        "CELERY_TASK_PROTOCOL", "EVENTS_PROTOCOL", "`auto` sends each kind of message as zc_events does" =>
            |settings| settings.events_protocol(zc_events::Protocol::V1),
    }
}

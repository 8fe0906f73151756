//! URLs that cannot be read, or not as they were meant: the password is in none of the errors, wherever it stands.

use std::error::Error;
use std::fmt::{Debug, Display};
use std::str::FromStr;

use zc_events::Settings;
use zc_events_cache::redis::RedisUrl;
use zc_events_transport::amqp::BrokerUrl;

use crate::canary::Canary;
use crate::log_lines::listen;
use crate::search::{assert_no_credentials, said};

/// As people write them; `~` is the password, in whatever form.
const SPELLINGS: [&str; 50] = [
    "user:~@host",
    "~",
    "//user:~@host",
    "amqp:user:~@host",
    "amqp:/user:~@host",
    "ampq://user:~@host",
    "http://user:~@host",
    "~://user:~@host",
    "user:~://user@host",
    "amqp://user:~@",
    "amqp://user:~@/vhost",
    "amqp://user:~@host:port",
    "amqp://user:~@host:0",
    "amqp://user:~@host:99999",
    "amqp://user:~@host:5672:5672",
    "amqp://user:~@::1",
    "amqp://user:~@[::1",
    "amqp://user:~@[::1]5672",
    "amqp://user:~@[host]",
    "amqp://user:~@host/a/b",
    "amqp://user:~@host/%FF",
    "amqp://user:~@host/%00",
    "amqp://user:~%FF@host",
    "amqp://user:~%00@host",
    "amqp://user:~@host?heartbeat=0",
    "amqp://user:~@host?heartbeat=x",
    "amqp://user:~@host?connection_timeout=",
    "amqp://user:~@host#x",
    "amqp://user:1/~@host",
    "amqp://user:1?~@host",
    "amqp://user:1?~=~@host",
    "amqp://user:1#~@host",
    "amqp://user:1;~@host",
    "amqp://user:~;amqp://user:~@host:x",
    "amqp://user:~@host;user:~@host",
    "amqp://user:~@a b",
    "amqp://user:~@host\n",
    "redis://:~@host:port",
    "redis://:~@host/x",
    "redis://:~@host?db=x",
    "redis://:1/~@host",
    "redis://:~ @host",
    "redis://:~@[x]",
    "rediss://:~@host#insecure",
    "rediss://:~@host/0?ssl_ca_certs=/ca.pem",
    "rediss://:~@host?ssl_cert_reqs=none",
    "rediss://:~@host?ssl_ca_certs=%ff",
    "amqps://user:~@host?cacertfile=/ca.pem",
    "amqps://user:~@host?verify=verify_none",
    "amqps://user:~@host?certfile=%ff",
];

fn shown<U: FromStr<Err: Error + 'static> + Display + Debug>(url: &str) -> (String, bool) {
    match U::from_str(url) {
        Ok(url) => (format!("{url} {url:?} {url:#?}"), true),
        Err(error) => (said(&error), false),
    }
}

#[test]
fn no_spelling_shows_the_password() {
    listen();
    let (mut refused, mut read) = (0, 0);
    for spelling in SPELLINGS {
        let canary = Canary::new();
        let torn = format!("{}#{}", canary.piece(), canary.plain());
        for form in [canary.piece(), &canary.plain(), &canary.encoded(), &torn] {
            let url = spelling.replace('~', form);
            for (shown, is_read) in [shown::<BrokerUrl>(&url), shown::<RedisUrl>(&url)] {
                assert_no_credentials(&canary, &shown);
                if is_read { read += 1 } else { refused += 1 }
            }
            for setting in ["BROKER_URL", "CELERY_BROKER_URL", "EVENTS_REDIS_URL"] {
                let settings = Settings::from_lookup(|name| match name {
                    _ if name == setting => Some(url.clone()),
                    "BROKER_URL" if setting == "EVENTS_REDIS_URL" => Some("memory://".to_owned()),
                    "STAGING_NAME" => Some("test".to_owned()),
                    _ => None,
                });
                let shown = match settings {
                    Ok(settings) => format!("{settings:?} {settings:#?}"),
                    Err(error) => {
                        assert!(matches!(error, zc_events::Error::Config { .. }), "{error:?}");
                        let error = said(&error);
                        assert!(error.contains(setting), "{error}");
                        error
                    }
                };
                assert_no_credentials(&canary, &shown);
            }
        }
    }
    assert!(refused > 250 && read > 0, "{refused} refused, {read} read");
}

#[test]
fn a_url_that_is_right_shows_all_but_the_password() {
    listen();
    let canary = Canary::new();
    for url in ["amqp://user:~@host/shop", "amqp://user:~@a;amqp://user:~@b:1/%2F", "amqp://user%3A~@host"] {
        let (shown, is_read) = shown::<BrokerUrl>(&url.replace('~', &canary.encoded()));
        assert!(is_read && shown.contains("amqp://user@"), "{shown}");
        assert_no_credentials(&canary, &shown);
    }
    for url in ["redis://user:~@host/2", "redis://host/2?username=user&password=~", "redis://user%3A~@host/2"] {
        let (shown, is_read) = shown::<RedisUrl>(&url.replace('~', &canary.encoded()));
        assert!(is_read && shown.contains("redis://user") && shown.contains("host:6379/2"), "{shown}");
        assert_no_credentials(&canary, &shown);
    }
}

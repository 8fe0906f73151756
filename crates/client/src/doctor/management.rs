//! RabbitMQ's management API: what AMQP does not tell. The only file that speaks HTTP. What the answers mean is known in
//! `fleet` and `queues`.

use std::time::{Duration, SystemTime};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use percent_encoding::{NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use time::PrimitiveDateTime;
use time::macros::format_description;
use ureq::http::StatusCode;

/// No answer that is of use here is larger.
const LARGEST: u64 = 8 << 20;

/// The API of one node. Its `Debug` would show the login, so it has none.
pub(super) struct Management {
    agent: ureq::Agent,
    /// Without the login.
    base: String,
    login: Option<String>,
    vhost: String,
}

/// What the API says of itself.
pub(super) struct About {
    pub(super) version: String,
    /// Its time of day, in whole seconds.
    pub(super) time: Option<SystemTime>,
}

/// A queue, as far as it is looked at.
#[derive(Clone, Debug, Default, Deserialize)]
pub(super) struct QueueInfo {
    /// Out with consumers. Counted every few seconds.
    pub(super) messages_unacknowledged: Option<u64>,
    pub(super) policy: Option<String>,
    /// What policies set: an object, or, where there are none, an empty list.
    #[serde(default)]
    effective_policy_definition: Value,
}

/// A binding of a queue or an exchange.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Bound {
    /// The exchange.
    pub(super) source: String,
    /// What is bound to it.
    pub(super) destination: String,
}

#[derive(Deserialize)]
struct Overview {
    rabbitmq_version: String,
}

impl QueueInfo {
    /// What a policy does that loses messages, such as `max-length`.
    pub(super) fn losses(&self) -> Vec<String> {
        const LOSING: [&str; 4] = ["max-length", "max-length-bytes", "message-ttl", "expires"];
        let set = |name: &&&str| self.effective_policy_definition.get(**name).is_some();
        LOSING.iter().filter(set).map(|name| (*name).to_owned()).collect()
    }
}

impl Management {
    /// # Errors
    /// What is wrong with the URL, without quoting it.
    pub(super) fn new(url: &str, vhost: &str) -> Result<Self, String> {
        let (scheme, rest) = url.split_once("://").ok_or("it has no scheme")?;
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        let (login, place) = match authority.rsplit_once('@') {
            Some((login, place)) => (Some(login), place),
            None => (None, authority),
        };
        if path.contains('@') || place.is_empty() || place.contains(char::is_whitespace) {
            return Err("a `/` in a password is written %2F, a `@` %40".to_owned());
        }
        let decoded = |text: &str| percent_decode_str(text).decode_utf8().map(|text| text.into_owned());
        let login = match login.map(|login| login.split_once(':').unwrap_or((login, ""))) {
            Some((user, password)) => {
                let both = decoded(user).and_then(|user| Ok(format!("{user}:{}", decoded(password)?)));
                Some(BASE64_STANDARD.encode(both.map_err(|_| "its login is not UTF-8 once %XX is decoded")?))
            }
            None => None,
        };
        let path = path.trim_end_matches('/');
        let base = format!("{}://{place}{}{path}", scheme.to_ascii_lowercase(), if path.is_empty() { "" } else { "/" });
        let config = ureq::Agent::config_builder()
            .http_status_as_error(false)
            // The login is for this node, and for nobody in between.
            .max_redirects(0)
            .proxy(None)
            .build();
        let vhost = utf8_percent_encode(vhost, NON_ALPHANUMERIC).to_string();
        Ok(Self { agent: config.into(), base, login, vhost })
    }

    /// Where it is, without the login.
    pub(super) fn place(&self) -> &str {
        self.base.split_once("://").map_or(&self.base, |(_, place)| place)
    }

    pub(super) fn about(&self, within: Duration) -> Result<About, String> {
        let (found, time) = self.get::<Overview>("overview", within)?;
        let found = found.ok_or("it has no such API: is it the management's port, 15672 unless changed?")?;
        let version = found.rabbitmq_version.chars().filter(|c| c.is_ascii_graphic()).take(40).collect();
        Ok(About { version, time })
    }

    /// `None` where there is no such queue.
    pub(super) fn queue(&self, name: &str, within: Duration) -> Result<Option<QueueInfo>, String> {
        Ok(self.get(&format!("queues/{}/{}", self.vhost, escaped(name)), within)?.0)
    }

    /// The exchanges that a queue is bound to, but for the default one.
    pub(super) fn bindings(&self, queue: &str, within: Duration) -> Result<Vec<Bound>, String> {
        let path = format!("queues/{}/{}/bindings", self.vhost, escaped(queue));
        let mut bound: Vec<Bound> = self.get(&path, within)?.0.unwrap_or_default();
        bound.retain(|bound| !bound.source.is_empty());
        Ok(bound)
    }

    /// What is bound to an exchange.
    pub(super) fn bound_to(&self, exchange: &str, within: Duration) -> Result<Vec<Bound>, String> {
        let path = format!("exchanges/{}/{}/bindings/source", self.vhost, escaped(exchange));
        Ok(self.get(&path, within)?.0.unwrap_or_default())
    }

    fn get<T: DeserializeOwned>(
        &self,
        path: &str,
        within: Duration,
    ) -> Result<(Option<T>, Option<SystemTime>), String> {
        let within = within.max(Duration::from_millis(1));
        let request = self.agent.get(format!("{}/api/{path}", self.base));
        let request = request.config().timeout_global(Some(within)).build();
        let request = match &self.login {
            Some(login) => request.header("Authorization", format!("Basic {login}")),
            None => request,
        };
        let mut response = request.call().map_err(|error| in_words(&error))?;
        let date = response.headers().get("date").and_then(|date| date.to_str().ok());
        let time = date.and_then(read_date);
        match response.status() {
            StatusCode::OK => {}
            StatusCode::NOT_FOUND => return Ok((None, time)),
            StatusCode::UNAUTHORIZED => {
                return Err(
                    "it refuses the login (401): the user needs the tag `management` or `monitoring`".to_owned()
                );
            }
            status => return Err(format!("it answers with status {}", status.as_u16())),
        }
        let body = response.body_mut().with_config().limit(LARGEST).read_to_vec().map_err(|error| in_words(&error))?;
        let found = serde_json::from_slice(&body).map_err(|_| "it does not answer as RabbitMQ does".to_owned())?;
        Ok((Some(found), time))
    }
}

/// `Thu, 01 Jan 1970 00:01:00 GMT`.
fn read_date(text: &str) -> Option<SystemTime> {
    let form =
        format_description!("[weekday repr:short], [day] [month repr:short] [year] [hour]:[minute]:[second] GMT");
    Some(PrimitiveDateTime::parse(text, form).ok()?.assume_utc().into())
}

fn escaped(name: &str) -> String {
    utf8_percent_encode(name, NON_ALPHANUMERIC).to_string()
}

fn in_words(error: &ureq::Error) -> String {
    match error {
        ureq::Error::Timeout(_) => "it does not answer in time".to_owned(),
        ureq::Error::HostNotFound => "its host name leads nowhere".to_owned(),
        ureq::Error::Io(error) => error.to_string(),
        ureq::Error::ConnectionFailed => "no connection".to_owned(),
        ureq::Error::BodyExceedsLimit(_) => "its answer is too large".to_owned(),
        // Whatever else there is, may quote what was asked.
        _ => "it does not answer as a web server does".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{BufRead, BufReader, Write};
    use std::net::TcpListener;
    use std::time::UNIX_EPOCH;

    const SOON: Duration = Duration::from_secs(10);

    /// A server that answers each request with the next of `answers`; gives its port and what it was asked.
    fn server(answers: &'static [&'static str]) -> (u16, crossbeam_channel::Receiver<String>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let (asked, questions) = crossbeam_channel::unbounded();
        std::thread::spawn(move || {
            for answer in answers {
                let (mut stream, _) = listener.accept().unwrap();
                let head: Vec<String> = BufReader::new(stream.try_clone().unwrap())
                    .lines()
                    .map_while(Result::ok)
                    .take_while(|line| !line.is_empty())
                    .collect();
                asked.send(head.join("\n")).unwrap();
                let _ = stream.write_all(answer.as_bytes());
            }
        });
        (port, questions)
    }

    #[test]
    fn it_asks_with_the_login_and_reads_what_it_needs() {
        let (port, asked) = server(&[
            "HTTP/1.1 200 OK\r\ndate: Thu, 01 Jan 1970 00:01:00 GMT\r\ncontent-length: 29\r\nconnection: close\r\n\r\n{\"rabbitmq_version\":\"3.10.8\"}",
            "HTTP/1.1 404 Not Found\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}",
        ]);
        let management = Management::new(&format!("http://app:p%40ss@127.0.0.1:{port}/"), "/").unwrap();
        assert_eq!(management.place(), format!("127.0.0.1:{port}"));
        let about = management.about(SOON).unwrap();
        assert_eq!((about.version.as_str(), about.time), ("3.10.8", Some(UNIX_EPOCH + Duration::from_secs(60))));
        let question = asked.recv_timeout(SOON).unwrap().to_ascii_lowercase();
        let login = format!("authorization: basic {}", BASE64_STANDARD.encode("app:p@ss")).to_ascii_lowercase();
        assert!(question.starts_with("get /api/overview http/1.1") && question.contains(&login), "{question}");
        assert!(management.queue("a/b c", SOON).unwrap().is_none());
        let question = asked.recv_timeout(SOON).unwrap();
        assert!(question.starts_with("GET /api/queues/%2F/a%2Fb%20c "), "{question}");
    }

    #[test]
    fn what_goes_wrong_is_told_without_the_login() {
        let (port, _asked) = server(&[
            "HTTP/1.1 401 Unauthorized\r\ncontent-length: 0\r\nconnection: close\r\n\r\n",
            "HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\nconnection: close\r\n\r\n",
            "HTTP/1.1 200 OK\r\ncontent-length: 9\r\nconnection: close\r\n\r\nno canary",
            "220 canary ESMTP\r\n",
        ]);
        let management = Management::new(&format!("http://canary:canary@127.0.0.1:{port}"), "/").unwrap();
        for says in ["401", "status 302", "as RabbitMQ does", "as a web server does"] {
            let error = management.about(SOON).map(|about| about.version).unwrap_err();
            assert!(error.contains(says) && !error.contains("canary"), "{says}: {error}");
        }
        let nobody = Management::new("http://canary:canary@127.0.0.1:1", "/").unwrap();
        let error = nobody.about(SOON).map(|about| about.version).unwrap_err();
        assert!(error.to_lowercase().contains("refused") && !error.contains("canary"), "{error}");
        let silent = TcpListener::bind("127.0.0.1:0").unwrap();
        let silent = Management::new(&format!("http://{}", silent.local_addr().unwrap()), "/").unwrap();
        let error = silent.about(Duration::from_millis(50)).map(|about| about.version).unwrap_err();
        assert!(error.contains("in time"), "{error}");
        for url in ["http://u:can/ary@h", "http://u:canary@", "http://u:%FFcanary@h"] {
            let error = Management::new(url, "/").map(|_| ()).unwrap_err();
            assert!(!error.contains("ary"), "{error}");
        }
    }

    #[test]
    fn policies_that_lose_messages_are_told() {
        let read = |text: &str| serde_json::from_str::<QueueInfo>(text).unwrap().losses();
        assert_eq!(
            read(r#"{"policy": "p", "effective_policy_definition": {"max-length": 5, "ha-mode": "all"}}"#),
            ["max-length"]
        );
        assert!(read(r#"{"effective_policy_definition": []}"#).is_empty() && read("{}").is_empty());
    }
}

//! A client of RabbitMQ's management API, which knows what AMQP cannot tell. Only this file uses HTTP; `topology` and `queues`
//! interpret the responses.

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

/// The limit of a response, in bytes.
const MAX_RESPONSE: u64 = 8 << 20;

/// The API of one node. It has no `Debug`, which would show the login.
pub(crate) struct ManagementApi {
    agent: ureq::Agent,
    /// The URL without the login.
    base: String,
    login: Option<String>,
    vhost: String,
}

/// The API's version and clock.
pub(crate) struct ServerInfo {
    pub(crate) version: String,
    /// The time of day, in whole seconds.
    pub(crate) time: Option<SystemTime>,
}

/// The part of a queue that the checks need.
#[derive(Clone, Debug, Default, Deserialize)]
pub(crate) struct QueueInfo {
    /// The broker updates this number every few seconds.
    pub(crate) messages_unacknowledged: Option<u64>,
    pub(crate) policy: Option<String>,
    /// What policies set: an object, or an empty list if there are no policies.
    #[serde(default)]
    effective_policy_definition: Value,
}

/// A binding of a queue or an exchange.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Binding {
    /// The exchange.
    pub(crate) source: String,
    /// The queue or the exchange that is bound to it.
    pub(crate) destination: String,
}

#[derive(Deserialize)]
struct Overview {
    rabbitmq_version: String,
}

impl QueueInfo {
    /// The keys of the policies that can lose messages, such as `max-length`.
    pub(crate) fn lossy_policy_keys(&self) -> Vec<String> {
        const LOSING: [&str; 4] = ["max-length", "max-length-bytes", "message-ttl", "expires"];
        let set = |name: &&&str| self.effective_policy_definition.get(**name).is_some();
        LOSING.iter().filter(set).map(|name| (*name).to_owned()).collect()
    }
}

impl ManagementApi {
    /// # Errors
    /// Why the URL is wrong, without quoting it.
    pub(crate) fn new(url: &str, vhost: &str) -> Result<Self, String> {
        let (scheme, rest) = url.split_once("://").ok_or("the URL has no scheme")?;
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        let (login, place) = match authority.rsplit_once('@') {
            Some((login, place)) => (Some(login), place),
            None => (None, authority),
        };
        if path.contains('@') || place.is_empty() || place.contains(char::is_whitespace) {
            return Err("write `/` in a password as %2F, and `@` as %40".to_owned());
        }
        let decoded = |text: &str| percent_decode_str(text).decode_utf8().map(|text| text.into_owned());
        let login = match login.map(|login| login.split_once(':').unwrap_or((login, ""))) {
            Some((user, password)) => {
                let both = decoded(user).and_then(|user| Ok(format!("{user}:{}", decoded(password)?)));
                Some(BASE64_STANDARD.encode(both.map_err(|_| "the login in the URL is not valid UTF-8")?))
            }
            None => None,
        };
        let path = path.trim_end_matches('/');
        let base = format!("{}://{place}{}{path}", scheme.to_ascii_lowercase(), if path.is_empty() { "" } else { "/" });
        let config = ureq::Agent::config_builder()
            .http_status_as_error(false)
            // Only this node may see the login.
            .max_redirects(0)
            .proxy(None)
            .build();
        let vhost = utf8_percent_encode(vhost, NON_ALPHANUMERIC).to_string();
        Ok(Self { agent: config.into(), base, login, vhost })
    }

    /// Host and port, without the login.
    pub(crate) fn place(&self) -> &str {
        self.base.split_once("://").map_or(&self.base, |(_, place)| place)
    }

    pub(crate) fn server_info(&self, within: Duration) -> Result<ServerInfo, String> {
        let (found, time) = self.get::<Overview>("overview", within)?;
        let found = found.ok_or("there is no management API; check the port (15672 by default)")?;
        let version = found.rabbitmq_version.chars().filter(|c| c.is_ascii_graphic()).take(40).collect();
        Ok(ServerInfo { version, time })
    }

    /// `None` if the queue does not exist.
    pub(crate) fn queue(&self, name: &str, within: Duration) -> Result<Option<QueueInfo>, String> {
        Ok(self.get(&format!("queues/{}/{}", self.vhost, escaped(name)), within)?.0)
    }

    /// The bindings of a queue, without the one to the default exchange.
    pub(crate) fn bindings_of_queue(&self, queue: &str, within: Duration) -> Result<Vec<Binding>, String> {
        let path = format!("queues/{}/{}/bindings", self.vhost, escaped(queue));
        let mut bound: Vec<Binding> = self.get(&path, within)?.0.unwrap_or_default();
        bound.retain(|bound| !bound.source.is_empty());
        Ok(bound)
    }

    /// The bindings to an exchange.
    pub(crate) fn bindings_to_exchange(&self, exchange: &str, within: Duration) -> Result<Vec<Binding>, String> {
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
        let mut response = request.call().map_err(|error| describe(&error))?;
        let date = response.headers().get("date").and_then(|date| date.to_str().ok());
        let time = date.and_then(read_date);
        match response.status() {
            StatusCode::OK => {}
            StatusCode::NOT_FOUND => return Ok((None, time)),
            StatusCode::UNAUTHORIZED => {
                return Err("login rejected (401): the user needs the tag `management` or `monitoring`".to_owned());
            }
            status => return Err(format!("unexpected status {}", status.as_u16())),
        }
        let body =
            response.body_mut().with_config().limit(MAX_RESPONSE).read_to_vec().map_err(|error| describe(&error))?;
        let found = serde_json::from_slice(&body).map_err(|_| "the response is not RabbitMQ's".to_owned())?;
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

fn describe(error: &ureq::Error) -> String {
    match error {
        ureq::Error::Timeout(_) => "no response in time".to_owned(),
        ureq::Error::HostNotFound => "the host name cannot be resolved".to_owned(),
        ureq::Error::Io(error) => error.to_string(),
        ureq::Error::ConnectionFailed => "connection failed".to_owned(),
        ureq::Error::BodyExceedsLimit(_) => "the response is too large".to_owned(),
        // The other errors may quote the request.
        _ => "no valid HTTP response".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{BufRead, BufReader, Write};
    use std::net::TcpListener;
    use std::time::UNIX_EPOCH;

    const SOON: Duration = Duration::from_secs(10);

    /// A server that answers each request with the next of `answers`; returns its port and the requests.
    fn server(answers: &'static [&'static str]) -> (u16, std::sync::mpsc::Receiver<String>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let (asked, questions) = std::sync::mpsc::channel();
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
    fn requests_carry_the_login_and_responses_are_parsed() {
        let (port, asked) = server(&[
            "HTTP/1.1 200 OK\r\ndate: Thu, 01 Jan 1970 00:01:00 GMT\r\ncontent-length: 29\r\nconnection: close\r\n\r\n{\"rabbitmq_version\":\"3.10.8\"}",
            "HTTP/1.1 404 Not Found\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}",
        ]);
        let management = ManagementApi::new(&format!("http://app:p%40ss@127.0.0.1:{port}/"), "/").unwrap();
        assert_eq!(management.place(), format!("127.0.0.1:{port}"));
        let info = management.server_info(SOON).unwrap();
        assert_eq!((info.version.as_str(), info.time), ("3.10.8", Some(UNIX_EPOCH + Duration::from_secs(60))));
        let question = asked.recv_timeout(SOON).unwrap().to_ascii_lowercase();
        let login = format!("authorization: basic {}", BASE64_STANDARD.encode("app:p@ss")).to_ascii_lowercase();
        assert!(question.starts_with("get /api/overview http/1.1") && question.contains(&login), "{question}");
        assert!(management.queue("a/b c", SOON).unwrap().is_none());
        let question = asked.recv_timeout(SOON).unwrap();
        assert!(question.starts_with("GET /api/queues/%2F/a%2Fb%20c "), "{question}");
    }

    #[test]
    fn errors_do_not_show_the_login() {
        let (port, _asked) = server(&[
            "HTTP/1.1 401 Unauthorized\r\ncontent-length: 0\r\nconnection: close\r\n\r\n",
            "HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\nconnection: close\r\n\r\n",
            "HTTP/1.1 200 OK\r\ncontent-length: 9\r\nconnection: close\r\n\r\nno canary",
            "220 canary ESMTP\r\n",
        ]);
        let management = ManagementApi::new(&format!("http://canary:canary@127.0.0.1:{port}"), "/").unwrap();
        for says in ["401", "status 302", "not RabbitMQ's", "no valid HTTP"] {
            let error = management.server_info(SOON).map(|info| info.version).unwrap_err();
            assert!(error.contains(says) && !error.contains("canary"), "{says}: {error}");
        }
        let closed = ManagementApi::new("http://canary:canary@127.0.0.1:1", "/").unwrap();
        let error = closed.server_info(SOON).map(|info| info.version).unwrap_err();
        assert!(error.to_lowercase().contains("refused") && !error.contains("canary"), "{error}");
        let silent = TcpListener::bind("127.0.0.1:0").unwrap();
        let silent = ManagementApi::new(&format!("http://{}", silent.local_addr().unwrap()), "/").unwrap();
        let error = silent.server_info(Duration::from_millis(50)).map(|info| info.version).unwrap_err();
        assert!(error.contains("in time"), "{error}");
        for url in ["http://u:can/ary@h", "http://u:canary@", "http://u:%FFcanary@h"] {
            let error = ManagementApi::new(url, "/").map(|_| ()).unwrap_err();
            assert!(!error.contains("ary"), "{error}");
        }
    }

    #[test]
    fn policies_that_can_lose_messages_are_found() {
        let read = |text: &str| serde_json::from_str::<QueueInfo>(text).unwrap().lossy_policy_keys();
        assert_eq!(
            read(r#"{"policy": "p", "effective_policy_definition": {"max-length": 5, "ha-mode": "all"}}"#),
            ["max-length"]
        );
        assert!(read(r#"{"effective_policy_definition": []}"#).is_empty() && read("{}").is_empty());
    }
}

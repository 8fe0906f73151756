//! A request to S3 and its answer, over HTTP, by a deadline. The only file that knows ureq.

use std::fmt;
use std::fs;
use std::io::ErrorKind;
use std::sync::Arc;
use std::time::Duration;

use crossbeam_channel::never;
use ureq::http::{Request, Response};
use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig, parse_pem};
use ureq::{Agent, Body};
use zc_events_protocol::clock::pause;
use zc_events_protocol::{Clock, Deadline, Outcome, Stage};

use super::super::{fits, in_time, rejected};
use super::failure;
use super::options::S3Options;
use super::place::Place;
use super::sign::{self, Signed};
use crate::{Error, Result};

/// How often a call is made whose failure may pass.
const ATTEMPTS: u32 = 3;
/// Before the second attempt at the most, and twice as long before the third.
const PAUSE: Duration = Duration::from_millis(200);
/// From how many bytes on the server is asked whether it wants them before they are sent, so that a refusal is heard.
const LARGE: usize = 1 << 20;
/// How much is read of an answer that is no content.
const MOST_OF_REFUSAL: u64 = 64 << 10;

/// A bucket and the connections to it.
#[derive(Clone)]
pub(super) struct Exchange {
    options: Arc<S3Options>,
    place: Place,
    agent: Agent,
}

/// What is asked.
pub(super) struct Ask<'a> {
    pub(super) method: &'static str,
    /// In an error: "does not store".
    pub(super) doing: &'static str,
    pub(super) key: &'a str,
    pub(super) content_type: Option<&'a str>,
    pub(super) content: &'a [u8],
}

/// What is answered.
pub(super) struct Answer {
    pub(super) status: u16,
    /// S3's own word for a refusal.
    pub(super) code: Option<String>,
    /// Where the bucket is, where that is told.
    pub(super) region: Option<String>,
    /// What was asked for, where the status is 200.
    pub(super) content: Vec<u8>,
}

impl Answer {
    pub(super) fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// Whether it says that nothing lies under the key, and not that the bucket, or all of S3, is missing.
    pub(super) fn is_about_the_key(&self) -> bool {
        self.code.as_deref() == Some("NoSuchKey")
    }

    pub(super) fn may_pass(&self) -> bool {
        matches!(self.status, 429 | 500 | 502 | 503 | 504)
    }
}

impl Exchange {
    pub(super) fn new(options: S3Options) -> Result<Self> {
        options.check()?;
        let place = Place::of(&options)?;
        let config = Agent::config_builder()
            .http_status_as_error(false)
            // A redirect would need another signature.
            .max_redirects(0)
            .max_redirects_will_error(false)
            .user_agent(concat!("zc-events/", env!("CARGO_PKG_VERSION")))
            .tls_config(tls(&options)?)
            .build();
        Ok(Self { options: Arc::new(options), place, agent: config.new_agent() })
    }

    pub(super) fn options(&self) -> &S3Options {
        &self.options
    }

    pub(super) fn clock(&self) -> &dyn Clock {
        &*self.options.clock
    }

    pub(super) fn max_bytes(&self) -> usize {
        self.options.max_bytes
    }

    /// The error of an answer that is no success.
    pub(super) fn refused(&self, ask: &Ask<'_>, answer: &Answer) -> Error {
        failure::of_answer(ask, answer, &self.options, &self.place)
    }

    /// Asks until there is an answer that does not pass, at most three times and until the deadline.
    pub(super) fn ask(&self, ask: &Ask<'_>, deadline: Deadline) -> Result<Answer> {
        let clock = self.clock();
        let digest = sign::digest(ask.content);
        let mut attempt = 1;
        loop {
            in_time(clock, deadline)?;
            let answered = self.ask_once(ask, &digest, deadline);
            let may_pass = match &answered {
                Ok(answer) => answer.may_pass(),
                Err(error) => matches!(error, Error::Unavailable { .. }),
            };
            let wait = PAUSE.mul_f64((0.5 + fastrand::f64() / 2.0) * f64::from(attempt));
            if !may_pass || attempt == ATTEMPTS || wait >= deadline.remaining(clock) {
                return answered;
            }
            log::debug!("content store: {} is tried again", ask.method);
            pause(clock, clock.deadline(wait), &never());
            attempt += 1;
        }
    }

    fn ask_once(&self, ask: &Ask<'_>, digest: &str, deadline: Deadline) -> Result<Answer> {
        let path = self.place.path(ask.key);
        let signed = Signed {
            method: ask.method,
            host: &self.place.host,
            path: &path,
            // Blanks are signed one by one.
            headers: ask.content_type.map(|it| ("content-type", words(it))).into_iter().collect(),
            digest,
        };
        let mut request = Request::builder().method(ask.method).uri(self.place.url(&path));
        for (name, value) in sign::headers(signed, &self.options, self.clock().wall())? {
            request = request.header(name, value);
        }
        if ask.content.len() >= LARGE {
            request = request.header("expect", "100-continue");
        }
        let left = deadline.remaining(self.clock());
        let answered = if ask.method == "PUT" {
            let request = request.body(ask.content).map_err(|error| self.failed(&error.into()))?;
            self.agent.run(self.agent.configure_request(request).timeout_global(Some(left)).build())
        } else {
            let request = request.body(()).map_err(|error| self.failed(&error.into()))?;
            self.agent.run(self.agent.configure_request(request).timeout_global(Some(left)).build())
        };
        self.read(ask, answered.map_err(|error| self.failed(&error))?)
    }

    fn read(&self, ask: &Ask<'_>, response: Response<Body>) -> Result<Answer> {
        let header = |name: &str| response.headers().get(name).and_then(|value| value.to_str().ok());
        let (status, region) = (response.status().as_u16(), header("x-amz-bucket-region").and_then(failure::region));
        let is_content = ask.method == "GET" && status == 200;
        let limit = self.max_bytes();
        let most = if is_content {
            let size = response.body().content_length().unwrap_or(0);
            fits(ask.key, usize::try_from(size).unwrap_or(usize::MAX), limit)?;
            u64::try_from(limit).unwrap_or(u64::MAX)
        } else {
            MOST_OF_REFUSAL
        };
        let body = match response.into_body().into_with_config().limit(most).read_to_vec() {
            Ok(body) => body,
            // How much more there would have been, nobody has said.
            Err(ureq::Error::BodyExceedsLimit(_)) if is_content => {
                fits(ask.key, limit.saturating_add(1), limit)?;
                Vec::new()
            }
            Err(ureq::Error::BodyExceedsLimit(_)) => Vec::new(),
            Err(error) => return Err(self.failed(&error)),
        };
        let code = if is_content { None } else { failure::code(&body) };
        Ok(Answer { status, code, region, content: if is_content { body } else { Vec::new() } })
    }

    /// The error of a request without an answer. What ureq says is repeated only where no server can have put words in
    /// its mouth.
    fn failed(&self, error: &ureq::Error) -> Error {
        let why = match error {
            ureq::Error::Timeout(_) => return Error::Timeout { stage: Stage::Content },
            ureq::Error::Io(error) if error.kind() == ErrorKind::TimedOut => {
                return Error::Timeout { stage: Stage::Content };
            }
            // rustls does not believe the server.
            ureq::Error::Io(error) if error.kind() == ErrorKind::InvalidData => return self.unbelieved(error),
            ureq::Error::Rustls(error) => return self.unbelieved(error),
            ureq::Error::Io(error) => error.to_string(),
            ureq::Error::HostNotFound => "its name is unknown".to_owned(),
            ureq::Error::ConnectionFailed => "no connection could be opened".to_owned(),
            ureq::Error::InvalidProxyUrl => "the proxy's URL in the environment is none".to_owned(),
            _ => "it does not answer as HTTP does".to_owned(),
        };
        Error::Unavailable {
            what: format!(
                "the content store at {} cannot be reached: {why} (see AWS_ENDPOINT_URL)",
                self.place.server()
            ),
            outcome: Outcome::NotSent,
            source: None,
        }
    }

    /// The error of a server whose certificate does not do. Asking again would not help.
    fn unbelieved(&self, error: &dyn fmt::Display) -> Error {
        rejected(format!(
            "the content store at {} is not to be trusted: {error} (AWS_CA_BUNDLE names who else may vouch for it)",
            self.place.server()
        ))
    }
}

fn words(text: &str) -> String {
    text.split(' ').filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
}

/// Whom to believe: Mozilla's authorities, as they were built in, or those of a file.
fn tls(options: &S3Options) -> Result<TlsConfig> {
    let Some(path) = &options.ca_bundle else { return Ok(TlsConfig::default()) };
    // Not the path: somebody may have put a secret there.
    let wrong = |why: &str| Error::config(format!("AWS_CA_BUNDLE: the file {why}"));
    let pem = fs::read(path).map_err(|error| wrong(&format!("cannot be read: {error}")))?;
    let mut certificates: Vec<Certificate<'static>> = Vec::new();
    for item in parse_pem(&pem) {
        match item {
            Ok(PemItem::Certificate(certificate)) => certificates.push(certificate),
            Ok(_) => {}
            Err(_) => return Err(wrong("is not in PEM")),
        }
    }
    if certificates.is_empty() {
        return Err(wrong("holds no certificate in PEM"));
    }
    Ok(TlsConfig::builder().root_certs(RootCerts::new_with_certs(&certificates)).build())
}

//! Sends signed requests to S3 over HTTP, by a deadline, and reads the responses. Only this file uses ureq.

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
use zc_events_protocol::{Clock, Deadline, Stage};

use super::endpoint::S3Endpoint;
use super::error_mapping;
use super::options::S3Options;
use super::request::S3Request;
use super::response::{self, S3Response};
use super::sign::{self, SignedParts};
use crate::store::{check_deadline, check_size};
use crate::{Error, Result};

/// How often a request is sent whose failure may be transient.
const MAX_ATTEMPTS: u32 = 3;
/// The longest pause before the second attempt; the pause before the third is twice as long.
const PAUSE: Duration = Duration::from_millis(200);
/// A larger body is announced first (`Expect: 100-continue`), so that the server can refuse it before it is sent.
const LARGE: usize = 1 << 20;
/// How much of an error response is read.
const MAX_ERROR_BODY: u64 = 64 << 10;

/// The HTTP client of one bucket. Clones share the connections.
#[derive(Clone)]
pub(super) struct S3Client {
    options: Arc<S3Options>,
    endpoint: S3Endpoint,
    agent: Agent,
}

impl S3Client {
    pub(super) fn new(options: S3Options) -> Result<Self> {
        options.check()?;
        let endpoint = S3Endpoint::of(&options)?;
        let config = Agent::config_builder()
            .http_status_as_error(false)
            // A redirect would need another signature.
            .max_redirects(0)
            .max_redirects_will_error(false)
            .user_agent(concat!("zc-events/", env!("CARGO_PKG_VERSION")))
            .tls_config(tls(&options)?)
            .build();
        Ok(Self { options: Arc::new(options), endpoint, agent: config.new_agent() })
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

    /// The error of a response that is not a success.
    pub(super) fn refused(&self, request: &S3Request<'_>, response: &S3Response) -> Error {
        error_mapping::from_response(request, response, &self.options, &self.endpoint)
    }

    /// Sends the request. Repeats it after a transient failure, at most three times altogether and until the deadline.
    pub(super) fn send(&self, request: &S3Request<'_>, deadline: Deadline) -> Result<S3Response> {
        let clock = self.clock();
        let digest = sign::digest(request.body);
        let mut attempt = 1;
        loop {
            check_deadline(clock, deadline)?;
            let result = self.send_once(request, &digest, deadline);
            let is_transient = match &result {
                Ok(response) => response.is_transient(),
                Err(error) => matches!(error, Error::Unavailable { .. }),
            };
            let wait = PAUSE.mul_f64((0.5 + fastrand::f64() / 2.0) * f64::from(attempt));
            if !is_transient || attempt == MAX_ATTEMPTS || wait >= deadline.remaining(clock) {
                return result;
            }
            log::debug!("blob store: repeating a {}", request.method);
            pause(clock, clock.deadline(wait), &never());
            attempt += 1;
        }
    }

    fn send_once(&self, request: &S3Request<'_>, digest: &str, deadline: Deadline) -> Result<S3Response> {
        let path = self.endpoint.path(request.key);
        let signed = SignedParts {
            method: request.method,
            host: &self.endpoint.host,
            path: &path,
            headers: request.content_type.map(|it| ("content-type", single_spaced(it))).into_iter().collect(),
            digest,
        };
        let mut http = Request::builder().method(request.method).uri(self.endpoint.url(&path));
        for (name, value) in sign::headers(signed, &self.options, self.clock().wall())? {
            http = http.header(name, value);
        }
        if request.body.len() >= LARGE {
            http = http.header("expect", "100-continue");
        }
        let left = deadline.remaining(self.clock());
        let sent = if request.method == "PUT" {
            let http = http.body(request.body).map_err(|error| self.failed(&error.into()))?;
            self.agent.run(self.agent.configure_request(http).timeout_global(Some(left)).build())
        } else {
            let http = http.body(()).map_err(|error| self.failed(&error.into()))?;
            self.agent.run(self.agent.configure_request(http).timeout_global(Some(left)).build())
        };
        self.read(request, sent.map_err(|error| self.failed(&error))?)
    }

    fn read(&self, request: &S3Request<'_>, http: Response<Body>) -> Result<S3Response> {
        let header = |name: &str| http.headers().get(name).and_then(|value| value.to_str().ok());
        let (status, region) = (http.status().as_u16(), header("x-amz-bucket-region").and_then(response::region));
        let is_blob = request.method == "GET" && status == 200;
        let limit = self.max_bytes();
        let most = if is_blob {
            let size = http.body().content_length().unwrap_or(0);
            check_size(request.key, usize::try_from(size).unwrap_or(usize::MAX), limit)?;
            u64::try_from(limit).unwrap_or(u64::MAX)
        } else {
            MAX_ERROR_BODY
        };
        let body = match http.into_body().into_with_config().limit(most).read_to_vec() {
            Ok(body) => body,
            // The real size is not known: the server did not announce it.
            Err(ureq::Error::BodyExceedsLimit(_)) if is_blob => {
                check_size(request.key, limit.saturating_add(1), limit)?;
                Vec::new()
            }
            Err(ureq::Error::BodyExceedsLimit(_)) => Vec::new(),
            Err(error) => return Err(self.failed(&error)),
        };
        let code = if is_blob { None } else { response::error_code(&body) };
        Ok(S3Response { status, code, region, body: if is_blob { body } else { Vec::new() } })
    }

    /// The error of a request without a response. ureq's text is repeated only if it cannot contain text of the server.
    fn failed(&self, error: &ureq::Error) -> Error {
        let why = match error {
            ureq::Error::Timeout(_) => return Error::Timeout { stage: Stage::BlobStore },
            ureq::Error::Io(error) if error.kind() == ErrorKind::TimedOut => {
                return Error::Timeout { stage: Stage::BlobStore };
            }
            // rustls does not trust the server.
            ureq::Error::Io(error) if error.kind() == ErrorKind::InvalidData => return self.not_trusted(error),
            ureq::Error::Rustls(error) => return self.not_trusted(error),
            ureq::Error::Io(error) => error.to_string(),
            ureq::Error::HostNotFound => "the host name cannot be resolved".to_owned(),
            ureq::Error::ConnectionFailed => "the connection failed".to_owned(),
            ureq::Error::InvalidProxyUrl => "the proxy URL in the environment is invalid".to_owned(),
            _ => "the server did not send a valid HTTP response".to_owned(),
        };
        Error::unavailable(format!(
            "cannot reach the blob store at {}: {why} (check AWS_ENDPOINT_URL)",
            self.endpoint.server()
        ))
    }

    /// The error of a server whose certificate is not accepted. Repeating the request would not help.
    fn not_trusted(&self, error: &dyn fmt::Display) -> Error {
        Error::rejected(format!(
            "the certificate of the blob store at {} is not accepted: {error} (set AWS_CA_BUNDLE to the file of its CA \
             certificate)",
            self.endpoint.server()
        ))
    }
}

/// The text with single spaces, as the signature covers it.
fn single_spaced(text: &str) -> String {
    text.split(' ').filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
}

/// Trusts Mozilla's built-in root certificates, or those of the file in the options.
fn tls(options: &S3Options) -> Result<TlsConfig> {
    let Some(path) = &options.ca_bundle else { return Ok(TlsConfig::default()) };
    // The path is not shown: it may contain a secret by mistake.
    let wrong = |why: &str| Error::config(format!("AWS_CA_BUNDLE: the file {why}"));
    let pem = fs::read(path).map_err(|error| wrong(&format!("cannot be read: {error}")))?;
    let mut certificates: Vec<Certificate<'static>> = Vec::new();
    for item in parse_pem(&pem) {
        match item {
            Ok(PemItem::Certificate(certificate)) => certificates.push(certificate),
            Ok(_) => {}
            Err(_) => return Err(wrong("is not in PEM format")),
        }
    }
    if certificates.is_empty() {
        return Err(wrong("contains no certificate in PEM format"));
    }
    Ok(TlsConfig::builder().root_certs(RootCerts::new_with_certs(&certificates)).build())
}

//! How far an attempt to connect came, step by step. One set of words for every protocol above.

use std::net::IpAddr;
use std::time::Duration;

/// A step towards an open connection. The order is the order in which they are taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum ConnectStep {
    /// Looking up the host name.
    Resolve,
    /// The TCP connection.
    Connect,
    /// The TLS handshake, if the URL asks for TLS.
    Tls,
    /// The login with user and password.
    Login,
    /// Opening the part of the server that the URL names, such as a virtual host.
    Namespace,
}

/// The step at which an attempt to connect failed, and why. `E` is the error that a caller of the protocol above gets.
#[derive(Debug)]
#[non_exhaustive]
pub struct ConnectFailure<E> {
    /// The step that failed.
    pub step: ConnectStep,
    /// Why, in the words of the system or the server, without advice.
    pub reason: String,
    /// The error that a caller gets.
    pub error: E,
}

impl<E> ConnectFailure<E> {
    /// A failure at this step.
    pub fn new(step: ConnectStep, reason: impl Into<String>, error: E) -> Self {
        Self { step, reason: reason.into(), error }
    }
}

/// What the steps of an attempt to connect have shown so far. It is filled in as far as the attempt comes.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct ConnectTrace {
    /// The addresses of the host name, once it is resolved.
    pub addresses: Vec<IpAddr>,
    /// How long the TCP connection took, once it is open.
    pub connected_in: Option<Duration>,
    /// The version that the handshake agreed on, such as `TLS 1.3`.
    pub tls_version: Option<&'static str>,
}

/// How far an attempt to connect to one server came.
#[derive(Debug)]
#[non_exhaustive]
pub struct Probe<E> {
    /// Host and port.
    pub address: String,
    /// Whether the URL asks for TLS.
    pub tls: bool,
    /// What the steps have shown.
    pub trace: ConnectTrace,
    /// The step that failed. `None` if the connection was opened.
    pub failure: Option<ConnectFailure<E>>,
}

impl<E> Probe<E> {
    /// An attempt to connect to `address`.
    #[must_use]
    pub fn new(address: impl Into<String>, tls: bool, trace: ConnectTrace, failure: Option<ConnectFailure<E>>) -> Self {
        Self { address: address.into(), tls, trace, failure }
    }

    /// Whether this step succeeded.
    #[must_use]
    pub fn has_passed(&self, step: ConnectStep) -> bool {
        self.failure.as_ref().is_none_or(|failure| failure.step > step)
    }

    /// Whether this step was taken, with or without success.
    #[must_use]
    pub fn has_reached(&self, step: ConnectStep) -> bool {
        self.failure.as_ref().is_none_or(|failure| failure.step >= step)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_before_the_failure_have_passed() {
        let failure = ConnectFailure::new(ConnectStep::Tls, "expired", ());
        let probe = Probe::new("rabbit:5671", true, ConnectTrace::default(), Some(failure));
        assert!(probe.has_passed(ConnectStep::Connect) && !probe.has_passed(ConnectStep::Tls));
        assert!(probe.has_reached(ConnectStep::Tls) && !probe.has_reached(ConnectStep::Login));
        let open = Probe::<()>::new("rabbit:5671", true, ConnectTrace::default(), None);
        assert!(open.has_passed(ConnectStep::Namespace) && open.has_reached(ConnectStep::Namespace));
    }
}

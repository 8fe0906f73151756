//! One node of a broker URL: where it is, how to log in, and its parameters. Parsing only: it resolves no name and
//! connects to nothing. A node never shows its password.

use std::fmt;
use std::net::Ipv6Addr;
use std::time::Duration;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use zc_events_net::TlsOptions;

use super::tls_options;
use crate::{Error, Result};

/// Characters that are shown unescaped in a user name or a virtual host.
const SHOWN: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// One node of a broker URL.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Node {
    pub(super) tls: bool,
    pub(super) tls_options: TlsOptions,
    /// Without the brackets of an IPv6 address.
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) user: String,
    pub(super) password: String,
    pub(super) vhost: String,
    /// In seconds.
    pub(super) heartbeat: Option<u16>,
    pub(super) connection_timeout: Option<Duration>,
}

impl Node {
    pub(super) fn parse(text: &str) -> Result<Self> {
        let (scheme, rest) = text.split_once("://").ok_or_else(|| {
            invalid(
                "it has no scheme: write amqp://user:password@host:5672/%2F (each node of a `;` list in full)".into(),
            )
        })?;
        let tls = match scheme.to_ascii_lowercase().as_str() {
            "amqp" | "pyamqp" => false,
            "amqps" => true,
            // An unknown scheme is not quoted: it may be a part of a password with `://` in it.
            other @ ("http" | "https" | "redis" | "rediss" | "memory") => {
                return Err(invalid(format!("its scheme is `{other}`; use amqp:// or amqps://")));
            }
            _ => return Err(invalid("its scheme is unknown; use amqp:// or amqps://".into())),
        };
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (authority, path) = rest.split_once('/').map_or((rest, None), |(authority, path)| (authority, Some(path)));
        // The text that looks like a host and a virtual host would be a part of the password, and would be shown.
        if query.contains('@') || path.is_some_and(|path| path.contains('@')) {
            return Err(invalid("it has a `/` or `?` before an `@`: in a password write %2F and %3F (and %40 for an `@` in the virtual host)".into()));
        }
        if text.contains('#') {
            return Err(invalid("it contains a `#`: in a password write %23".into()));
        }
        let (userinfo, address) =
            authority.rsplit_once('@').map_or((None, authority), |(user, host)| (Some(user), host));

        let (user, password) = match userinfo {
            None => ("guest".to_owned(), "guest".to_owned()),
            Some(userinfo) => {
                let (user, password) = userinfo.split_once(':').unwrap_or((userinfo, ""));
                (decode("user name", user)?, decode("password", password)?)
            }
        };
        let (host, port) = host_and_port(address, if tls { 5671 } else { 5672 })?;
        let vhost = vhost(path)?;
        let tls_options = TlsOptions::default();
        let mut node =
            Self { tls, tls_options, host, port, user, password, vhost, heartbeat: None, connection_timeout: None };
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            node.parameter(pair)?;
        }
        Ok(node)
    }

    fn parameter(&mut self, pair: &str) -> Result<()> {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        match name {
            "heartbeat" => match value.parse() {
                Ok(0) => {
                    return Err(invalid(
                        "heartbeat=0 would turn off the detection of dead connections; leave it out for the default of 10 s".into(),
                    ));
                }
                Ok(seconds) => self.heartbeat = Some(seconds),
                Err(_) => return Err(invalid("heartbeat is not a number of seconds from 1 to 65535".into())),
            },
            "connection_timeout" => match value.parse() {
                Ok(0) | Err(_) => {
                    return Err(invalid("connection_timeout is not a number of milliseconds above 0".into()));
                }
                Ok(millis) => self.connection_timeout = Some(Duration::from_millis(millis)),
            },
            _ if tls_options::NAMES.contains(&name) => {
                tls_options::set(&mut self.tls_options, name, &decode("parameter", value)?)?;
                if !self.tls {
                    log::warn!("the parameter {name} of the broker URL has no effect without amqps://");
                }
            }
            _ => {
                // A parameter without `=` may be a part of a password.
                let is_name = pair.contains('=') && name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
                let shown = if is_name { name } else { "(not shown)" };
                log::warn!("unknown parameter {shown} in the broker URL is ignored");
            }
        }
        Ok(())
    }

    /// Host and port.
    pub(super) fn address(&self) -> String {
        let (open, close) = if self.host.contains(':') { ("[", "]") } else { ("", "") };
        format!("{open}{}{close}:{}", self.host, self.port)
    }
}

impl fmt::Display for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.tls { "amqps" } else { "amqp" };
        // The text after an encoded colon may be the password.
        let user = self.user.split(':').next().unwrap_or_default();
        let user = utf8_percent_encode(user, SHOWN);
        let vhost = utf8_percent_encode(&self.vhost, SHOWN);
        write!(f, "{scheme}://{user}@{}/{vhost}", self.address())
    }
}

impl fmt::Debug for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Node({self})")
    }
}

fn host_and_port(address: &str, default: u16) -> Result<(String, u16)> {
    let (host, port) = match address.strip_prefix('[') {
        Some(rest) => {
            let (host, port) =
                rest.split_once(']').ok_or_else(|| invalid("the `[` of its IPv6 address is not closed".into()))?;
            if !(port.is_empty() || port.starts_with(':')) {
                return Err(invalid("after the `]` of its IPv6 address only `:port` is allowed".into()));
            }
            (host, port.strip_prefix(':'))
        }
        None => match address.split_once(':') {
            Some((_, port)) if port.contains(':') => {
                return Err(invalid("write an IPv6 address in brackets: amqp://[::1]:5672/".into()));
            }
            Some((host, port)) => (host, Some(port)),
            None => (address, None),
        },
    };
    if host.is_empty() {
        return Err(invalid("it has no host".into()));
    }
    // `%` separates an IPv6 address from its zone.
    let (number, zone) = host.split_once('%').unwrap_or((host, ""));
    let is_host = if address.starts_with('[') {
        number.parse::<Ipv6Addr>().is_ok() && zone.chars().all(is_host_char)
    } else {
        host.chars().all(is_host_char)
    };
    if !is_host {
        return Err(invalid(
            "its host contains an invalid character; in a password write %2F, %40 and %23 for `/`, `@` and `#`".into(),
        ));
    }
    let port = match port {
        None | Some("") => default,
        Some(port) => match port.parse() {
            // The port is not quoted: it may be a part of a password with an unescaped `/` or `@`.
            Ok(0) | Err(_) => {
                return Err(invalid(
                    "its port is not a number from 1 to 65535 (in a password write %2F, %40 and %23 for `/`, `@` and `#`)"
                        .into(),
                ));
            }
            Ok(port) => port,
        },
    };
    Ok((host.to_owned(), port))
}

fn is_host_char(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '.' | '-' | '_')
}

fn vhost(path: Option<&str>) -> Result<String> {
    match path {
        None | Some("" | "/") => Ok("/".to_owned()),
        Some(path) if path.trim_start_matches('/').contains('/') => {
            Err(invalid("its path has several parts; write %2F for a `/` in the name of the virtual host".into()))
        }
        Some(path) => decode("virtual host", path),
    }
}

fn decode(what: &str, text: &str) -> Result<String> {
    match percent_decode_str(text).decode_utf8() {
        Ok(text) if text.contains('\0') => Err(invalid(format!("its {what} contains a zero byte"))),
        Ok(text) => Ok(text.into_owned()),
        Err(_) => Err(invalid(format!("its {what} is not UTF-8 after decoding %XX"))),
    }
}

fn invalid(why: String) -> Error {
    Error::Config { why: format!("the broker URL is invalid: {why}") }
}

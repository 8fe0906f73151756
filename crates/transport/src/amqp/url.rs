//! Broker URLs, as kombu, pika and RabbitMQ write them. Parsing only: nothing here
//! resolves or connects. A URL never shows its password.

use std::fmt;
use std::net::Ipv6Addr;
use std::str::FromStr;
use std::time::Duration;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use zc_events_tls::TlsOptions;

use super::trust;
use crate::{Error, Result};

/// What may stand unescaped in a shown user name or virtual host.
const SHOWN: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// Where the broker is: one node or several, tried in turn.
///
/// `amqp://[user[:password]@]host[:port][/vhost][?heartbeat=SECONDS&connection_timeout=MILLISECONDS]`,
/// with `;` between the URLs of several nodes, as kombu has it. User and password default
/// to `guest`, the port to 5672 (5671 for `amqps`). No path, `/`, the old trailing `//` and
/// `/%2F` all mean the virtual host `/`. Parameters that only other clients know are
/// ignored with a warning.
///
/// `amqps://` asks for TLS, for which the feature `tls` is needed, with a server that is always verified. The parameters are
/// those of RabbitMQ's clients, paths of files in PEM: `cacertfile` for those who vouch for the broker, in place of those
/// whom the system believes; `certfile` and `keyfile` for what is shown to a broker that asks; `server_name_indication`
/// where the broker's certificate is for another name than the host's.
///
/// In user, password and virtual host `/`, `?`, `#`, `;` and `@` are written
/// `%2F`, `%3F`, `%23`, `%3B` and `%40`; a URL that looks torn by one of them is refused.
///
/// `Display` and `Debug` show no password, and no error quotes what stands where one may be.
///
/// ```
/// use zc_events_transport::amqp::BrokerUrl;
/// let url: BrokerUrl = "amqp://app:s3cret@rabbit-1//;amqp://app:s3cret@rabbit-2:5673/%2F".parse()?;
/// assert_eq!(url.to_string(), "amqp://app@rabbit-1:5672/%2F;amqp://app@rabbit-2:5673/%2F");
/// # Ok::<(), zc_events_transport::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BrokerUrl {
    nodes: Vec<Node>,
}

impl BrokerUrl {
    /// The nodes, in the order in which they are tried; at least one.
    pub(super) fn nodes(&self) -> &[Node] {
        &self.nodes
    }
}

impl FromStr for BrokerUrl {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let nodes = text.split(';').map(|part| Node::parse(part.trim())).collect::<Result<Vec<_>>>()?;
        Ok(Self { nodes })
    }
}

impl fmt::Display for BrokerUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, node) in self.nodes.iter().enumerate() {
            write!(f, "{}{node}", if index > 0 { ";" } else { "" })?;
        }
        Ok(())
    }
}

/// One node of a broker URL.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Node {
    pub(super) tls: bool,
    pub(super) trust: TlsOptions,
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
    fn parse(text: &str) -> Result<Self> {
        let (scheme, rest) = text.split_once("://").ok_or_else(|| {
            wrong("it has no scheme: write amqp://user:password@host:5672/%2F (each node of a `;` list in full)".into())
        })?;
        let tls = match scheme.to_ascii_lowercase().as_str() {
            "amqp" | "pyamqp" => false,
            "amqps" => true,
            // Anything else may be a piece of a password with `://` in it.
            other @ ("http" | "https" | "redis" | "rediss" | "memory") => {
                return Err(wrong(format!("its scheme is `{other}`; amqp:// and amqps:// are known")));
            }
            _ => return Err(wrong("its scheme is not known; amqp:// and amqps:// are".into())),
        };
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (authority, path) = rest.split_once('/').map_or((rest, None), |(authority, path)| (authority, Some(path)));
        // What looks like a host and a virtual host is a torn password then, and would be shown.
        if query.contains('@') || path.is_some_and(|path| path.contains('@')) {
            return Err(wrong("a `/` or `?` stands before an `@`: in a password they are written %2F and %3F (an `@` in the virtual host %40)".into()));
        }
        if text.contains('#') {
            return Err(wrong("it has a `#` in it: in a password it is written %23".into()));
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
        let trust = TlsOptions::default();
        let mut node =
            Self { tls, trust, host, port, user, password, vhost, heartbeat: None, connection_timeout: None };
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
                    return Err(wrong(
                        "heartbeat=0 would turn off the detection of dead connections; leave it out for 10 s".into(),
                    ));
                }
                Ok(seconds) => self.heartbeat = Some(seconds),
                Err(_) => return Err(wrong("heartbeat is not a number of seconds from 1 to 65535".into())),
            },
            "connection_timeout" => match value.parse() {
                Ok(0) | Err(_) => {
                    return Err(wrong("connection_timeout is not a number of milliseconds above 0".into()));
                }
                Ok(millis) => self.connection_timeout = Some(Duration::from_millis(millis)),
            },
            _ if trust::NAMES.contains(&name) => {
                trust::take(&mut self.trust, name, &decode("parameter", value)?)?;
                if !self.tls {
                    log::warn!("the parameter {name} of the broker URL has no effect without amqps://");
                }
            }
            _ => {
                // A parameter without `=` may be the rest of a password.
                let is_name = pair.contains('=') && name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
                let shown = if is_name { name } else { "(not shown)" };
                log::warn!("the parameter {shown} of the broker URL is not known here and is ignored");
            }
        }
        Ok(())
    }
}

impl Node {
    /// Host and port.
    pub(super) fn address(&self) -> String {
        let (open, close) = if self.host.contains(':') { ("[", "]") } else { ("", "") };
        format!("{open}{}{close}:{}", self.host, self.port)
    }
}

impl fmt::Display for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.tls { "amqps" } else { "amqp" };
        // Behind a colon that somebody encoded there is the password.
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
                rest.split_once(']').ok_or_else(|| wrong("the `[` of its IPv6 address is not closed".into()))?;
            if !(port.is_empty() || port.starts_with(':')) {
                return Err(wrong("behind the `]` of its IPv6 address only `:port` may stand".into()));
            }
            (host, port.strip_prefix(':'))
        }
        None => match address.split_once(':') {
            Some((_, port)) if port.contains(':') => {
                return Err(wrong("an IPv6 address stands in brackets: amqp://[::1]:5672/".into()));
            }
            Some((host, port)) => (host, Some(port)),
            None => (address, None),
        },
    };
    if host.is_empty() {
        return Err(wrong("it names no host".into()));
    }
    // `%` stands before the zone of an IPv6 address.
    let (number, zone) = host.split_once('%').unwrap_or((host, ""));
    let is_host = if address.starts_with('[') {
        number.parse::<Ipv6Addr>().is_ok() && zone.chars().all(in_a_name)
    } else {
        host.chars().all(in_a_name)
    };
    if !is_host {
        return Err(wrong(
            "its host has a character that no host has; in a password, `/`, `@` and `#` are written %2F, %40, %23"
                .into(),
        ));
    }
    let port = match port {
        None | Some("") => default,
        Some(port) => match port.parse() {
            // What stands there may be a piece of a password with an unescaped `/` or `@`.
            Ok(0) | Err(_) => {
                return Err(wrong(
                    "its port is not a number from 1 to 65535 (characters such as `/`, `@` and `#` in a password are written %2F, %40, %23)"
                        .into(),
                ));
            }
            Ok(port) => port,
        },
    };
    Ok((host.to_owned(), port))
}

fn in_a_name(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '.' | '-' | '_')
}

fn vhost(path: Option<&str>) -> Result<String> {
    match path {
        None | Some("" | "/") => Ok("/".to_owned()),
        Some(path) if path.trim_start_matches('/').contains('/') => {
            Err(wrong("its path has several parts; a `/` within the virtual host's name is written %2F".into()))
        }
        Some(path) => decode("virtual host", path),
    }
}

fn decode(what: &str, text: &str) -> Result<String> {
    match percent_decode_str(text).decode_utf8() {
        Ok(text) if text.contains('\0') => Err(wrong(format!("its {what} contains a zero byte"))),
        Ok(text) => Ok(text.into_owned()),
        Err(_) => Err(wrong(format!("its {what} is not UTF-8 once %XX is decoded"))),
    }
}

fn wrong(why: String) -> Error {
    Error::Config { why: format!("the broker URL is wrong: {why}") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn node(text: &str) -> Node {
        text.parse::<BrokerUrl>().unwrap().nodes()[0].clone()
    }

    #[test]
    fn every_way_to_write_the_vhost() {
        for (text, vhost) in [
            ("amqp://h", "/"),
            ("amqp://h/", "/"),
            ("amqp://h//", "/"),
            ("amqp://h/%2F", "/"),
            ("amqp://h/%2f", "/"),
            ("amqp://h/shop", "shop"),
            ("amqp://h/a%2Fb", "a/b"),
            ("amqp://h//shop", "/shop"),
            ("amqp://h?heartbeat=5", "/"),
        ] {
            assert_eq!(node(text).vhost, vhost, "{text}");
        }
    }

    #[test]
    fn hosts_and_ports() {
        for (text, host, port) in [
            ("amqp://h", "h", 5672),
            ("amqps://h", "h", 5671),
            ("amqp://h:1234/", "h", 1234),
            ("amqp://u:p@h:1/", "h", 1),
            ("amqp://[::1]/", "::1", 5672),
            ("amqp://u@[fe80::1]:99/x", "fe80::1", 99),
            ("pyamqp://h:", "h", 5672),
            ("amqp://[fe80::1%eth0]", "fe80::1%eth0", 5672),
        ] {
            let node = node(text);
            assert_eq!((node.host.as_str(), node.port), (host, port), "{text}");
        }
    }

    #[test]
    fn credentials() {
        for (text, user, password) in [
            ("amqp://h", "guest", "guest"),
            ("amqp://u@h", "u", ""),
            ("amqp://u:@h", "u", ""),
            ("amqp://u:p%40ss%2F%3A@h", "u", "p@ss/:"),
            ("amqp://a%40b:p:q@h", "a@b", "p:q"),
            ("amqp://u:p@q@h", "u", "p@q"),
        ] {
            let node = node(text);
            assert_eq!((node.user.as_str(), node.password.as_str()), (user, password), "{text}");
        }
    }

    #[test]
    fn parameters() {
        let node = node("amqp://h/?heartbeat=7&connection_timeout=1500&socket_timeout=3");
        assert_eq!(node.heartbeat, Some(7));
        assert_eq!(node.connection_timeout, Some(Duration::from_millis(1500)));
    }

    #[test]
    fn nodes_in_their_order() {
        let url: BrokerUrl = "amqp://a/x; amqps://b:1/x".parse().unwrap();
        let hosts: Vec<_> = url.nodes().iter().map(|node| (node.host.as_str(), node.tls)).collect();
        assert_eq!(hosts, [("a", false), ("b", true)]);
    }

    #[test]
    fn what_is_wrong_is_said_and_the_password_is_not() {
        for (text, says) in [
            ("localhost:5672", "no scheme"),
            ("", "no scheme"),
            ("amqp://a;b", "each node"),
            ("http://u:canary@h", "scheme is `http`"),
            ("amqp://u:canary@", "no host"),
            ("amqp://u:canary@h:port", "port is not a number"),
            ("amqp://u:canary/5@h", "%2F"),
            ("amqp://user:p@ss/wo#rd-canary@host", "%2F"),
            ("amqp://user:p@can/ary@host", "%2F"),
            ("amqp://user:12/canary@host", "%2F"),
            ("amqp://user:12?canary=1@host", "%3F"),
            ("amqp://user:12#canary@host", "%23"),
            ("amqp://user:12;canary@host", "no scheme"),
            ("amqp://user:12;canary://@host", "scheme is not known"),
            ("user:canary://@host", "scheme is not known"),
            ("amqp://user:pass@can ary", "no host has"),
            ("amqp://user:pass@can\nary", "no host has"),
            ("amqp://user:pass@[can@ary]", "no host has"),
            ("amqp://user:pass@[::1]canary", "only `:port`"),
            ("amqp://user:pass@[%fe]", "no host has"),
            ("amqp://u:canary@h:0", "port is not a number"),
            ("amqp://u:canary@::1", "brackets"),
            ("amqp://u:canary@[::1", "not closed"),
            ("amqp://u:canary@h/a/b", "%2F"),
            ("amqp://u:canary@h?heartbeat=0", "dead connections"),
            ("amqp://u:canary@h?heartbeat=canary", "number of seconds"),
            ("amqp://u:canary@h?connection_timeout=x", "milliseconds"),
            ("amqp://u:%FFcanary@h", "not UTF-8"),
            ("amqp://u:canary%00@h", "zero byte"),
        ] {
            let error = text.parse::<BrokerUrl>().unwrap_err();
            let shown = format!("{error} {error:?}");
            assert!(shown.contains(says), "{text}: {shown}");
            assert!(!shown.contains("canary"), "{shown}");
        }
    }

    #[test]
    fn debug_hides_the_password() {
        let url: BrokerUrl = "amqp://u:canary@h".parse().unwrap();
        assert_eq!(format!("{url:?}"), "BrokerUrl { nodes: [Node(amqp://u@h:5672/%2F)] }");
        let url: BrokerUrl = "amqp://u%3Acanary@h".parse().unwrap();
        assert_eq!(url.to_string(), "amqp://u@h:5672/%2F");
    }

    fn escaped(text: &str) -> String {
        utf8_percent_encode(text, NON_ALPHANUMERIC).to_string()
    }

    proptest! {
        #[test]
        fn whatever_is_escaped_is_read_as_it_was(
            user in "[^\0]{1,12}", password in "[^\0]{0,12}", vhost in "[^\0]{1,12}", host in "[a-z][a-z0-9.-]{0,9}", port in 1_u16..
        ) {
            let text = format!("amqp://{}:{}@{host}:{port}/{}", escaped(&user), escaped(&password), escaped(&vhost));
            let url: BrokerUrl = text.parse().unwrap();
            let read = &url.nodes()[0];
            prop_assert_eq!(
                (&read.user, &read.password, &read.vhost, &read.host, read.port),
                (&user, &password, &vhost, &host, port)
            );
            // What it shows is a URL, too, which shows itself.
            let shown = url.to_string();
            prop_assert_eq!(shown.parse::<BrokerUrl>().unwrap().to_string(), shown);
        }

        /// However much of it was not escaped.
        #[test]
        fn no_password_is_shown(
            before in "[^;\0]{0,6}", behind in "[^;\0]{0,6}", host in "[a-z.:/?#%@]{0,9}", first in any::<bool>()
        ) {
            let node = format!("amqp://user:{before}kNrY{behind}@{host}");
            let text = if first { node } else { format!("amqp://a;{node}") };
            let shown = match text.parse::<BrokerUrl>() {
                Ok(url) => format!("{url} {url:?}"),
                Err(error) => format!("{error} {error:?}"),
            };
            prop_assert!(!shown.contains("kNrY"), "{}", shown);
        }
    }
}

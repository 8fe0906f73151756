//! Broker URLs, in the form that kombu, pika and RabbitMQ use: a list of nodes. A URL never shows its password.

use std::fmt;
use std::str::FromStr;

use super::node::Node;
use crate::{Error, Result};

/// Where the broker is: one node or several, which are tried in turn.
///
/// `amqp://[user[:password]@]host[:port][/vhost][?heartbeat=SECONDS&connection_timeout=MILLISECONDS]`,
/// with `;` between the URLs of several nodes, as in kombu. User and password default to `guest`, the port to 5672 (5671 for
/// `amqps`). No path, `/`, the old trailing `//` and `/%2F` all mean the virtual host `/`. Unknown parameters are ignored with
/// a warning.
///
/// `amqps://` asks for TLS and needs the feature `tls`. The server's certificate is always verified. The parameters are
/// those of RabbitMQ's clients. Their values are paths of PEM files, except the last:
///
/// - `cacertfile`: the CA certificates to trust, in place of those that the system trusts.
/// - `certfile` and `keyfile`: the client certificate and its key, presented if the broker asks for one.
/// - `server_name_indication`: the name in the broker's certificate, if it is not the host's.
///
/// In user, password and virtual host, write `%2F`, `%3F`, `%23`, `%3B` and `%40` for `/`, `?`, `#`, `;` and `@`. A URL
/// in which one of them seems to split the password is refused.
///
/// `Display` and `Debug` show no password, and no error quotes a part that may be one.
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

#[cfg(test)]
mod tests {
    use super::*;
    use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
    use proptest::prelude::*;
    use std::time::Duration;

    fn node(text: &str) -> Node {
        text.parse::<BrokerUrl>().unwrap().nodes()[0].clone()
    }

    #[test]
    fn vhost_is_read_in_every_notation() {
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
    fn host_and_port_are_read() {
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
    fn credentials_are_read() {
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
    fn parameters_are_read() {
        let node = node("amqp://h/?heartbeat=7&connection_timeout=1500&socket_timeout=3");
        assert_eq!(node.heartbeat, Some(7));
        assert_eq!(node.connection_timeout, Some(Duration::from_millis(1500)));
    }

    #[test]
    fn nodes_keep_their_order() {
        let url: BrokerUrl = "amqp://a/x; amqps://b:1/x".parse().unwrap();
        let hosts: Vec<_> = url.nodes().iter().map(|node| (node.host.as_str(), node.tls)).collect();
        assert_eq!(hosts, [("a", false), ("b", true)]);
    }

    #[test]
    fn an_invalid_url_is_explained_without_its_password() {
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
            ("amqp://user:12;canary://@host", "scheme is unknown"),
            ("user:canary://@host", "scheme is unknown"),
            ("amqp://user:pass@can ary", "invalid character"),
            ("amqp://user:pass@can\nary", "invalid character"),
            ("amqp://user:pass@[can@ary]", "invalid character"),
            ("amqp://user:pass@[::1]canary", "only `:port`"),
            ("amqp://user:pass@[%fe]", "invalid character"),
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
        fn escaped_text_is_read_as_written(
            user in "[^\0]{1,12}", password in "[^\0]{0,12}", vhost in "[^\0]{1,12}", host in "[a-z][a-z0-9.-]{0,9}", port in 1_u16..
        ) {
            let text = format!("amqp://{}:{}@{host}:{port}/{}", escaped(&user), escaped(&password), escaped(&vhost));
            let url: BrokerUrl = text.parse().unwrap();
            let read = &url.nodes()[0];
            prop_assert_eq!(
                (&read.user, &read.password, &read.vhost, &read.host, read.port),
                (&user, &password, &vhost, &host, port)
            );
            // The shown form is a URL, and its shown form is the same.
            let shown = url.to_string();
            prop_assert_eq!(shown.parse::<BrokerUrl>().unwrap().to_string(), shown);
        }

        /// With any characters of it unescaped.
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

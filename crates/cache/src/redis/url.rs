//! Reads the URL of a Redis server, as the services in Python write it. Does not connect,
//! and quotes nothing of the URL in an error: the password may stand anywhere in a wrong one.

use std::fmt;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

use zc_events_net::TlsOptions;

use super::trust;
use crate::{Error, Result};

const PORT: u16 = 6379;
/// What may stand unescaped in a shown user name.
const SHOWN: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// Where a Redis server is and how to log in to it.
///
/// `redis://[[user][:password]@]host[:port][/db][?db=..&username=..&password=..]`
///
/// - User name and password are percent-encoded; `@` may stand in them as it is, `/`, `?` and `#` must not.
/// - No host means `localhost`, no port 6379, no database 0. An IPv6 address stands in brackets.
/// - As in redis-py, `db` in the query wins over the path, and the user information before
///   the `@` over the query. Other parameters belong to other clients: they are ignored,
///   with a warning in the log that names them.
/// - `rediss://` asks for TLS, for which the feature `tls` is needed, with a server that is always verified. The parameters
///   are those of redis-py, paths of files in PEM: `ssl_ca_certs` for those who vouch for the server, in place of those whom
///   the system believes; `ssl_certfile` and `ssl_keyfile` for what is shown to a server that asks.
/// - Sockets of the file system are refused.
///
/// `Display` and `Debug` show everything but the password.
///
/// ```
/// use zc_events_cache::redis::RedisUrl;
///
/// let url = RedisUrl::parse("redis://events:s3cr3t@cache.internal/2")?;
/// assert_eq!((url.host(), url.port(), url.db()), ("cache.internal", 6379, 2));
/// assert_eq!(url.to_string(), "redis://events:***@cache.internal:6379/2");
/// # Ok::<(), zc_events_cache::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct RedisUrl {
    host: String,
    port: u16,
    db: u32,
    username: Option<String>,
    password: Option<String>,
    /// Whom to believe, where it asks for TLS.
    tls: Option<TlsOptions>,
}

impl RedisUrl {
    /// Reads `url`.
    ///
    /// # Errors
    /// [`Config`](Error::Config), saying what is wrong without quoting it.
    pub fn parse(url: &str) -> Result<Self> {
        let url = url.trim();
        let (rest, is_tls) = after_scheme(url)?;
        if rest.contains(|c: char| c.is_control() || c.is_whitespace()) {
            return Err(wrong("it has a blank or a control character in it"));
        }
        if rest.contains('#') {
            return Err(wrong("it has a # in it: write one in a password as %23"));
        }
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        let (login, place) = match authority.rsplit_once('@') {
            Some((login, place)) => (Some(login), place),
            None => (None, authority),
        };
        if path.contains('@') || query.contains('@') {
            return Err(wrong("a / or ? comes before the @: write them in a password as %2F and %3F"));
        }
        let (host, port) = host_and_port(place)?;
        let tls = is_tls.then(TlsOptions::default);
        let mut parsed = Self { host, port, db: 0, username: None, password: None, tls };
        if !path.trim_matches('/').is_empty() {
            parsed.db = database(path.trim_matches('/'))?;
        }
        parsed.read_query(query)?;
        if let Some(login) = login {
            parsed.read_login(login)?;
        }
        Ok(parsed)
    }

    fn read_login(&mut self, login: &str) -> Result<()> {
        let (user, password) = match login.split_once(':') {
            Some((user, password)) => (user, Some(password)),
            None => (login, None),
        };
        if !user.is_empty() {
            self.username = Some(decoded(user, "user name")?);
        }
        if let Some(password) = password.filter(|password| !password.is_empty()) {
            self.password = Some(decoded(password, "password")?);
        }
        Ok(())
    }

    fn read_query(&mut self, query: &str) -> Result<()> {
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            match name {
                "db" => self.db = database(value)?,
                "username" => self.username = Some(decoded(value, "user name")?),
                "password" => self.password = Some(decoded(value, "password")?),
                _ if trust::NAMES.contains(&name) => {
                    let value = decoded(value, "parameter")?;
                    match &mut self.tls {
                        Some(options) => trust::take(options, name, &value).map_err(wrong)?,
                        None => log::warn!("the parameter {name} in the Redis URL has no effect without rediss://"),
                    }
                }
                _ => {
                    // A parameter without `=` may be the rest of a password.
                    let shown = if pair.contains('=') && name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_') {
                        name
                    } else {
                        "(not shown)"
                    };
                    log::warn!("the parameter {shown} in the Redis URL is not known here and has no effect");
                }
            }
        }
        Ok(())
    }

    /// The host: a name, or an address without brackets.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The number of the database.
    #[must_use]
    pub fn db(&self) -> u32 {
        self.db
    }

    /// The user name, if one is given; without one Redis takes `default`.
    #[must_use]
    pub fn username(&self) -> Option<&str> {
        self.username.as_deref()
    }

    pub(super) fn password(&self) -> Option<&str> {
        self.password.as_deref()
    }

    /// Whom to believe, where it asks for TLS.
    pub(super) fn tls(&self) -> Option<&TlsOptions> {
        self.tls.as_ref()
    }

    /// `host:port`, for people.
    pub(super) fn place(&self) -> String {
        if self.host.contains(':') {
            format!("[{}]:{}", self.host, self.port)
        } else {
            format!("{}:{}", self.host, self.port)
        }
    }
}

impl fmt::Display for RedisUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.tls.is_some() { "rediss://" } else { "redis://" })?;
        // Behind a colon that somebody encoded there is the password.
        let user = self.username.as_deref().unwrap_or_default().split(':').next().unwrap_or_default();
        if !user.is_empty() || self.password.is_some() {
            write!(f, "{}", utf8_percent_encode(user, SHOWN))?;
            if self.password.is_some() {
                f.write_str(":***")?;
            }
            f.write_str("@")?;
        }
        write!(f, "{}/{}", self.place(), self.db)
    }
}

impl fmt::Debug for RedisUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RedisUrl({self})")
    }
}

impl std::str::FromStr for RedisUrl {
    type Err = Error;

    fn from_str(url: &str) -> Result<Self> {
        Self::parse(url)
    }
}

fn wrong(why: &str) -> Error {
    Error::Config {
        why: format!("the Redis URL cannot be read: {why} (expected redis://[[user]:password@]host[:port][/db])"),
    }
}

/// What stands behind the scheme, and whether that asks for TLS.
fn after_scheme(url: &str) -> Result<(&str, bool)> {
    let (scheme, rest) = url.split_once("://").ok_or_else(|| wrong("it has no scheme"))?;
    match scheme.to_ascii_lowercase().as_str() {
        "redis" => Ok((rest, false)),
        "rediss" if rest.to_ascii_lowercase().ends_with("#insecure") => {
            Err(wrong("#insecure would turn off the verification of the server's certificate"))
        }
        "rediss" if cfg!(feature = "tls") => Ok((rest, true)),
        "rediss" => {
            Err(wrong("rediss:// asks for TLS, which this build does not have: it is the feature `tls` of zc-events"))
        }
        "unix" | "redis+unix" | "redis+socket" => {
            Err(wrong("sockets of the file system are not supported; let the server listen on 127.0.0.1"))
        }
        "redis+cluster" | "sentinel" | "redis+sentinel" => {
            Err(wrong("cluster and sentinel are not supported; name the master"))
        }
        _ => Err(wrong("its scheme is not known; a reply store is redis:// or memory://")),
    }
}

fn host_and_port(place: &str) -> Result<(String, u16)> {
    let (host, port) = if let Some(rest) = place.strip_prefix('[') {
        let (host, after) = rest.split_once(']').ok_or_else(|| wrong("the ] of an IPv6 address is missing"))?;
        host.parse::<std::net::Ipv6Addr>().map_err(|_| wrong("what stands in [] is not an IPv6 address"))?;
        match after.strip_prefix(':') {
            Some(port) => (host, port),
            None if after.is_empty() => (host, ""),
            None => return Err(wrong("after the ] of an IPv6 address only :port may come")),
        }
    } else {
        match place.split_once(':') {
            Some((_, port)) if port.contains(':') => return Err(wrong("an IPv6 address must stand in []")),
            Some((host, port)) => (host, port),
            None => (place, ""),
        }
    };
    if host.contains(['%', '[', ']', '\\', ',', ';']) {
        return Err(wrong("the host name has a character that no host name has"));
    }
    let port = match port {
        "" => PORT,
        digits if digits.bytes().all(|b| b.is_ascii_digit()) => match digits.parse() {
            Ok(0) | Err(_) => return Err(wrong("the port is not between 1 and 65535")),
            Ok(port) => port,
        },
        _ => return Err(wrong("the port is not a number; write /, ? and # in a password as %2F, %3F and %23")),
    };
    Ok((if host.is_empty() { "localhost" } else { host }.to_owned(), port))
}

fn database(digits: &str) -> Result<u32> {
    if !digits.is_empty()
        && digits.bytes().all(|b| b.is_ascii_digit())
        && let Ok(db) = digits.parse()
    {
        return Ok(db);
    }
    Err(wrong("the database is not a number"))
}

fn decoded(encoded: &str, what: &str) -> Result<String> {
    match percent_decode_str(encoded).decode_utf8() {
        Ok(text) => Ok(text.into_owned()),
        Err(_) => Err(wrong(&format!("the {what} is not UTF-8 after percent-decoding"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn shown(url: &str) -> String {
        let url = RedisUrl::parse(url).unwrap();
        format!("{url} {:?}", url.password())
    }

    #[test]
    fn every_form_is_read() {
        for (url, expected) in [
            ("redis://", "redis://localhost:6379/0 None"),
            ("redis:///3", "redis://localhost:6379/3 None"),
            ("redis://host", "redis://host:6379/0 None"),
            ("REDIS://host:6380/", "redis://host:6380/0 None"),
            ("redis://host/2?db=5", "redis://host:6379/5 None"),
            ("redis://host?socket_timeout=5", "redis://host:6379/0 None"),
            ("redis://:pw@host/1", "redis://:***@host:6379/1 Some(\"pw\")"),
            ("redis://me:p%40w%2F%25@host", "redis://me:***@host:6379/0 Some(\"p@w/%\")"),
            ("redis://me:p@w:x@host", "redis://me:***@host:6379/0 Some(\"p@w:x\")"),
            ("redis://me@host", "redis://me@host:6379/0 None"),
            ("redis://me%3Apw@host", "redis://me@host:6379/0 None"),
            ("redis://m%0Ae:pw@host", "redis://m%0Ae:***@host:6379/0 Some(\"pw\")"),
            ("redis://host?username=me&password=p%26w", "redis://me:***@host:6379/0 Some(\"p&w\")"),
            ("redis://:one@host?password=two", "redis://:***@host:6379/0 Some(\"one\")"),
            ("redis://[::1]:7000/1", "redis://[::1]:7000/1 None"),
            ("redis://u:p@[fe80::1]", "redis://u:***@[fe80::1]:6379/0 Some(\"p\")"),
            ("  redis://host\n", "redis://host:6379/0 None"),
        ] {
            assert_eq!(shown(url), expected, "{url}");
        }
    }

    #[test]
    fn what_is_wrong_is_said_and_not_quoted() {
        for (url, said) in [
            ("host-canary:6379", "no scheme"),
            ("amqp://:canary@host", "scheme is not known"),
            ("unix:///canary.sock", "sockets of the file system"),
            ("redis+socket:///canary.sock", "sockets of the file system"),
            ("sentinel://canary", "name the master"),
            ("redis://:can/ary@host", "%2F"),
            ("redis://:12/canary@host", "%2F"),
            ("redis://:12?canary@host", "%3F"),
            ("redis://:12#canary@host", "%23"),
            ("redis://:canary@host:port", "port is not a number"),
            ("redis://host:0/canary", "between 1 and 65535"),
            ("redis://host:70000", "between 1 and 65535"),
            ("redis://host/canary", "database is not a number"),
            ("redis://host/-1", "database is not a number"),
            ("redis://host?db=canary", "database is not a number"),
            ("redis://::1/0", "must stand in []"),
            ("redis://[::1", "] of an IPv6"),
            ("redis://[canary]", "not an IPv6 address"),
            ("redis://[::1]6379", "only :port"),
            ("redis://:%ff@host", "not UTF-8"),
            ("redis://:can ary@host", "blank"),
            ("redis://one,two-canary", "no host name has"),
        ] {
            let Err(Error::Config { why }) = RedisUrl::parse(url) else { panic!("{url} was accepted") };
            assert!(why.contains(said), "{url}: {why}");
            assert!(!why.contains("canary") && !why.contains("ary@"), "{url}: {why}");
        }
    }

    #[cfg(feature = "tls")]
    #[test]
    fn what_is_said_of_tls_is_read_and_nothing_turns_verifying_off() {
        let url = RedisUrl::parse("rediss://:pw@host/2?ssl_ca_certs=/a%20b/ca.pem&ssl_cert_reqs=required").unwrap();
        assert_eq!(url.to_string(), "rediss://:***@host:6379/2");
        assert_eq!(url.tls().unwrap().ca_file.as_deref(), Some("/a b/ca.pem".as_ref()));
        assert!(RedisUrl::parse("redis://host?ssl_ca_certs=/ca.pem").unwrap().tls().is_none());
        for wrong in ["ssl_cert_reqs=none", "ssl_cert_reqs=CERT_NONE", "ssl_check_hostname=False"] {
            let why = RedisUrl::parse(&format!("rediss://host?{wrong}")).unwrap_err().to_string();
            assert!(why.contains("ssl_ca_certs"), "{why}");
        }
    }

    #[cfg(not(feature = "tls"))]
    #[test]
    fn a_build_without_tls_says_so() {
        let why = RedisUrl::parse("rediss://:canary@host").unwrap_err().to_string();
        assert!(why.contains("feature `tls`") && !why.contains("canary"), "{why}");
    }

    #[test]
    fn tls_insecure_is_refused() {
        for url in ["rediss://host#insecure", "rediss://:pw@host:6380/0#INSECURE"] {
            let why = RedisUrl::parse(url).unwrap_err().to_string();
            assert!(why.contains("verification"), "{why}");
        }
        assert!(RedisUrl::parse("redis://host#insecure").is_err());
    }

    fn escaped(text: &str) -> String {
        utf8_percent_encode(text, NON_ALPHANUMERIC).to_string()
    }

    proptest! {
        #[test]
        fn whatever_is_escaped_is_read_as_it_was(
            user in ".{1,12}", password in ".{1,12}", host in "[a-z][a-z0-9.-]{0,9}", port in 1_u16.., db in any::<u32>(), query in any::<bool>()
        ) {
            let (user_text, password_text) = (escaped(&user), escaped(&password));
            let text = if query {
                format!("redis://{host}:{port}?username={user_text}&password={password_text}&db={db}")
            } else {
                format!("redis://{user_text}:{password_text}@{host}:{port}/{db}")
            };
            let url = RedisUrl::parse(&text).unwrap();
            prop_assert_eq!((url.username(), url.password()), (Some(user.as_str()), Some(password.as_str())));
            prop_assert_eq!((url.host(), url.port(), url.db()), (host.as_str(), port, db));
            // What it shows is a URL, too, which shows itself.
            let shown = url.to_string();
            prop_assert_eq!(RedisUrl::parse(&shown).unwrap().to_string(), shown);
        }

        /// However much of it was not escaped.
        #[test]
        fn no_password_is_shown(before in ".{0,6}", behind in ".{0,6}", host in "[a-z.:/?#%@]{0,9}") {
            let shown = match RedisUrl::parse(&format!("redis://user:{before}kNrY{behind}@{host}")) {
                Ok(url) => format!("{url} {url:?}"),
                Err(error) => format!("{error} {error:?}"),
            };
            prop_assert!(!shown.contains("kNrY"), "{}", shown);
        }
    }
}

//! Reads the URL of a Redis server, as the services in Python write it. Does not connect. No error quotes a part of the
//! URL, because the password may be anywhere in a wrong one.

mod parts;
#[cfg(test)]
mod tests;
mod tls_parameters;

use std::fmt;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use zc_events_net::TlsOptions;

use self::parts::{after_scheme, database, decoded, host_and_port, wrong};
use crate::{Error, Result};

/// The characters of a user name that are shown as they are.
const SHOWN: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// The address of a Redis server, and the login.
///
/// `redis://[[user][:password]@]host[:port][/db][?db=..&username=..&password=..]`
///
/// - User name and password are percent-encoded. `@` may stand in them as it is; `/`, `?` and `#` must be encoded.
/// - The host defaults to `localhost`, the port to 6379, the database to 0. An IPv6 address stands in brackets.
/// - As in redis-py, `db` in the query wins over the path, and the login before the `@` wins over the query. Parameters of
///   other clients are ignored, with a warning in the log that names them.
/// - `rediss://` uses TLS, needs the feature `tls`, and always verifies the server. The parameters are those of redis-py,
///   paths of PEM files: `ssl_ca_certs` for the CA certificates to trust in place of the system's; `ssl_certfile` and
///   `ssl_keyfile` for the client certificate.
/// - Unix sockets are not supported.
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
    /// The certificates, if the URL asks for TLS.
    tls: Option<TlsOptions>,
}

impl RedisUrl {
    /// Reads `url`.
    ///
    /// # Errors
    /// [`Config`](Error::Config) names the mistake, and quotes nothing.
    pub fn parse(url: &str) -> Result<Self> {
        let url = url.trim();
        let (rest, is_tls) = after_scheme(url)?;
        if rest.contains(|c: char| c.is_control() || c.is_whitespace()) {
            return Err(wrong("it contains a space or a control character"));
        }
        if rest.contains('#') {
            return Err(wrong("it contains a #: write it in a password as %23"));
        }
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        let (login, address) = match authority.rsplit_once('@') {
            Some((login, address)) => (Some(login), address),
            None => (None, authority),
        };
        if path.contains('@') || query.contains('@') {
            return Err(wrong("a / or ? comes before the @: write them in a password as %2F and %3F"));
        }
        let (host, port) = host_and_port(address)?;
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
                _ if tls_parameters::NAMES.contains(&name) => {
                    let value = decoded(value, "parameter")?;
                    match &mut self.tls {
                        Some(options) => tls_parameters::set(options, name, &value).map_err(wrong)?,
                        None => log::warn!("the parameter {name} in the Redis URL has no effect without rediss://"),
                    }
                }
                _ => {
                    // A parameter without `=` may be a part of a password.
                    let shown = if pair.contains('=') && name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_') {
                        name
                    } else {
                        "(not shown)"
                    };
                    log::warn!("the parameter {shown} in the Redis URL is unknown and has no effect");
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

    /// The user name, if the URL has one. Without one, Redis uses `default`.
    #[must_use]
    pub fn username(&self) -> Option<&str> {
        self.username.as_deref()
    }

    pub(super) fn password(&self) -> Option<&str> {
        self.password.as_deref()
    }

    /// The certificates, if the URL asks for TLS.
    pub(super) fn tls(&self) -> Option<&TlsOptions> {
        self.tls.as_ref()
    }

    /// `host:port`, for messages.
    pub(super) fn address(&self) -> String {
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
        // The text after an encoded colon is the password.
        let user = self.username.as_deref().unwrap_or_default().split(':').next().unwrap_or_default();
        if !user.is_empty() || self.password.is_some() {
            write!(f, "{}", utf8_percent_encode(user, SHOWN))?;
            if self.password.is_some() {
                f.write_str(":***")?;
            }
            f.write_str("@")?;
        }
        write!(f, "{}/{}", self.address(), self.db)
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

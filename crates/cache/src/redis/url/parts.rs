//! The parts of a Redis URL: scheme, host and port, database, percent-encoded text. No error quotes a part.

use percent_encoding::percent_decode_str;

use crate::{Error, Result};

const PORT: u16 = 6379;

pub(super) fn wrong(why: &str) -> Error {
    Error::Config {
        why: format!("the Redis URL cannot be read: {why} (expected redis://[[user]:password@]host[:port][/db])"),
    }
}

/// Splits off the scheme. Returns the rest, and whether the scheme asks for TLS.
pub(super) fn after_scheme(url: &str) -> Result<(&str, bool)> {
    let (scheme, rest) = url.split_once("://").ok_or_else(|| wrong("it has no scheme"))?;
    match scheme.to_ascii_lowercase().as_str() {
        "redis" => Ok((rest, false)),
        "rediss" if rest.to_ascii_lowercase().ends_with("#insecure") => {
            Err(wrong("#insecure would turn off the verification of the server's certificate"))
        }
        "rediss" if cfg!(feature = "tls") => Ok((rest, true)),
        "rediss" => {
            Err(wrong("rediss:// needs TLS, which this build does not have: enable the feature `tls` of zc-events"))
        }
        "unix" | "redis+unix" | "redis+socket" => {
            Err(wrong("Unix sockets are not supported; let the server listen on 127.0.0.1"))
        }
        "redis+cluster" | "sentinel" | "redis+sentinel" => {
            Err(wrong("cluster and sentinel are not supported; name the master"))
        }
        _ => Err(wrong("its scheme is unknown; use redis:// or memory://")),
    }
}

pub(super) fn host_and_port(text: &str) -> Result<(String, u16)> {
    let (host, port) = if let Some(rest) = text.strip_prefix('[') {
        let (host, after) = rest.split_once(']').ok_or_else(|| wrong("the ] of an IPv6 address is missing"))?;
        host.parse::<std::net::Ipv6Addr>().map_err(|_| wrong("the text in [] is not an IPv6 address"))?;
        match after.strip_prefix(':') {
            Some(port) => (host, port),
            None if after.is_empty() => (host, ""),
            None => return Err(wrong("only :port may follow the ] of an IPv6 address")),
        }
    } else {
        match text.split_once(':') {
            Some((_, port)) if port.contains(':') => return Err(wrong("an IPv6 address must stand in []")),
            Some((host, port)) => (host, port),
            None => (text, ""),
        }
    };
    if host.contains(['%', '[', ']', '\\', ',', ';']) {
        return Err(wrong("the host name has an invalid character"));
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

pub(super) fn database(digits: &str) -> Result<u32> {
    if !digits.is_empty()
        && digits.bytes().all(|b| b.is_ascii_digit())
        && let Ok(db) = digits.parse()
    {
        return Ok(db);
    }
    Err(wrong("the database is not a number"))
}

pub(super) fn decoded(encoded: &str, what: &str) -> Result<String> {
    match percent_decode_str(encoded).decode_utf8() {
        Ok(text) => Ok(text.into_owned()),
        Err(_) => Err(wrong(&format!("the {what} is not UTF-8 after percent-decoding"))),
    }
}

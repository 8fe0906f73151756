//! The address of a bucket: its host, and the path of each key.

use std::fmt::Write;

use super::options::{Addressing, S3Options};
use crate::{Error, Result};

/// The address of a bucket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct S3Endpoint {
    scheme: &'static str,
    /// With the port, unless it is the scheme's default.
    pub(super) host: String,
    /// The start of each path: empty, or `/` and the bucket.
    path_prefix: String,
}

impl S3Endpoint {
    pub(super) fn of(options: &S3Options) -> Result<Self> {
        let bucket = &options.bucket;
        let (scheme, host) = match &options.endpoint {
            Some(endpoint) => parse(endpoint)?,
            None => {
                // The regions in China have a domain of their own.
                let end = if options.region.starts_with("cn-") { ".cn" } else { "" };
                ("https", format!("s3.{}.amazonaws.com{end}", options.region))
            }
        };
        let in_path = match options.addressing {
            Addressing::Path => true,
            Addressing::Virtual => false,
            Addressing::Auto => options.endpoint.is_some() || bucket.contains('.'),
        };
        Ok(if in_path {
            Self { scheme, host, path_prefix: format!("/{bucket}") }
        } else {
            Self { scheme, host: format!("{bucket}.{host}"), path_prefix: String::new() }
        })
    }

    /// The URL of the server, for errors.
    pub(super) fn server(&self) -> String {
        format!("{}://{}", self.scheme, self.host)
    }

    /// The path of a key, percent-encoded as the signature needs it: all bytes except letters, digits, `-_.~` and slashes.
    pub(super) fn path(&self, key: &str) -> String {
        let mut path = format!("{}/", self.path_prefix);
        for byte in key.bytes() {
            if byte.is_ascii_alphanumeric() || b"-_.~/".contains(&byte) {
                path.push(char::from(byte));
            } else {
                // Writing to a string does not fail.
                let _ = write!(path, "%{byte:02X}");
            }
        }
        path
    }

    pub(super) fn url(&self, path: &str) -> String {
        format!("{}://{}{path}", self.scheme, self.host)
    }
}

/// The scheme of an endpoint, and its host with the port.
fn parse(endpoint: &str) -> Result<(&'static str, String)> {
    let wrong = |why: &str| Error::config(format!("AWS_ENDPOINT_URL {why}: use https://host:port or http://host:port"));
    let (scheme, rest, own_port) = if let Some(rest) = endpoint.strip_prefix("https://") {
        ("https", rest, ":443")
    } else if let Some(rest) = endpoint.strip_prefix("http://") {
        ("http", rest, ":80")
    } else {
        return Err(wrong("starts with neither https:// nor http://"));
    };
    let host = rest.strip_suffix('/').unwrap_or(rest);
    if host.contains('@') {
        return Err(wrong("contains credentials: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY instead"));
    }
    if host.contains(['/', '?', '#']) {
        return Err(wrong("contains more than a host and a port"));
    }
    let (name, port) = match host.rsplit_once(':') {
        // The colons of an IPv6 address stand between brackets.
        Some((name, port)) if !port.contains(']') => (name, Some(port)),
        _ => (host, None),
    };
    let bare = name.strip_prefix('[').and_then(|name| name.strip_suffix(']'));
    let is_host = match bare {
        Some(address) => address.parse::<std::net::Ipv6Addr>().is_ok(),
        None => !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-_".contains(&byte)),
    };
    if !is_host {
        return Err(wrong("has no valid host"));
    }
    if port.is_some_and(|port| port.parse::<u16>().map_or(true, |port| port == 0)) {
        return Err(wrong("has an invalid port"));
    }
    Ok((scheme, host.strip_suffix(own_port).unwrap_or(host).to_ascii_lowercase()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(options: S3Options) -> String {
        let endpoint = S3Endpoint::of(&options).unwrap();
        endpoint.url(&endpoint.path("a/b c.txt"))
    }

    fn options(bucket: &str) -> S3Options {
        S3Options::new(bucket, "id", "secret")
    }

    #[test]
    fn a_bucket_is_named_by_the_host_or_by_the_path() {
        let minio = |bucket| options(bucket).endpoint("http://minio:9000/");
        for (options, wanted) in [
            (options("zc-mp-email"), "https://zc-mp-email.s3.us-east-1.amazonaws.com/a/b%20c.txt"),
            (options("b.c").region("eu-west-1"), "https://s3.eu-west-1.amazonaws.com/b.c/a/b%20c.txt"),
            (options("bucket").addressing(Addressing::Path), "https://s3.us-east-1.amazonaws.com/bucket/a/b%20c.txt"),
            (options("bucket").region("cn-north-1"), "https://bucket.s3.cn-north-1.amazonaws.com.cn/a/b%20c.txt"),
            (minio("bucket"), "http://minio:9000/bucket/a/b%20c.txt"),
            (minio("bucket").addressing(Addressing::Virtual), "http://bucket.minio:9000/a/b%20c.txt"),
            (options("bucket").endpoint("https://S3.example:443"), "https://s3.example/bucket/a/b%20c.txt"),
            (options("bucket").endpoint("http://h:443"), "http://h:443/bucket/a/b%20c.txt"),
            (options("bucket").endpoint("http://[::1]:9000"), "http://[::1]:9000/bucket/a/b%20c.txt"),
            (options("bucket").endpoint("https://[::1]"), "https://[::1]/bucket/a/b%20c.txt"),
        ] {
            assert_eq!(url(options), wanted);
        }
    }

    #[test]
    fn special_characters_in_a_key_are_encoded() {
        let endpoint = S3Endpoint::of(&options("bucket")).unwrap();
        assert_eq!(endpoint.path("q?x=1&y#%41+ü~"), "/q%3Fx%3D1%26y%23%2541%2B%C3%BC~");
    }

    #[test]
    fn an_invalid_endpoint_is_refused_and_not_shown() {
        for endpoint in [
            "",
            "canary",
            "ftp://canary",
            "http://",
            "http://id:canary@h",
            "http://h/canary",
            "http://h?canary",
            "http://h:canary",
            "http://h:0",
            "http://h:65536",
            "http://[canary]",
            "http://can ary",
            "http://h\r\ncanary:x",
        ] {
            let Err(Error::Config { why }) = S3Endpoint::of(&options("bucket").endpoint(endpoint)) else {
                panic!("{endpoint} was accepted")
            };
            assert!(why.contains("AWS_ENDPOINT_URL") && !why.contains("canary"), "{why}");
        }
    }
}

//! Tests of reading and showing Redis URLs.

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use proptest::prelude::*;

use super::RedisUrl;
use crate::Error;

fn shown(url: &str) -> String {
    let url = RedisUrl::parse(url).unwrap();
    format!("{url} {:?}", url.password())
}

#[test]
fn each_form_is_read() {
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
fn errors_name_the_mistake_and_quote_nothing() {
    for (url, said) in [
        ("host-canary:6379", "no scheme"),
        ("amqp://:canary@host", "scheme is unknown"),
        ("unix:///canary.sock", "Unix sockets"),
        ("redis+socket:///canary.sock", "Unix sockets"),
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
        ("redis://:can ary@host", "contains a space"),
        ("redis://one,two-canary", "invalid character"),
    ] {
        let Err(Error::Config { why }) = RedisUrl::parse(url) else { panic!("{url} was accepted") };
        assert!(why.contains(said), "{url}: {why}");
        assert!(!why.contains("canary") && !why.contains("ary@"), "{url}: {why}");
    }
}

#[cfg(feature = "tls")]
#[test]
fn tls_parameters_are_read_and_cannot_disable_verification() {
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
fn a_build_without_tls_names_the_feature() {
    let why = RedisUrl::parse("rediss://:canary@host").unwrap_err().to_string();
    assert!(why.contains("feature `tls`") && !why.contains("canary"), "{why}");
}

#[test]
fn hash_insecure_is_refused() {
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
    fn percent_encoded_text_is_read_as_it_was(
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
        // The shown text is a URL, too, and shows itself.
        let shown = url.to_string();
        prop_assert_eq!(RedisUrl::parse(&shown).unwrap().to_string(), shown);
    }

    /// Also if a part of the password is not percent-encoded.
    #[test]
    fn the_password_is_never_shown(before in ".{0,6}", behind in ".{0,6}", host in "[a-z.:/?#%@]{0,9}") {
        let shown = match RedisUrl::parse(&format!("redis://user:{before}kNrY{behind}@{host}")) {
            Ok(url) => format!("{url} {url:?}"),
            Err(error) => format!("{error} {error:?}"),
        };
        prop_assert!(!shown.contains("kNrY"), "{}", shown);
    }
}

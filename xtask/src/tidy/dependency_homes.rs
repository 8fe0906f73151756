//! Which file may name which dependency: each has one home, so that it can be replaced there.

use super::finding::Finding;
use super::source::{line_of, words};
use super::tree::Tree;

/// A dependency and where its name may stand in code (not in comments or strings).
struct Dependency {
    /// As code names it.
    name: &'static str,
    /// Beginnings of paths, or, with a leading `/`, something within a path.
    homes: &'static [&'static str],
    /// Said when it is found elsewhere.
    instead: &'static str,
}

const DEPENDENCIES: [Dependency; 8] = [
    Dependency {
        name: "simd_json",
        homes: &["crates/protocol/src/json.rs", "crates/protocol/src/json/"],
        instead: "parse through the protocol crate's json module",
    },
    Dependency { name: "amiquip", homes: AMQP, instead: "go through the Broker contract" },
    Dependency { name: "mio", homes: AMQP, instead: "go through the Broker contract" },
    Dependency { name: "r2d2_redis", homes: REDIS, instead: "go through the ReplyStore contract" },
    Dependency { name: "redis", homes: REDIS, instead: "go through the ReplyStore contract" },
    Dependency {
        name: "ureq",
        homes: &["crates/blobs/src/s3/http.rs", "crates/doctor/src/management_api.rs"],
        instead: "go through a BlobStore",
    },
    Dependency { name: "rustls", homes: &["crates/net/", "tests/"], instead: "go through zc-events-net" },
    Dependency {
        name: "env_logger",
        homes: &["/examples/", "/tests/", "crates/cli/", "crates/bench/", "tests/", "xtask/"],
        instead: "libraries only write to `log`; programs choose where it goes",
    },
];

/// The tests, the measurements and the readiness check speak to a broker without our layers in between.
const AMQP: &[&str] =
    &["crates/transport/src/amqp/", "crates/transport/src/amqp.rs", "crates/bench/", "tests/", "xtask/"];
const REDIS: &[&str] = &["crates/cache/src/redis/", "crates/cache/src/redis.rs", "crates/bench/", "tests/"];

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in tree.rust() {
        let path = file.path.to_string_lossy();
        let elsewhere = DEPENDENCIES.iter().filter(|it| !it.homes.iter().any(|home| is_within(&path, home)));
        let code = file.code();
        for dependency in elsewhere {
            for offset in words(code, dependency.name).filter(|offset| names_the_crate(code, *offset, dependency.name))
            {
                let text = format!(
                    "{} may be named only in {}: {}",
                    dependency.name,
                    dependency.homes.join(", "),
                    dependency.instead
                );
                findings.push(Finding::new(&file.path, line_of(code, offset), text));
            }
        }
    }
    findings
}

fn is_within(path: &str, home: &str) -> bool {
    if home.starts_with('/') { path.contains(home) } else { path.starts_with(home) }
}

/// Whether the word at `offset` begins a path (`name::`), or is all of a `use name` or `extern crate name`. A module of
/// ours, a variable or a field may have the same name.
fn names_the_crate(code: &str, offset: usize, name: &str) -> bool {
    let (before, after) = (code[..offset].trim_end(), code[offset + name.len()..].trim_start());
    let begins_a_path = after.starts_with("::") && (!before.ends_with("::") || absolute(before));
    let imported = ["use", "crate"].iter().any(|word| {
        before.strip_suffix(word).is_some_and(|rest| !rest.ends_with(|it: char| it.is_alphanumeric() || it == '_'))
    });
    begins_a_path && !declared_here(code, name) || imported && !after.starts_with("::")
}

/// Whether a path that ends in `::` here is only that: `::name`.
fn absolute(before: &str) -> bool {
    let head = before.trim_end_matches(':').trim_end();
    !head.ends_with(|it: char| it.is_alphanumeric() || it == '_' || it == '>') || head.ends_with("use")
}

/// Whether the file has a module of that name, which then is what the path means.
fn declared_here(code: &str, name: &str) -> bool {
    words(code, name).any(|offset| {
        let before = code[..offset].trim_end();
        before.ends_with("mod") || before.ends_with("::") && !absolute(before)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::finding::texts;

    fn found(path: &str, text: &str) -> usize {
        check(&Tree::made_up(&[(path, text)])).len()
    }

    #[test]
    fn a_dependency_outside_its_home_is_found() {
        for text in [
            "use amiquip::Channel;",
            "pub use amiquip;",
            "fn f(c: &amiquip::Channel) {}",
            "use ::amiquip::Channel;",
            "extern crate amiquip;",
        ] {
            assert_eq!(found("crates/client/src/lib.rs", text), 1, "{text}");
            assert_eq!(found("crates/transport/src/pool.rs", text), 1, "{text}");
            assert_eq!(found("crates/transport/src/amqp/pool.rs", text), 0, "{text}");
            assert_eq!(found("tests/tests/it/amqp.rs", text), 0, "{text}");
        }
    }

    #[test]
    fn each_dependency_is_checked() {
        for name in ["simd_json", "amiquip", "mio", "r2d2_redis", "redis", "ureq", "env_logger"] {
            let text = format!("fn f() {{ {name}::g(); }}");
            assert_eq!(found("crates/client/src/lib.rs", &text), 1, "{name}");
        }
        assert_eq!(found("crates/protocol/src/celery/v1.rs", "use simd_json::to_vec;"), 1);
        assert_eq!(found("crates/protocol/src/json.rs", "use simd_json::to_vec;"), 0);
        assert_eq!(found("crates/client/examples/it.rs", "fn main() { env_logger::init(); }"), 0);
    }

    #[test]
    fn comments_strings_and_modules_of_the_same_name_are_fine() {
        for text in [
            "// amiquip::Channel\nconst A: &str = \"redis://h\";",
            "mod redis;\npub use redis::RedisStore;",
            "use zc_events_cache::redis;\nfn f() { redis::store(); }",
            "pub use self::redis::RedisStore;",
            "use crate::redis::Store;",
            "fn f(redis: &Urls) { redis.len(); }",
        ] {
            assert_eq!(found("crates/cache/src/lib.rs", text), 0, "{text}");
        }
    }

    #[test]
    fn the_line_is_named() {
        let findings = check(&Tree::made_up(&[("crates/client/src/a.rs", "//! A.\n\nuse mio::Poll;")]));
        assert!(texts(&findings)[0].starts_with("crates/client/src/a.rs:3: mio may be named only in"));
    }
}

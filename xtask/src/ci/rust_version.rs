//! The minimum version of Rust that the manifests claim: the same in each published package, and enough for all that
//! they depend on. That our own code needs no later one is a lint of clippy's (`incompatible_msrv`).

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::failure::{Failure, Result};
use crate::workspace::Manifest;

/// What cargo tells about a workspace, as far as it matters here.
#[derive(Deserialize)]
pub(super) struct Metadata {
    packages: Vec<Package>,
    resolve: Resolve,
}

#[derive(Deserialize)]
struct Package {
    id: String,
    name: String,
    version: String,
    rust_version: Option<String>,
}

#[derive(Deserialize)]
struct Resolve {
    nodes: Vec<Node>,
}

#[derive(Deserialize)]
struct Node {
    id: String,
    deps: Vec<Dependency>,
}

#[derive(Deserialize)]
struct Dependency {
    pkg: String,
    dep_kinds: Vec<Kind>,
}

#[derive(Deserialize)]
struct Kind {
    /// None for an ordinary dependency.
    kind: Option<String>,
}

/// An error that names every package that claims another version, or needs a later one.
pub(super) fn check(claimed: &str, manifests: &[Manifest], metadata: &Metadata) -> Result<()> {
    let Some(claim) = number(claimed) else {
        return Err(Failure::says(format!("rust-version {claimed:?} is no version")));
    };
    let published: Vec<&Manifest> = manifests.iter().filter(|it| it.is_published()).collect();
    let mut wrong = Vec::new();
    for manifest in &published {
        let own = manifest.table.get("package").and_then(|package| package.get("rust-version"));
        let inherits = own.and_then(|it| it.get("workspace")).and_then(toml::Value::as_bool) == Some(true);
        if !inherits && own.and_then(toml::Value::as_str) != Some(claimed) {
            wrong.push(format!("{}: write `rust-version.workspace = true`", manifest.path.display()));
        }
    }
    let names: Vec<&str> = published.iter().filter_map(|it| it.name()).collect();
    for package in needed(metadata, &names) {
        if let Some(version) = package.rust_version.as_deref().filter(|it| number(it).is_none_or(|it| it > claim)) {
            wrong.push(format!(
                "{} {} needs Rust {version}; the manifests claim {claimed}",
                package.name, package.version
            ));
        }
    }
    if wrong.is_empty() { Ok(()) } else { Err(Failure::says(wrong.join("\n"))) }
}

/// These packages and all that they depend on, without what only their tests need.
fn needed<'a>(metadata: &'a Metadata, names: &[&str]) -> Vec<&'a Package> {
    let packages: BTreeMap<&str, &Package> = metadata.packages.iter().map(|it| (it.id.as_str(), it)).collect();
    let nodes: BTreeMap<&str, &Node> = metadata.resolve.nodes.iter().map(|it| (it.id.as_str(), it)).collect();
    let mut ahead: Vec<&str> =
        metadata.packages.iter().filter(|it| names.contains(&it.name.as_str())).map(|it| it.id.as_str()).collect();
    let mut needed: BTreeMap<&str, &Package> = BTreeMap::new();
    while let Some(id) = ahead.pop() {
        let Some(package) = packages.get(id) else { continue };
        if needed.insert(id, package).is_some() {
            continue;
        }
        let dependencies = nodes.get(id).into_iter().flat_map(|node| &node.deps);
        let used = dependencies.filter(|it| it.dep_kinds.iter().any(|kind| kind.kind.as_deref() != Some("dev")));
        ahead.extend(used.map(|it| it.pkg.as_str()));
    }
    needed.into_values().collect()
}

/// `1.88` or `1.88.0` as numbers.
fn number(version: &str) -> Option<(u32, u32, u32)> {
    let mut parts = version.split('.').map(str::parse::<u32>);
    let major = parts.next()?.ok()?;
    let minor = parts.next().unwrap_or(Ok(0)).ok()?;
    let patch = parts.next().unwrap_or(Ok(0)).ok()?;
    Some((major, minor, patch))
}

#[cfg(test)]
mod tests {
    use super::*;

    const METADATA: &str = r#"{
        "packages": [
            {"id": "a", "name": "ours", "version": "0.1.0", "rust_version": "1.88"},
            {"id": "b", "name": "theirs", "version": "2.0.0", "rust_version": "1.88.1"},
            {"id": "c", "name": "for-tests", "version": "3.0.0", "rust_version": "1.99"},
            {"id": "d", "name": "old", "version": "4.0.0", "rust_version": null}
        ],
        "resolve": {"nodes": [
            {"id": "a", "deps": [
                {"pkg": "b", "dep_kinds": [{"kind": null}]},
                {"pkg": "c", "dep_kinds": [{"kind": "dev"}]},
                {"pkg": "d", "dep_kinds": [{"kind": "build"}]}
            ]},
            {"id": "b", "deps": []}, {"id": "c", "deps": []}, {"id": "d", "deps": []}
        ]}
    }"#;

    fn verdict(claimed: &str, rust_version: &str) -> Result<()> {
        let text = format!("[package]\nname = 'ours'\n{rust_version}");
        let manifest = Manifest { path: "crates/a/Cargo.toml".into(), table: text.parse().unwrap() };
        check(claimed, &[manifest], &serde_json::from_str(METADATA).unwrap())
    }

    #[test]
    fn a_claim_that_holds_is_fine_and_tests_may_need_more() {
        verdict("1.90", "rust-version.workspace = true").unwrap();
        verdict("1.88.1", "rust-version = '1.88.1'").unwrap();
    }

    #[test]
    fn a_dependency_that_needs_more_is_named() {
        let refused = verdict("1.88", "rust-version.workspace = true").unwrap_err().to_string();
        assert_eq!(refused, "theirs 2.0.0 needs Rust 1.88.1; the manifests claim 1.88");
    }

    #[test]
    fn a_package_that_claims_another_version_is_named() {
        for own in ["rust-version = '1.85'", ""] {
            let refused = verdict("1.90", own).unwrap_err().to_string();
            assert_eq!(refused, "crates/a/Cargo.toml: write `rust-version.workspace = true`", "{own}");
        }
    }
}

//! Which of our packages may depend on which: the graph of the crates.

use crate::tidy::finding::Finding;
use crate::workspace::Manifest;

/// Each package of ours, and those of ours that it may name, in any of its dependency tables.
const GRAPH: &[(&str, &[&str])] = &[
    ("zc-events-protocol", &[]),
    // The tests of any package may use it, see below.
    ("test-support", &[]),
    ("zc-events-net", &["zc-events-protocol"]),
    ("zc-events-transport", &["zc-events-protocol", "zc-events-net"]),
    ("zc-events-cache", &["zc-events-protocol", "zc-events-net"]),
    ("zc-events-blobs", &["zc-events-protocol"]),
    ("zc-events", &["zc-events-protocol", "zc-events-transport", "zc-events-cache", "zc-events-blobs"]),
    ("zc-events-testing", &["zc-events-protocol", "zc-events-transport", "zc-events-cache", "zc-events"]),
    ("zc-events-doctor", &["zc-events-protocol", "zc-events-transport", "zc-events-cache", "zc-events"]),
    ("zc-events-cli", &["zc-events", "zc-events-doctor", "zc-events-testing"]),
    ("zc-events-bench", &["zc-events-protocol", "zc-events-transport", "zc-events-cache", "zc-events"]),
    (
        "integration-tests",
        &[
            "zc-events-protocol",
            "zc-events-transport",
            "zc-events-cache",
            "zc-events",
            "zc-events-doctor",
            "zc-events-cli",
            "interop-python",
            "test-support",
            "xtask",
        ],
    ),
    (
        "zc-events-chaos",
        &["zc-events-protocol", "zc-events-transport", "zc-events-cache", "zc-events", "integration-tests", "xtask"],
    ),
    ("interop-python", &["zc-events", "integration-tests"]),
    ("zc-events-fuzz", &["zc-events-protocol", "zc-events-transport", "zc-events-cache"]),
    ("xtask", &[]),
];

pub(super) fn check(manifests: &[Manifest]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for manifest in manifests {
        let name = manifest.name().unwrap_or_default();
        let Some((_, allowed)) = GRAPH.iter().find(|(package, _)| *package == name) else {
            let text = format!("the crate graph has no package {name:?}: add it to tidy/crate_graph.rs");
            findings.push(Finding::new(&manifest.path, 0, text));
            continue;
        };
        for (dependency, dev) in dependencies(&manifest.table) {
            let ours = GRAPH.iter().any(|(package, _)| *package == dependency);
            // A package's tests may ask for its own features, and use what the tests of all crates share. The tests of the
            // facade use the test kit, which depends on it: Cargo allows this circle.
            let facade_tests = (name, dependency.as_str()) == ("zc-events", "zc-events-testing");
            let for_tests = dev && (dependency == name || dependency == "test-support" || facade_tests);
            if ours && !for_tests && !allowed.contains(&dependency.as_str()) {
                let text = format!("{name} must not depend on {dependency}, only on {allowed:?}");
                findings.push(Finding::new(&manifest.path, 0, text));
            }
        }
    }
    findings
}

/// The packages named in every dependency table, those of single targets included, and whether the table is for tests.
pub(super) fn dependencies(manifest: &toml::Table) -> Vec<(String, bool)> {
    let mut found = Vec::new();
    for (kind, dev) in [("dependencies", false), ("build-dependencies", false), ("dev-dependencies", true)] {
        if let Some(table) = manifest.get(kind).and_then(toml::Value::as_table) {
            for (name, value) in table {
                let package = value.get("package").and_then(toml::Value::as_str).unwrap_or(name);
                found.push((package.to_owned(), dev));
            }
        }
    }
    let targets = manifest.get("target").and_then(toml::Value::as_table);
    for target in targets.into_iter().flat_map(toml::Table::values).filter_map(toml::Value::as_table) {
        found.extend(dependencies(target));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::finding::texts;

    fn findings(package: &str, rest: &str) -> Vec<String> {
        let table = format!("[package]\nname = '{package}'\n{rest}").parse().unwrap();
        texts(&check(&[Manifest { path: "Cargo.toml".into(), table }]))
    }

    #[test]
    fn dependencies_along_the_graph_are_fine() {
        assert!(findings("zc-events-cache", "[dependencies]\nzc-events-protocol.workspace = true").is_empty());
        assert!(findings("zc-events-protocol", "[dependencies]\nserde = '1'").is_empty());
        assert!(findings("zc-events-cache", "[dev-dependencies]\nzc-events-cache = { path = '.' }").is_empty());
    }

    #[test]
    fn a_dependency_back_or_across_is_found_in_every_table() {
        for table in ["dependencies", "dev-dependencies", "build-dependencies", "target.'cfg(unix)'.dependencies"] {
            let back = findings("zc-events-protocol", &format!("[{table}]\nzc-events = {{ path = '..' }}"));
            assert_eq!(back.len(), 1, "{table}");
            assert!(back[0].contains("zc-events-protocol must not depend on zc-events"), "{}", back[0]);
        }
        assert_eq!(findings("zc-events-transport", "[dependencies]\nzc-events-cache.workspace = true").len(), 1);
        assert_eq!(findings("zc-events-cache", "[dependencies]\nother = { package = 'zc-events-transport' }").len(), 1);
        assert_eq!(findings("zc-events-cache", "[dependencies]\nzc-events-cache = { path = '.' }").len(), 1);
    }

    #[test]
    fn a_package_outside_the_graph_is_found() {
        assert!(findings("zc-events-new", "")[0].contains("add it to tidy/crate_graph.rs"));
    }
}

//! No production code names the test kit: it is a dependency of tests.

use std::path::Path;

use crate::tidy::crate_graph::dependencies;
use crate::tidy::finding::Finding;
use crate::tidy::source::{line_of, words};
use crate::tidy::tree::Tree;
use crate::workspace::Manifest;

const PACKAGE: &str = "zc-events-testing";
const CRATE: &str = "zc_events_testing";
/// Folders whose code is for tests, and the command, one of whose commands is a stub of a service.
const MAY_NAME_IT: [&str; 5] = ["crates/testing/", "crates/cli/", "tests/", "xtask/", "fuzz/"];
/// The facade, which once held the kit.
const FACADE: &str = "crates/client/src/";
const MODULE: &str = "testing";

pub(super) fn check(tree: &Tree, manifests: &[Manifest]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for manifest in manifests.iter().filter(|it| !may_name_it(&it.path)) {
        if dependencies(&manifest.table).iter().any(|(name, dev)| name == PACKAGE && !dev) {
            let text = format!("{PACKAGE} is for tests: name it in [dev-dependencies]");
            findings.push(Finding::new(&manifest.path, 0, text));
        }
    }
    for file in tree.rust() {
        let code = file.code();
        let end = code.find("#[cfg(test)]\nmod ").unwrap_or(code.len());
        let path = file.path.to_string_lossy();
        let is_for_tests = ["/tests/", "/examples/", "/benches/"].iter().any(|part| path.contains(part));
        if !is_for_tests && !may_name_it(&file.path) && !path.ends_with("/tests.rs") {
            for offset in words(code, CRATE).filter(|offset| *offset < end) {
                let text = "production code names the test kit: the kit depends on it, not the other way round";
                findings.push(Finding::new(&file.path, line_of(code, offset), text));
            }
        }
        if path.starts_with(FACADE) {
            let module = words(code, MODULE).filter(|offset| is_module(code, *offset));
            findings.extend(module.map(|offset| {
                let text = format!("a module `{MODULE}` in the facade: the test kit is the package {PACKAGE}");
                Finding::new(&file.path, line_of(code, offset), text)
            }));
        }
    }
    findings
}

fn may_name_it(path: &Path) -> bool {
    MAY_NAME_IT.iter().any(|folder| path.to_string_lossy().starts_with(folder))
}

/// Whether the word at `offset` is declared as a module or is a part of a path.
fn is_module(code: &str, offset: usize) -> bool {
    let (before, after) = (code[..offset].trim_end(), code[offset + MODULE.len()..].trim_start());
    before.ends_with("mod") || before.ends_with("::") || after.starts_with("::")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(path: &str, text: &str) -> usize {
        check(&Tree::made_up(&[(path, text)]), &[]).len()
    }

    fn in_manifest(path: &str, table: &str) -> usize {
        let table = table.parse().unwrap();
        check(&Tree::made_up(&[]), &[Manifest { path: path.into(), table }]).len()
    }

    #[test]
    fn production_code_that_names_the_kit_is_found() {
        for text in ["use zc_events_testing::Fleet;", "fn f(_: zc_events_testing::Fleet) {}"] {
            assert_eq!(found("crates/client/src/a.rs", text), 1, "{text}");
            assert_eq!(found("crates/doctor/src/a.rs", text), 1, "{text}");
        }
        assert_eq!(in_manifest("crates/client/Cargo.toml", "[dependencies]\nzc-events-testing.workspace = true"), 1);
    }

    #[test]
    fn tests_examples_and_the_command_may_name_it() {
        let text = "use zc_events_testing::Fleet;";
        for path in
            ["crates/client/tests/a.rs", "crates/client/examples/a.rs", "tests/tests/a.rs", "crates/cli/src/a.rs"]
        {
            assert_eq!(found(path, text), 0, "{path}");
        }
        assert_eq!(found("crates/client/src/a.rs", &format!("fn f() {{}}\n#[cfg(test)]\nmod tests {{ {text} }}")), 0);
        assert_eq!(found("crates/client/src/a.rs", "// as zc_events_testing has it"), 0);
        assert_eq!(
            in_manifest("crates/client/Cargo.toml", "[dev-dependencies]\nzc-events-testing.workspace = true"),
            0
        );
    }

    #[test]
    fn a_module_of_the_facade_that_is_called_so_is_found() {
        for text in ["pub mod testing;", "use crate::testing::Fleet;", "use super::testing;"] {
            assert!(found("crates/client/src/a.rs", text) > 0, "{text}");
        }
        assert_eq!(found("crates/client/src/a.rs", "let testing = 1; // mod testing"), 0);
        assert_eq!(found("crates/cache/src/a.rs", "mod testing;"), 0);
    }
}

//! No two source files of a crate have the same name, so that a name leads to one file.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::tidy::finding::Finding;
use crate::tidy::packages::Package;
use crate::tidy::tree::Tree;

/// Names that Rust gives, and the usual one of unit tests.
const USUAL: [&str; 4] = ["mod.rs", "lib.rs", "main.rs", "tests.rs"];

/// Sources, tests and examples are looked at apart: a test is often called after what it tests.
pub(super) fn check(tree: &Tree, package: &Package) -> Vec<Finding> {
    let mut known: BTreeMap<(PathBuf, String), &Path> = BTreeMap::new();
    let mut findings = Vec::new();
    for file in tree.rust() {
        let Ok(within) = file.path.strip_prefix(&package.folder) else { continue };
        let (Some(kind), Some(name)) = (within.iter().next(), within.file_name().and_then(|name| name.to_str())) else {
            continue;
        };
        // A package may lie within the folder of another.
        let is_ours = ["src", "tests", "examples", "benches"].iter().any(|it| kind == *it);
        if !is_ours || USUAL.contains(&name) {
            continue;
        }
        if let Some(other) = known.insert((kind.into(), name.to_owned()), &file.path) {
            let text = format!("{} has the same name: call both after what they hold", other.display());
            findings.push(Finding::new(&file.path, 0, text));
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(paths: &[&str]) -> Vec<String> {
        let files: Vec<(&str, &str)> = paths.iter().map(|path| (*path, "")).collect();
        let package = Package { folder: "crates/a".into(), crates: Vec::new() };
        check(&Tree::made_up(&files), &package).iter().map(Finding::to_string).collect()
    }

    #[test]
    fn two_files_of_one_name_are_found() {
        let findings = found(&["crates/a/src/state.rs", "crates/a/src/engine/state.rs", "crates/a/src/engine/mod.rs"]);
        assert_eq!(findings.len(), 1);
        assert!(findings[0].starts_with("crates/a/src/engine/state.rs: crates/a/src/state.rs has the same name"));
    }

    #[test]
    fn usual_names_and_other_crates_are_fine() {
        assert!(found(&["crates/a/src/b/mod.rs", "crates/a/src/c/mod.rs", "crates/a/src/c/tests.rs"]).is_empty());
        assert!(found(&["crates/a/src/retry.rs", "crates/a/tests/it/retry.rs", "crates/b/src/retry.rs"]).is_empty());
    }
}

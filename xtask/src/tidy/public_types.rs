//! No two public types of a crate have the same name, so that a name means one thing.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use crate::tidy::finding::Finding;
use crate::tidy::packages::Package;

pub(super) fn check(package: &Package) -> Vec<Finding> {
    let library = package.folder.join("src/lib.rs");
    let Some((_, modules)) = package.crates.iter().find(|(root, _)| *root == library) else { return Vec::new() };
    let mut homes: BTreeMap<&str, BTreeSet<&Path>> = BTreeMap::new();
    for module in &modules.all {
        for name in &module.public_types {
            homes.entry(name).or_default().insert(&module.file);
        }
    }
    let mut findings = Vec::new();
    for (name, homes) in homes.into_iter().filter(|(_, homes)| homes.len() > 1) {
        let homes: Vec<String> = homes.into_iter().map(|file| file.display().to_string()).collect();
        let text = format!("the public type {name} is also in {}: say in each name whose it is", homes[1..].join(", "));
        findings.push(Finding::new(Path::new(&homes[0]), 0, text));
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::imports::Modules;
    use crate::tidy::tree::Tree;

    fn found(a: &str, b: &str) -> Vec<String> {
        let files = [("c/src/lib.rs", "pub mod a;\npub mod b;"), ("c/src/a.rs", a), ("c/src/b.rs", b)];
        let root = Path::new("c/src/lib.rs");
        let modules = Modules::of(&Tree::made_up(&files), root);
        check(&Package { folder: "c".into(), crates: vec![(root.into(), modules)] })
            .iter()
            .map(Finding::to_string)
            .collect()
    }

    #[test]
    fn two_public_types_of_one_name_are_found() {
        let findings = found("pub struct State;", "pub enum State {}");
        assert_eq!(findings, ["c/src/a.rs: the public type State is also in c/src/b.rs: say in each name whose it is"]);
        assert_eq!(found("pub trait State {}", "pub type State = u8;").len(), 1);
    }

    #[test]
    fn types_of_ones_own_and_those_of_tests_are_fine() {
        assert!(found("pub struct State;", "pub(crate) struct State;").is_empty());
        assert!(found("pub struct State;", "#[cfg(test)]\nmod tests { pub struct State; }").is_empty());
        assert!(found("#[cfg(unix)]\npub struct State;\n#[cfg(not(unix))]\npub struct State;", "").is_empty());
    }
}

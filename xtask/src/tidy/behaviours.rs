//! Each behaviour in `docs/behaviours.md` names a test or a chaos row, and all that it names exists.

use std::collections::BTreeSet;
use std::path::Path;

use super::finding::Finding;
use super::tree::{File, Tree};
use crate::workspace::Manifest;

const DOCUMENT: &str = "docs/behaviours.md";
/// The fault runs, one file each.
const CHAOS_ROWS: &str = "tests/chaos/src/rows";

pub(super) fn check(tree: &Tree, manifests: &[Manifest]) -> Vec<Finding> {
    let Some(document) = tree.file(DOCUMENT) else {
        return vec![Finding::new(Path::new(DOCUMENT), 0, "there is no such file")];
    };
    let (tests, chaos_rows) = (tests(tree, manifests), chaos_rows(tree));
    let mut findings = Vec::new();
    for (line, behaviour, proofs) in behaviours(document) {
        let names: Vec<&str> = proofs.split('`').skip(1).step_by(2).collect();
        if names.is_empty() {
            findings.push(Finding::new(&document.path, line, format!("no test for the behaviour: {behaviour}")));
        }
        for name in names {
            let exists = if name.contains("::") { is_a_test(name, &tests) } else { chaos_rows.contains(name) };
            if !exists {
                findings.push(Finding::new(
                    &document.path,
                    line,
                    format!("`{name}`: no test or chaos row has this name"),
                ));
            }
        }
    }
    if findings.is_empty() && behaviours(document).next().is_none() {
        findings.push(Finding::new(&document.path, 0, "the document has no table of behaviours"));
    }
    findings
}

/// The rows of all tables, each with its line: the behaviour, and the cell of its tests.
fn behaviours(document: &File) -> impl Iterator<Item = (usize, &str, &str)> {
    let lines: Vec<&str> = document.text.lines().collect();
    let is_rule = |line: Option<&&str>| line.is_some_and(|line| line.starts_with("|-"));
    let is_row =
        |index: usize| lines[index].starts_with('|') && !is_rule(lines.get(index)) && !is_rule(lines.get(index + 1));
    let rows: Vec<_> = (0..lines.len()).filter(|index| is_row(*index)).collect();
    rows.into_iter().map(move |index| {
        let cells = lines[index].trim().trim_matches('|');
        let (behaviour, proofs) = cells.rsplit_once('|').unwrap_or((cells, ""));
        (index + 1, behaviour.trim(), proofs)
    })
}

/// Whether a test has this name, or, for `package::module::*`, whether the module has a test.
fn is_a_test(name: &str, tests: &BTreeSet<String>) -> bool {
    match name.strip_suffix('*') {
        Some(module) => module.ends_with("::") && tests.iter().any(|test| test.starts_with(module)),
        None => tests.contains(name),
    }
}

/// Every test of the workspace as `package::module::test`. The module is the path of its file: within `src`, or within
/// `tests` without the name of the program `it`. Modules within a file are left out.
fn tests(tree: &Tree, manifests: &[Manifest]) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for file in tree.rust() {
        let Some((package, within)) = package_of(file, manifests) else { continue };
        let path = within.with_extension("");
        let mut modules: Vec<&str> = path.iter().skip(1).filter_map(|part| part.to_str()).collect();
        if modules.first() == Some(&"it") {
            modules.remove(0);
        }
        if modules.last().is_some_and(|last| ["mod", "main", "lib", "tests"].contains(last)) {
            modules.pop();
        }
        let module = [&[package], modules.as_slice()].concat().join("::");
        for after in file.code().split("#[test]").skip(1) {
            let name = after.split_once("fn ").and_then(|(_, rest)| rest.split_once('('));
            found.extend(name.map(|(name, _)| format!("{module}::{}", name.trim())));
        }
    }
    found
}

/// The innermost package that the file is in, and the file's path within it.
fn package_of<'a>(file: &'a File, manifests: &'a [Manifest]) -> Option<(&'a str, &'a Path)> {
    let within = |manifest: &'a Manifest| {
        let path = file.path.strip_prefix(manifest.path.parent()?).ok()?;
        Some((manifest.name()?, path))
    };
    manifests.iter().filter_map(within).min_by_key(|(_, path)| path.iter().count())
}

/// The names of the fault runs, as `cargo xtask chaos --row` takes them.
fn chaos_rows(tree: &Tree) -> BTreeSet<String> {
    let files = tree.rust().filter(|file| file.path.parent() == Some(Path::new(CHAOS_ROWS)));
    files.filter_map(|file| Some(file.path.file_stem()?.to_str()?.replace('_', "-"))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::finding::texts;

    fn found(rows: &str) -> Vec<String> {
        let tree = Tree::made_up(&[
            (DOCUMENT, &format!("# Title\n\n| behaviour | tests |\n|---|---|\n{rows}")),
            ("crates/a/tests/it/retry.rs", "#[test]\nfn keeps_id() {}\n// #[test]\n// fn commented_out() {}"),
            ("crates/a/src/json/tests.rs", "#[test]\n#[should_panic(expected = \"x\")]\nfn it_panics() {}"),
            ("tests/tests/load/main.rs", "#[test]\nfn many() {}"),
            ("tests/chaos/src/lib.rs", "#[test]\nfn names() {}"),
            ("tests/chaos/src/rows/broker_crash.rs", ""),
        ]);
        let manifest = |path: &str, name: &str| Manifest {
            path: path.into(),
            table: format!("[package]\nname = '{name}'").parse().unwrap(),
        };
        let manifests = [
            manifest("crates/a/Cargo.toml", "a"),
            manifest("tests/Cargo.toml", "with-servers"),
            manifest("tests/chaos/Cargo.toml", "chaos"),
        ];
        texts(&check(&tree, &manifests))
    }

    #[test]
    fn behaviours_with_existing_tests_pass() {
        for tests in [
            "`a::retry::keeps_id`",
            "`a::retry::keeps_id`, `a::json::it_panics`",
            "`a::retry::*`",
            "`with-servers::load::many`; chaos row `broker-crash`",
            "`chaos::names`",
        ] {
            assert_eq!(found(&format!("| It is so. | {tests} |\n")), Vec::<String>::new(), "{tests}");
        }
    }

    #[test]
    fn names_without_a_test_are_found() {
        for name in [
            "a::retry::other",
            "a::retry::commented_out",
            "a::keeps_id",
            "a::it::retry::keeps_id",
            "b::retry::keeps_id",
            "a::dedup::*",
            "a::ret*",
            "with-servers::names",
            "broker-cut",
        ] {
            let findings = found(&format!("| It is so. | `a::retry::keeps_id`, `{name}` |\n"));
            assert!(findings.len() == 1 && findings[0].contains(name), "{name}: {findings:?}");
        }
    }

    #[test]
    fn a_behaviour_without_a_test_is_found_with_its_line() {
        let findings = found("| It is so. | `a::retry::keeps_id` |\n| It is `else`. | not yet |\n");
        assert_eq!(findings, ["docs/behaviours.md:6: no test for the behaviour: It is `else`."]);
    }

    #[test]
    fn a_missing_or_empty_document_is_found() {
        assert_eq!(found("").len(), 1);
        assert_eq!(texts(&check(&Tree::made_up(&[]), &[])), ["docs/behaviours.md: there is no such file"]);
    }
}

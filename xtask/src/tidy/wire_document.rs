//! Each statement of `docs/wire-protocol.md` names its proof, a captured message (vector) or a test, and the proof exists.

use std::collections::BTreeSet;

use super::finding::Finding;
use super::tree::{File, Tree};

const DOCUMENT: &str = "docs/wire-protocol.md";
const VECTORS: &str = "crates/protocol/tests/vectors";
/// The prefixes of the names of vectors: the program that made the vector, or its kind.
const FAMILIES: [&str; 12] = [
    "v011_",
    "v0110_",
    "v024_",
    "v0310_",
    "head_",
    "celery3_",
    "celery4_",
    "celery5_",
    "redis_",
    "topology_",
    "behaviours_",
    "consumer_",
];

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let Some(document) = tree.file(DOCUMENT) else { return Vec::new() };
    let vectors = tree.root.join(VECTORS).read_dir().into_iter().flatten().flatten();
    let vectors =
        vectors.filter_map(|entry| Some(entry.file_name().to_str()?.strip_suffix(".json")?.to_owned())).collect();
    check_document(document, &vectors, &tests(tree))
}

/// A test: the parts of its file's path, and its name.
type Test = (Vec<String>, String);

fn tests(tree: &Tree) -> Vec<Test> {
    let mut found = Vec::new();
    for file in tree.rust() {
        let mut parts: Vec<String> =
            file.path.with_extension("").iter().map(|part| part.to_string_lossy().into_owned()).collect();
        // The module has the name of its folder.
        if parts.last().is_some_and(|last| ["mod", "main", "lib", "tests"].contains(&last.as_str())) {
            parts.pop();
        }
        let code = file.code();
        for after in code.split("#[test]").skip(1) {
            let name = after.split_once("fn ").and_then(|(_, rest)| rest.split_once('('));
            found.extend(name.map(|(name, _)| (parts.clone(), name.trim().to_owned())));
        }
    }
    found
}

fn check_document(document: &File, vectors: &BTreeSet<String>, tests: &[Test]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (line, text) in statements(&document.text) {
        let mut proofs = 0;
        for name in text.split('`').skip(1).step_by(2) {
            let exists = if FAMILIES.iter().any(|family| name.starts_with(family)) {
                vectors.contains(name)
            } else if is_a_test(name) {
                tests.iter().any(|test| is_meant(name, test))
            } else {
                continue;
            };
            proofs += 1;
            if !exists {
                let text = format!("`{name}`: no vector in {VECTORS} and no test has this name");
                findings.push(Finding::new(&document.path, line, text));
            }
        }
        if proofs == 0 {
            let text = "this statement has no proof: name a vector or a test, `file::name`";
            findings.push(Finding::new(&document.path, line, text));
        }
    }
    findings
}

/// Whether a name has the form of a test's name, `file::name`.
fn is_a_test(name: &str) -> bool {
    let is_word = |word: &str| {
        !word.is_empty() && word.bytes().all(|it| it.is_ascii_lowercase() || it.is_ascii_digit() || it == b'_')
    };
    name.contains("::") && name.split("::").all(is_word)
}

/// Whether `name` means this test: it ends with the test's file and name, and its other words are parts of the path.
fn is_meant(name: &str, (path, test): &Test) -> bool {
    let mut words = name.split("::").collect::<Vec<_>>();
    let own = words.pop() == Some(test);
    own && words.last().copied() == path.last().map(String::as_str)
        && words.iter().all(|word| path.iter().any(|part| part == word))
}

/// The statements of a document after its introduction, each with its line: paragraphs, items of lists, rows of tables.
/// Headings, code and the heads of tables are no statements.
fn statements(text: &str) -> Vec<(usize, String)> {
    let mut found: Vec<(usize, String)> = Vec::new();
    let (mut begun, mut fenced, mut open) = (false, false, false);
    let lines: Vec<&str> = text.lines().collect();
    for (index, line) in lines.iter().enumerate() {
        begun |= line.starts_with("## ");
        let fence = line.trim_start().starts_with("```");
        fenced ^= fence;
        let is_code = fence || fenced || (!open && line.starts_with("    "));
        if !begun || is_code || line.trim().is_empty() || line.starts_with('#') {
            open = false;
        } else if line.starts_with('|') {
            open = false;
            let is_rule = |line: Option<&&str>| line.is_some_and(|line| line.starts_with("|-"));
            if !is_rule(Some(line)) && !is_rule(lines.get(index + 1)) {
                found.push((index + 1, (*line).to_owned()));
            }
        } else if let (true, false, Some(statement)) = (open, line.starts_with("- "), found.last_mut()) {
            statement.1.push(' ');
            statement.1.push_str(line);
        } else {
            found.push((index + 1, (*line).to_owned()));
            open = true;
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::finding::texts;

    fn found(text: &str) -> Vec<String> {
        let tree = Tree::made_up(&[
            (DOCUMENT, text),
            (
                "tests/tests/it/interop/beside_python/events.rs",
                "#[test]\nfn all_arrive() {}\n// #[test]\n// fn none() {}",
            ),
            ("crates/a/src/json/tests.rs", "#[test]\n#[should_panic(expected = \"x\")]\nfn it_panics() {}"),
        ]);
        let vectors = BTreeSet::from(["v0310_event".to_owned()]);
        texts(&check_document(tree.file(DOCUMENT).unwrap(), &vectors, &tests(&tree)))
    }

    #[test]
    fn statements_with_proof_pass() {
        let text = "# Title\nNo proof here, nor `v0310_nothing`.\n\n## One\n\nA paragraph\nof two lines (`v0310_event`).\n\n    code\n\n\
                    - an item\n  of two (`interop::events::all_arrive`)\n- another, `x` (`events::all_arrive`)\n\n\
                    | head | of |\n|---|---|\n| a row | `json::it_panics` |\n\n```json\n{\"a\": 1}\n```\n";
        assert_eq!(found(text), Vec::<String>::new());
    }

    #[test]
    fn a_proof_that_does_not_exist_is_found() {
        for name in
            ["v0310_other", "events::some_arrive", "calls::all_arrive", "wire::events::all_arrive", "events::none"]
        {
            let findings = found(&format!("## One\n- it is so (`{name}`, `v0310_event`)\n"));
            assert!(findings.len() == 1 && findings[0].contains(name), "{name}: {findings:?}");
        }
    }

    #[test]
    fn a_statement_without_proof_is_found() {
        let text =
            "## One\n\nA paragraph.\n\n- an item (`v0310_event`)\n- one of `args`\n\n| head |\n|---|\n| a row |\n";
        let lines: Vec<_> = found(text).iter().map(|it| it.split(':').nth(1).unwrap().to_owned()).collect();
        assert_eq!(lines, ["3", "6", "10"]);
    }
}

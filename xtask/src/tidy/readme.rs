//! The commands that the documents name exist: `cargo xtask ...`, examples, packages.

use std::collections::BTreeSet;
use std::path::Path;

use super::finding::Finding;
use super::tree::{File, Tree};
use crate::failure::Result;
use crate::workspace;

/// Whether words form a command of `cargo xtask`; the error says why not.
pub(crate) type IsCommand = fn(&[String]) -> std::result::Result<(), String>;

pub(super) fn check(tree: &Tree, is_command: IsCommand) -> Result<Vec<Finding>> {
    let documents: Vec<&File> = tree.files.iter().filter(|file| file.is("md") && is_for_readers(&file.path)).collect();
    if documents.is_empty() {
        return Ok(Vec::new());
    }
    let packages = workspace::manifests(&tree.root)?.iter().filter_map(|it| Some(it.name()?.to_owned())).collect();
    Ok(check_documents(&documents, &Known { packages, examples: examples(tree), is_command }))
}

/// The documents of the root and of `docs`, and the README of each crate. The changelog and the decisions are left out:
/// they may name commands that no longer exist.
fn is_for_readers(path: &Path) -> bool {
    let in_root = path.components().count() == 1;
    let in_docs = path.starts_with("docs") && !path.starts_with("docs/decisions");
    let name = path.file_name().unwrap_or_default();
    name != "CHANGELOG.md" && (in_root || in_docs || name == "README.md")
}

/// The names of the examples: `examples/NAME.rs` and `examples/NAME/main.rs`.
fn examples(tree: &Tree) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for file in tree.rust() {
        let parts: Vec<_> = file.path.iter().map(|part| part.to_string_lossy()).collect();
        let Some(at) = parts.iter().position(|part| part == "examples") else { continue };
        match &parts[at + 1..] {
            [name] => names.insert(name.trim_end_matches(".rs").to_owned()),
            [folder, main] if main == "main.rs" => names.insert(folder.to_string()),
            _ => false,
        };
    }
    names
}

/// What a command may name.
struct Known {
    packages: BTreeSet<String>,
    examples: BTreeSet<String>,
    is_command: IsCommand,
}

fn check_documents(documents: &[&File], known: &Known) -> Vec<Finding> {
    let mut findings = Vec::new();
    for document in documents {
        for (line, command) in commands(&document.text) {
            if let Some(why) = wrong(&command, known) {
                findings.push(Finding::new(&document.path, line, format!("`{}`: {why}", command.join(" "))));
            }
        }
    }
    findings
}

/// The reason why a `cargo` command is wrong.
fn wrong(command: &[String], known: &Known) -> Option<String> {
    if command.get(1).is_some_and(|it| it == "xtask") {
        return (known.is_command)(&command[1..]).err();
    }
    let ours = command.iter().take_while(|word| *word != "--");
    for (option, value) in ours.clone().zip(ours.skip(1)) {
        if option == "--example" && !known.examples.contains(value) {
            return Some(format!("there is no example {value}"));
        }
        let names_a_package = ["-p", "--package"].contains(&option.as_str());
        if names_a_package && !known.packages.contains(value) {
            return Some(format!("there is no package {value}"));
        }
    }
    None
}

/// The `cargo` commands of a document, split into words, each with its line. They stand in fenced blocks and between
/// backticks. Variables before a command and comments after it are left out.
fn commands(text: &str) -> Vec<(usize, Vec<String>)> {
    let mut found = Vec::new();
    let mut fenced = false;
    for (index, line) in text.lines().enumerate() {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
            continue;
        }
        let snippets: Vec<&str> = if fenced { vec![line] } else { line.split('`').skip(1).step_by(2).collect() };
        for part in snippets.iter().flat_map(|snippet| snippet.split(" #").next()).flat_map(|it| it.split("&&")) {
            let part = part.trim().trim_start_matches("$ ");
            let words = part.split_whitespace().skip_while(|word| word.contains('=') && !word.starts_with('-'));
            let words: Vec<String> = words.map(str::to_owned).collect();
            if words.first().is_some_and(|word| word == "cargo") && words.len() > 1 {
                found.push((index + 1, words));
            }
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
            ("README.md", text),
            ("crates/client/examples/marketplace.rs", ""),
            ("crates/client/examples/shop/main.rs", ""),
        ]);
        let packages = BTreeSet::from(["zc-events-cli".to_owned()]);
        let known = Known { packages, examples: examples(&tree), is_command: crate::is_command };
        texts(&check_documents(&[&tree.files[0]], &known))
    }

    #[test]
    fn commands_that_exist_pass() {
        let text = "Run `cargo xtask integration --keep -- my_test -- --nocapture`, `cargo xtask --help` or `cargo xtask`.\n\
                    ```sh\n$ cargo run --example marketplace # the demo\nA=b cargo run --example shop -- -p x\n\
                    cargo run -p zc-events-cli -- listen && cargo xtask ci\n```\nSee cargo xtask nothing.";
        assert_eq!(found(text), Vec::<String>::new());
    }

    #[test]
    fn commands_that_do_not_exist_are_found() {
        for (text, why) in [
            ("`cargo xtask integrate`", "unrecognized subcommand"),
            ("`cargo xtask integration --fast`", "unexpected argument"),
            ("```\ncargo run --example market\n```", "no example market"),
            ("```\nLOG=1 cargo run -p zc-events-tool\n```", "no package zc-events-tool"),
        ] {
            let findings = found(text);
            assert!(findings.len() == 1 && findings[0].contains(why), "{text}: {findings:?}");
        }
    }

    #[test]
    fn the_changelog_and_the_decisions_are_left_out() {
        for path in ["README.md", "crates/cache/README.md", "docs/cli.md"] {
            assert!(is_for_readers(Path::new(path)), "{path}");
        }
        for path in ["CHANGELOG.md", "docs/decisions/0001-x.md", "tests/notes.md"] {
            assert!(!is_for_readers(Path::new(path)), "{path}");
        }
    }
}

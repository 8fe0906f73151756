//! Links between documents, and paths in `ARCHITECTURE.md`, lead to files that exist. `docs/SUMMARY.md` (the table of
//! contents of the docs site) lists every page of `docs`.

use std::path::{Component, Path, PathBuf};

use super::finding::Finding;
use super::tree::{File, Tree};

const SUMMARY: &str = "docs/SUMMARY.md";
const ARCHITECTURE: &str = "ARCHITECTURE.md";

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let exists = |path: &Path| tree.root.join(path).exists();
    let documents = tree.files.iter().filter(|file| file.is("md"));
    let mut findings: Vec<Finding> = documents.flat_map(|document| broken(document, exists)).collect();
    findings.extend(tree.file(ARCHITECTURE).into_iter().flat_map(|document| gone(document, exists)));
    findings.extend(unlisted(tree));
    findings
}

/// A finding for each path between backticks that does not exist. A path begins with a folder of the workspace.
fn gone(document: &File, exists: impl Fn(&Path) -> bool) -> Vec<Finding> {
    const FOLDERS: [&str; 4] = ["crates/", "docs/", "tests/", "xtask/"];
    let mut findings = Vec::new();
    for (index, line) in document.text.lines().enumerate() {
        let words = line.split('`').skip(1).step_by(2);
        let paths = words.filter(|word| FOLDERS.iter().any(|folder| word.starts_with(folder)));
        for path in paths.filter(|path| !exists(Path::new(path))) {
            findings.push(Finding::new(&document.path, index + 1, format!("{path}: there is no such file")));
        }
    }
    findings
}

/// A finding for each link whose target does not exist.
fn broken(document: &File, exists: impl Fn(&Path) -> bool) -> Vec<Finding> {
    let wrong = links(&document.text).into_iter().filter(|(_, target)| !exists(&resolve(&document.path, target)));
    wrong.map(|(line, target)| Finding::new(&document.path, line, format!("{target}: there is no such file"))).collect()
}

/// A finding for each page of `docs` that the table of contents does not list.
fn unlisted(tree: &Tree) -> Vec<Finding> {
    let Some(summary) = tree.file(SUMMARY) else { return Vec::new() };
    let listed: Vec<PathBuf> = links(&summary.text).iter().map(|(_, target)| resolve(&summary.path, target)).collect();
    let pages = tree.files.iter().filter(|file| file.is("md") && file.path.starts_with("docs"));
    let missing = pages.filter(|page| page.path != summary.path && !listed.contains(&page.path));
    missing.map(|page| Finding::new(&page.path, 0, format!("this page is missing in {SUMMARY}"))).collect()
}

/// The targets of relative links, without their anchors, each with its line. Links in code are left out.
fn links(text: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    let mut fenced = false;
    for (index, line) in text.lines().enumerate() {
        fenced ^= line.trim_start().starts_with("```");
        if fenced || line.starts_with("    ") {
            continue;
        }
        for link in line.split("](").skip(1) {
            let target = link.split([')', '#', ' ']).next().unwrap_or_default();
            let is_path = target.contains(['.', '/']) && !target.contains("::") && !target.contains("://");
            if is_path {
                found.push((index + 1, target.to_owned()));
            }
        }
    }
    found
}

/// The path from the root of a link's target.
fn resolve(document: &Path, target: &str) -> PathBuf {
    let mut path = document.parent().map(Path::to_path_buf).unwrap_or_default();
    for part in Path::new(target).components() {
        match part {
            Component::ParentDir => {
                path.pop();
            }
            Component::Normal(name) => path.push(name),
            _ => {}
        }
    }
    path
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::finding::texts;

    fn found(text: &str) -> Vec<String> {
        let tree = Tree::made_up(&[("docs/page.md", text)]);
        texts(&broken(&tree.files[0], |path| path == Path::new("README.md") || path == Path::new("docs/other.md")))
    }

    #[test]
    fn links_to_files_that_exist_are_fine() {
        let text = "[a](../README.md), [b](other.md#part), [`c`](./other.md) and [here](#part)\n\
                    [the web](https://example.com/x.md) [a type](crate::module)\n```\n[code](nothing.md)\n```\n";
        assert_eq!(found(text), Vec::<String>::new());
    }

    #[test]
    fn a_broken_link_is_found_with_its_line() {
        assert_eq!(
            found("[a](other.md)\n[b](README.md) [c](../gone/file.rs#L1)\n"),
            [
                "docs/page.md:2: README.md: there is no such file",
                "docs/page.md:2: ../gone/file.rs: there is no such file",
            ]
        );
    }

    #[test]
    fn a_path_that_does_not_exist_is_found() {
        let text = "`crates/a/src/lib.rs` and `crates/b`\nare files, `Fleet` and `cargo test` are not.\n";
        let tree = Tree::made_up(&[(ARCHITECTURE, text)]);
        let findings = gone(&tree.files[0], |path| path == Path::new("crates/b"));
        assert_eq!(texts(&findings), ["ARCHITECTURE.md:1: crates/a/src/lib.rs: there is no such file"]);
    }

    #[test]
    fn a_page_that_the_summary_does_not_list_is_found() {
        let tree = Tree::made_up(&[
            (SUMMARY, "- [One](one.md)\n- [Two](more/two.md)\n"),
            ("docs/one.md", ""),
            ("docs/more/two.md", ""),
            ("docs/three.md", ""),
            ("README.md", ""),
        ]);
        assert_eq!(texts(&unlisted(&tree)), ["docs/three.md: this page is missing in docs/SUMMARY.md"]);
    }
}

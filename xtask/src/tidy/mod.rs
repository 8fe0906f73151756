//! `cargo xtask tidy`: what the layout promises and a compiler does not check. Each file here holds one promise.
//!
//! It runs as a test too (below), so that a plain `cargo test` says what is out of place.

mod arrows;
mod leftovers;
mod links;
mod owners;
mod readme;
mod settings;
mod sizes;
mod source;
mod wire;

use std::fmt;
use std::path::{Path, PathBuf};

use crate::failure::{Failure, Result};
use crate::workspace;

/// One thing out of place.
#[derive(Debug)]
struct Finding {
    /// From the root.
    path: PathBuf,
    /// 0 where the whole file is meant.
    line: usize,
    /// What is wrong and what to do.
    text: String,
}

impl Finding {
    fn new(path: &Path, line: usize, text: impl Into<String>) -> Self {
        Finding { path: path.to_path_buf(), line, text: text.into() }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => write!(f, "{}: {}", self.path.display(), self.text),
            line => write!(f, "{}:{line}: {}", self.path.display(), self.text),
        }
    }
}

/// `cargo xtask tidy`: prints what is out of place; an error if anything is.
pub(crate) fn run() -> Result<()> {
    let tree = Tree::read(&workspace::root())?;
    let findings = check(&tree)?;
    for finding in &findings {
        println!("{finding}");
    }
    match findings.len() {
        0 => {
            println!("tidy: {} files in order", tree.files.len());
            Ok(())
        }
        count => Err(Failure::says(format!("tidy: {count} findings"))),
    }
}

fn check(tree: &Tree) -> Result<Vec<Finding>> {
    let mut manifests = workspace::manifests(&tree.root)?;
    // A workspace of its own.
    manifests.push(workspace::read(&tree.root, Path::new("fuzz/Cargo.toml"))?);
    let mut findings = arrows::check(&manifests);
    findings.extend(owners::check(tree));
    findings.extend(sizes::check(tree));
    findings.extend(leftovers::check(tree));
    findings.extend(links::check(tree));
    findings.extend(readme::check(tree)?);
    findings.extend(settings::check(tree));
    findings.extend(wire::check(tree));
    Ok(findings)
}

/// The text files of a checkout that the checks read.
struct Tree {
    root: PathBuf,
    files: Vec<File>,
}

/// One of them.
struct File {
    /// From the root, with `/` between its parts.
    path: PathBuf,
    text: String,
}

impl Tree {
    /// Every `.rs`, `.toml`, `.md` and `.yml` below `root`, and `.env.sample`; without hidden folders and build output.
    fn read(root: &Path) -> Result<Self> {
        let mut files = Vec::new();
        read_folder(root, Path::new(""), &mut files)
            .map_err(|error| Failure::says(format!("cannot read {}: {error}", root.display())))?;
        files.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(Tree { root: root.to_path_buf(), files })
    }

    fn rust(&self) -> impl Iterator<Item = &File> {
        self.files.iter().filter(|file| file.is("rs"))
    }

    fn file(&self, path: &str) -> Option<&File> {
        self.files.iter().find(|file| file.path == Path::new(path))
    }

    /// A made-up tree of files and their text.
    #[cfg(test)]
    fn made_up(files: &[(&str, &str)]) -> Self {
        let files = files.iter().map(|(path, text)| File { path: path.into(), text: (*text).to_owned() }).collect();
        Tree { root: PathBuf::from("/nowhere"), files }
    }
}

impl File {
    fn is(&self, extension: &str) -> bool {
        self.path.extension().is_some_and(|it| it == extension)
    }
}

fn read_folder(root: &Path, folder: &Path, files: &mut Vec<File>) -> std::io::Result<()> {
    for entry in root.join(folder).read_dir()? {
        let entry = entry?;
        let path = folder.join(entry.file_name());
        let name = entry.file_name().to_string_lossy().into_owned();
        if entry.file_type()?.is_dir() {
            if !name.starts_with('.') && name != "target" {
                read_folder(root, &path, files)?;
            }
        } else if [".rs", ".toml", ".md", ".yml"].iter().any(|end| name.ends_with(end)) || name == ".env.sample" {
            files.push(File { text: std::fs::read_to_string(root.join(&path))?, path });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The text of each finding, for comparing.
    pub(super) fn texts(findings: &[Finding]) -> Vec<String> {
        findings.iter().map(Finding::to_string).collect()
    }

    #[test]
    fn the_workspace_is_tidy() {
        let tree = Tree::read(&workspace::root()).unwrap();
        assert!(tree.rust().count() > 10, "the checks saw too few files to mean anything");
        let findings = check(&tree).unwrap();
        assert!(findings.is_empty(), "{}", texts(&findings).join("\n"));
    }

    #[test]
    fn build_output_and_hidden_folders_are_left_out() {
        let folder = tempfile::tempdir().unwrap();
        for path in ["src/a.rs", "target/b.rs", ".git/c.rs", "README.md", "data.json", ".env.sample", "deny.toml"] {
            let path = folder.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "").unwrap();
        }
        let tree = Tree::read(folder.path()).unwrap();
        let paths: Vec<_> = tree.files.iter().map(|file| file.path.to_string_lossy()).collect();
        assert_eq!(paths, [".env.sample", "README.md", "deny.toml", "src/a.rs"]);
    }
}

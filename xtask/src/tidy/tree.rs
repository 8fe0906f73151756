//! The files of a checkout, read once for all checks.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use crate::failure::{Failure, Result};
use crate::tidy::source::code_only;

/// The text files of a checkout that the checks read.
pub(super) struct Tree {
    pub(super) root: PathBuf,
    pub(super) files: Vec<File>,
}

/// One of the files.
pub(super) struct File {
    /// From the root, with `/` between its parts.
    pub(super) path: PathBuf,
    pub(super) text: String,
    code: OnceLock<String>,
}

impl Tree {
    /// Every `.rs`, `.toml`, `.md` and `.yml` below `root`, and `.env.sample`; without hidden folders and build output.
    pub(super) fn read(root: &Path) -> Result<Self> {
        let mut files = Vec::new();
        read_folder(root, Path::new(""), &mut files)
            .map_err(|error| Failure::says(format!("cannot read {}: {error}", root.display())))?;
        files.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(Tree { root: root.to_path_buf(), files })
    }

    pub(super) fn rust(&self) -> impl Iterator<Item = &File> {
        self.files.iter().filter(|file| file.is("rs"))
    }

    pub(super) fn file(&self, path: &str) -> Option<&File> {
        self.files.iter().find(|file| file.path == Path::new(path))
    }

    /// A made-up tree of files and their text.
    #[cfg(test)]
    pub(super) fn made_up(files: &[(&str, &str)]) -> Self {
        let files = files.iter().map(|(path, text)| File::new(path.into(), (*text).to_owned())).collect();
        Tree { root: PathBuf::from("/nowhere"), files }
    }
}

impl File {
    fn new(path: PathBuf, text: String) -> Self {
        File { path, text, code: OnceLock::new() }
    }

    /// The text without comments and without the inside of literals, see [`code_only`].
    pub(super) fn code(&self) -> &str {
        self.code.get_or_init(|| code_only(&self.text))
    }

    pub(super) fn is(&self, extension: &str) -> bool {
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
            let text = std::fs::read_to_string(root.join(&path))?;
            files.push(File::new(path, text));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

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

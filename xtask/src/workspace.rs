//! The checkout this command works on, and how cargo is called in it.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::failure::{Failure, Result};

/// The folder that holds the workspace's `Cargo.toml`.
pub(crate) fn root() -> PathBuf {
    let xtask = std::env::var_os("CARGO_MANIFEST_DIR").map_or_else(|| env!("CARGO_MANIFEST_DIR").into(), PathBuf::from);
    xtask.parent().map_or_else(|| PathBuf::from("."), Path::to_path_buf)
}

/// `cargo`, the same one that runs this command, in the workspace's root.
pub(crate) fn cargo(root: &Path) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(root);
    command
}

/// A member's `Cargo.toml`.
pub(crate) struct Manifest {
    /// Where it is, from the root.
    pub(crate) path: PathBuf,
    pub(crate) table: toml::Table,
}

impl Manifest {
    /// The package's name.
    pub(crate) fn name(&self) -> Option<&str> {
        self.table.get("package")?.get("name")?.as_str()
    }

    /// Whether the package is for the registry.
    pub(crate) fn is_published(&self) -> bool {
        let publish = self.table.get("package").and_then(|it| it.get("publish")).and_then(toml::Value::as_bool);
        publish != Some(false)
    }
}

/// The manifests of the members that the root's `Cargo.toml` lists.
pub(crate) fn manifests(root: &Path) -> Result<Vec<Manifest>> {
    let workspace = read(root, Path::new("Cargo.toml"))?;
    let members = workspace.table.get("workspace").and_then(|table| table.get("members")?.as_array());
    let members = members.ok_or_else(|| Failure::says("Cargo.toml lists no workspace members"))?;
    members.iter().filter_map(toml::Value::as_str).map(|it| read(root, &Path::new(it).join("Cargo.toml"))).collect()
}

/// The root's own manifest.
pub(crate) fn read(root: &Path, path: &Path) -> Result<Manifest> {
    let said = |why: String| Failure::says(format!("{}: {why}", path.display()));
    let text = std::fs::read_to_string(root.join(path)).map_err(|error| said(error.to_string()))?;
    let table = text.parse().map_err(|error: toml::de::Error| said(error.to_string()))?;
    Ok(Manifest { path: path.to_path_buf(), table })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_member_is_read_and_a_missing_one_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let write = |path: &str, text: &str| {
            let path = folder.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        write("Cargo.toml", "[workspace]\nmembers = ['b', 'a']");
        write("a/Cargo.toml", "[package]\nname = 'alpha'");
        write("b/Cargo.toml", "[package]\nname = 'beta'");
        let found = manifests(folder.path()).unwrap();
        assert_eq!(found.iter().filter_map(Manifest::name).collect::<Vec<_>>(), ["beta", "alpha"]);
        write("Cargo.toml", "[workspace]\nmembers = ['b', 'missing']");
        assert!(manifests(folder.path()).err().unwrap().to_string().contains("missing"));
    }
}

//! The packages of the workspace, and the files that are roots of their crates.

use std::path::{Path, PathBuf};

use crate::tidy::imports::Modules;
use crate::tidy::tree::Tree;
use crate::workspace::Manifest;

/// A package and its crates.
pub(super) struct Package {
    /// Its folder, from the root of the checkout.
    pub(super) folder: PathBuf,
    /// Libraries, programs, tests, examples, measurements, each by its first file.
    pub(super) crates: Vec<(PathBuf, Modules)>,
}

pub(super) fn of(manifests: &[Manifest], tree: &Tree) -> Vec<Package> {
    let package = |manifest: &Manifest| {
        let folder = manifest.path.parent().unwrap_or(Path::new("")).to_path_buf();
        let files = tree.rust().filter_map(|file| Some((&file.path, file.path.strip_prefix(&folder).ok()?)));
        let roots = files.filter(|(_, within)| is_root(within)).map(|(path, _)| path);
        let crates = roots.map(|root| (root.clone(), Modules::of(tree, root))).collect();
        Package { folder, crates }
    };
    manifests.iter().map(package).collect()
}

fn is_root(path: &Path) -> bool {
    let parts: Vec<_> = path.iter().map(|part| part.to_string_lossy()).collect();
    let parts: Vec<&str> = parts.iter().map(|part| part.as_ref()).collect();
    match parts.as_slice() {
        ["build.rs"] | ["src", "lib.rs" | "main.rs"] | ["src", "bin", _] | ["src", "bin", _, "main.rs"] => true,
        ["tests" | "examples" | "benches" | "fuzz_targets", rest @ ..] => matches!(rest, [_] | [_, "main.rs"]),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roots_are_where_cargo_looks_for_them() {
        for path in ["src/lib.rs", "src/bin/a.rs", "tests/a.rs", "tests/it/main.rs", "examples/a/main.rs"] {
            assert!(is_root(Path::new(path)), "{path}");
        }
        for path in ["src/a.rs", "src/a/main.rs", "tests/it/a.rs", "src/bin/a/b.rs"] {
            assert!(!is_root(Path::new(path)), "{path}");
        }
    }
}

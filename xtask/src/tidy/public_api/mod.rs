//! The public API of each published library, as `docs/public-api/PACKAGE.txt` holds it: a change shows in a review.
//!
//! The text is read from the sources: paths as users write them, signatures, public fields, variants. Implementations of
//! traits are left out. `ZC_EVENTS_API=write cargo xtask tidy` writes the files anew.

pub(super) mod declarations;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use crate::failure::{Failure, Result};
use crate::tidy::finding::Finding;
use crate::tidy::imports::{Found, Modules, find};
use crate::tidy::packages::Package;
use crate::tidy::tree::Tree;
use crate::workspace::Manifest;

const FOLDER: &str = "docs/public-api";
const RENEW: &str = "ZC_EVENTS_API";

pub(super) fn check(tree: &Tree, packages: &[Package], manifests: &[Manifest]) -> Result<Vec<Finding>> {
    let renew = std::env::var(RENEW).is_ok_and(|it| it == "write");
    let mut findings = Vec::new();
    for (package, manifest) in packages.iter().zip(manifests).filter(|(_, manifest)| manifest.is_published()) {
        let library = package.folder.join("src/lib.rs");
        let Some((_, modules)) = package.crates.iter().find(|(root, _)| *root == library) else { continue };
        let Some(name) = manifest.name() else { continue };
        let text = text(modules, &name.replace('-', "_"));
        let path = format!("{FOLDER}/{name}.txt");
        let whole = tree.root.join(&path);
        if renew {
            let unwritable = |error: std::io::Error| Failure::says(format!("{path}: {error}"));
            std::fs::create_dir_all(tree.root.join(FOLDER)).map_err(unwritable)?;
            std::fs::write(whole, text).map_err(unwritable)?;
        } else if let Ok(known) = std::fs::read_to_string(whole) {
            findings.extend(differs(&path, &known, &text));
        } else if tree.root.join(FOLDER).exists() {
            findings.push(Finding::new(
                Path::new(&path),
                0,
                format!("missing: `{RENEW}=write cargo xtask tidy` writes it"),
            ));
        }
    }
    Ok(findings)
}

fn differs(path: &str, known: &str, text: &str) -> Option<Finding> {
    let (old, new): (BTreeSet<&str>, BTreeSet<&str>) = (known.lines().collect(), text.lines().collect());
    let gone = old.difference(&new).map(|line| format!("\n    - {line}"));
    let added = new.difference(&old).map(|line| format!("\n    + {line}"));
    let changes: String = gone.chain(added).collect();
    let advice = format!("the public API has changed; if that is meant, `{RENEW}=write cargo xtask tidy`");
    (!changes.is_empty()).then(|| Finding::new(Path::new(path), 0, format!("{advice}{changes}")))
}

/// A line for each public item, sorted.
fn text(modules: &Modules, name: &str) -> String {
    let mut lines = BTreeSet::new();
    Reader { modules, methods: methods(modules) }.module(0, name, &mut BTreeSet::new(), &mut lines);
    lines.into_iter().map(|line| format!("{line}\n")).collect()
}

/// The public methods of each type, by the module and the name of its definition.
fn methods(modules: &Modules) -> BTreeMap<(usize, String), Vec<String>> {
    let mut methods: BTreeMap<(usize, String), Vec<String>> = BTreeMap::new();
    for (index, module) in modules.all.iter().enumerate() {
        for (path, lines) in &module.blocks {
            if let Some(Found::Item { module, name }) = find(modules, index, path) {
                methods.entry((module, name)).or_default().extend(lines.iter().cloned());
            }
        }
    }
    methods
}

struct Reader<'a> {
    modules: &'a Modules,
    methods: BTreeMap<(usize, String), Vec<String>>,
}

impl Reader<'_> {
    /// What users see in a module that they call `path`. `above` are the modules that led here.
    fn module(&self, index: usize, path: &str, above: &mut BTreeSet<usize>, lines: &mut BTreeSet<String>) {
        if !above.insert(index) {
            return;
        }
        let module = &self.modules.all[index];
        for name in module.declared.keys() {
            self.item(index, name, name, path, lines);
        }
        for child in &module.public_children {
            self.module(module.children[child], &format!("{path}::{child}"), above, lines);
        }
        for import in module.imports.iter().filter(|import| import.is_public) {
            match (find(self.modules, index, &import.path), &import.name) {
                (Some(Found::Item { module, name }), Some(called)) => self.item(module, &name, called, path, lines),
                (Some(Found::Module(other)), Some(called)) => {
                    self.module(other, &format!("{path}::{called}"), above, lines);
                }
                (Some(Found::Module(other)), None) => self.module(other, path, above, lines),
                (None, called) => {
                    let called = called.as_deref().unwrap_or("*");
                    lines.insert(format!("{path}: use {} as {called}", import.path.join("::")));
                }
                (Some(Found::Item { .. }), None) => {}
            }
        }
        above.remove(&index);
    }

    fn item(&self, module: usize, name: &str, called: &str, path: &str, lines: &mut BTreeSet<String>) {
        let declared = self.modules.all[module].declared.get(name).into_iter().flatten();
        let methods = self.methods.get(&(module, name.to_owned())).into_iter().flatten();
        let note = if name == called { String::new() } else { format!(" (as {called})") };
        lines.extend(declared.chain(methods).map(|line| format!("{path}: {line}{note}")));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn api(files: &[(&str, &str)]) -> Vec<String> {
        let modules = Modules::of(&Tree::made_up(files), Path::new("src/lib.rs"));
        text(&modules, "it").lines().map(str::to_owned).collect()
    }

    #[test]
    fn items_stand_where_users_find_them() {
        let lines = api(&[
            ("src/lib.rs", "mod a;\npub mod b;\npub use a::{A, hidden as shown};\npub use other::Thing;"),
            ("src/a.rs", "pub struct A;\nimpl A { pub fn new() -> A { A } }\npub fn hidden() {}\npub fn unseen() {}"),
            ("src/b.rs", "pub use crate::a::A;\nuse crate::a::unseen;\nimpl A { pub fn more(&self) {} }"),
        ]);
        assert_eq!(
            lines,
            [
                "it: A::fn more(&self)",
                "it: A::fn new() -> A",
                "it: fn hidden() (as shown)",
                "it: struct A",
                "it: use other::Thing as Thing",
                "it::b: A::fn more(&self)",
                "it::b: A::fn new() -> A",
                "it::b: struct A",
            ]
        );
    }

    #[test]
    fn a_change_is_shown_with_what_to_do() {
        let finding = differs("docs/public-api/it.txt", "it: fn f()\nit: fn g()\n", "it: fn f(a: u8)\nit: fn g()\n");
        let text = finding.unwrap().to_string();
        assert!(text.contains("ZC_EVENTS_API=write cargo xtask tidy"), "{text}");
        assert!(text.ends_with("\n    - it: fn f()\n    + it: fn f(a: u8)"), "{text}");
        assert!(differs("x", "a\n", "a\n").is_none());
    }
}

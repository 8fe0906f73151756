//! Where a path leads: the file that defines the item that it names.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use crate::tidy::imports::modules::{Import, Modules};

/// Maps each file to the files whose items it uses, and to the names of these items.
pub(super) type Uses = BTreeMap<PathBuf, BTreeMap<PathBuf, BTreeSet<String>>>;

/// Imports may follow each other in a ring; this is deeper than any that lead anywhere.
const DEEPEST: usize = 16;

/// Where a path leads.
pub(in crate::tidy) enum Found {
    Module(usize),
    Item { module: usize, name: String },
}

/// The uses between the files of a crate. A re-export by itself is none: it counts where a module uses the name.
pub(super) fn uses(modules: &Modules) -> Uses {
    let mut uses = Uses::new();
    for (index, module) in modules.all.iter().enumerate() {
        let imported = module.imports.iter().filter(|it| !it.is_reexport && it.name.is_some()).map(|it| &it.path);
        for path in imported.chain(&module.names) {
            let Some(Found::Item { module: home, name }) = resolve(modules, index, path, 0) else { continue };
            let home = &modules.all[home].file;
            if *home != module.file {
                uses.entry(module.file.clone()).or_default().entry(home.clone()).or_default().insert(name);
            }
        }
    }
    uses
}

/// Where `path` leads from a module; None where it leaves the crate.
pub(in crate::tidy) fn find(modules: &Modules, from: usize, path: &[String]) -> Option<Found> {
    resolve(modules, from, path, 0)
}

fn resolve(modules: &Modules, from: usize, path: &[String], depth: usize) -> Option<Found> {
    let (first, mut rest) = path.split_first()?;
    let mut found = match first.as_str() {
        "crate" => Found::Module(0),
        "self" => Found::Module(from),
        "super" => Found::Module(modules.all[from].parent?),
        name => lookup(modules, from, name, depth)?,
    };
    while let (Found::Module(module), Some((next, behind))) = (&found, rest.split_first()) {
        found = match next.as_str() {
            "super" => Found::Module(modules.all[*module].parent?),
            "self" => Found::Module(*module),
            name => lookup(modules, *module, name, depth)?,
        };
        rest = behind;
    }
    Some(found)
}

/// What `name` means in a module.
fn lookup(modules: &Modules, module: usize, name: &str, depth: usize) -> Option<Found> {
    if depth > DEEPEST {
        return None;
    }
    let it = &modules.all[module];
    if it.items.contains(name) {
        return Some(Found::Item { module, name: name.to_owned() });
    }
    if let Some(child) = it.children.get(name) {
        return Some(Found::Module(*child));
    }
    let follow = |import: &Import| resolve(modules, module, &import.path, depth + 1);
    if let Some(import) = it.imports.iter().find(|import| import.name.as_deref() == Some(name)) {
        // `use name::..` names a crate, not itself.
        return (import.path.first().is_none_or(|first| first != name)).then(|| follow(import)).flatten();
    }
    it.imports.iter().filter(|import| import.name.is_none()).find_map(|import| match follow(import)? {
        Found::Module(other) if other != module => lookup(modules, other, name, depth + 1),
        _ => None,
    })
}

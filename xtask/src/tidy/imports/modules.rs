//! The modules of a crate: which file each is in, what it defines, imports and names. Code for tests is left out.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Component, Path, PathBuf};

use syn::{Attribute, Item, UseTree, Visibility};

use crate::tidy::imports::cfg::is_for_tests;
use crate::tidy::imports::names::{Name, names};
use crate::tidy::public_api::declarations;
use crate::tidy::tree::Tree;

/// A crate's modules. The first is its root.
#[derive(Debug, Default)]
pub(in crate::tidy) struct Modules {
    pub(in crate::tidy) all: Vec<Module>,
}

#[derive(Debug, Default)]
pub(in crate::tidy) struct Module {
    /// From the root of the checkout.
    pub(in crate::tidy) file: PathBuf,
    pub(super) parent: Option<usize>,
    pub(in crate::tidy) children: BTreeMap<String, usize>,
    /// What it defines.
    pub(super) items: BTreeSet<String>,
    pub(in crate::tidy) imports: Vec<Import>,
    pub(super) names: Vec<Name>,
    /// The types that it makes public.
    pub(in crate::tidy) public_types: Vec<String>,
    /// What each of its public items declares.
    pub(in crate::tidy) declared: BTreeMap<String, Vec<String>>,
    /// The types that it extends, each by its path, and the public methods that it gives them.
    pub(in crate::tidy) blocks: Vec<(Vec<String>, Vec<String>)>,
    pub(in crate::tidy) public_children: BTreeSet<String>,
}

/// One name that `use` brings in.
#[derive(Clone, Debug)]
pub(in crate::tidy) struct Import {
    pub(in crate::tidy) path: Vec<String>,
    /// As it is called here; None for `*`.
    pub(in crate::tidy) name: Option<String>,
    /// Whether others may take it from here.
    pub(super) is_reexport: bool,
    /// Whether the users of the crate may.
    pub(in crate::tidy) is_public: bool,
}

impl Modules {
    /// The modules of the crate whose root is this file. A file that is missing or does not parse is left out: the
    /// compiler says so.
    pub(in crate::tidy) fn of(tree: &Tree, root: &Path) -> Self {
        let mut modules = Modules::default();
        modules.add_file(tree, root, None, true);
        modules
    }

    fn add_file(&mut self, tree: &Tree, path: &Path, parent: Option<usize>, owns_folder: bool) -> Option<usize> {
        let file = tree.file(&path.to_string_lossy())?;
        let parsed = syn::parse_file(&file.text).ok()?;
        let folder = path.parent().unwrap_or(Path::new(""));
        let children = if owns_folder { folder.to_path_buf() } else { path.with_extension("") };
        let index = self.add(path, parent);
        self.add_items(tree, &parsed.items, index, &children);
        Some(index)
    }

    fn add(&mut self, file: &Path, parent: Option<usize>) -> usize {
        self.all.push(Module { file: file.to_path_buf(), parent, ..Module::default() });
        self.all.len() - 1
    }

    fn add_items(&mut self, tree: &Tree, items: &[Item], index: usize, folder: &Path) {
        for item in items {
            if attributes(item).iter().any(is_for_tests) {
                continue;
            }
            match item {
                Item::Mod(module) => {
                    let name = module.ident.to_string();
                    let child = match &module.content {
                        Some((_, items)) => {
                            let file = self.all[index].file.clone();
                            let child = self.add(&file, Some(index));
                            self.add_items(tree, items, child, &folder.join(&name));
                            Some(child)
                        }
                        None => self.add_declared(tree, index, folder, &name, &module.attrs),
                    };
                    if let Some(child) = child {
                        if matches!(module.vis, Visibility::Public(_)) {
                            self.all[index].public_children.insert(name.clone());
                        }
                        self.all[index].children.insert(name, child);
                    }
                }
                Item::Use(import) => {
                    flatten(&import.tree, &mut Vec::new(), &import.vis, &mut self.all[index].imports);
                }
                _ => {
                    let module = &mut self.all[index];
                    if let Item::Impl(block) = item {
                        module.blocks.extend(declarations::of_block(block));
                    }
                    if let Some(name) = defined(item) {
                        if is_public_type(item) {
                            module.public_types.push(name.clone());
                        }
                        let lines = declarations::of_item(item);
                        if !lines.is_empty() {
                            module.declared.insert(name.clone(), lines);
                        }
                        module.items.insert(name);
                    }
                    names(item, &mut module.names, &mut |import| {
                        flatten(&import.tree, &mut Vec::new(), &Visibility::Inherited, &mut module.imports);
                    });
                }
            }
        }
    }

    /// The module of `mod name;`.
    fn add_declared(
        &mut self,
        tree: &Tree,
        parent: usize,
        folder: &Path,
        name: &str,
        attributes: &[Attribute],
    ) -> Option<usize> {
        if let Some(path) = attributes.iter().find_map(named_path) {
            let beside = self.all[parent].file.parent().unwrap_or(Path::new("")).to_path_buf();
            return self.add_file(tree, &normal(&beside.join(path)), Some(parent), true);
        }
        self.add_file(tree, &folder.join(format!("{name}.rs")), Some(parent), false)
            .or_else(|| self.add_file(tree, &folder.join(name).join("mod.rs"), Some(parent), true))
    }
}

/// The path without `..`.
fn normal(path: &Path) -> PathBuf {
    let mut found = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => drop(found.pop()),
            Component::CurDir => {}
            other => found.push(other),
        }
    }
    found
}

/// The value of `#[path = ".."]`.
fn named_path(attribute: &Attribute) -> Option<String> {
    let syn::Meta::NameValue(pair) = &attribute.meta else { return None };
    match &pair.value {
        syn::Expr::Lit(syn::ExprLit { lit: syn::Lit::Str(text), .. }) if pair.path.is_ident("path") => {
            Some(text.value())
        }
        _ => None,
    }
}

fn flatten(tree: &UseTree, path: &mut Vec<String>, visible: &Visibility, found: &mut Vec<Import>) {
    let is_reexport = !matches!(visible, Visibility::Inherited);
    let is_public = matches!(visible, Visibility::Public(_));
    let mut add = |path: Vec<String>, name: Option<String>| found.push(Import { path, name, is_reexport, is_public });
    match tree {
        UseTree::Path(step) => {
            path.push(step.ident.to_string());
            flatten(&step.tree, path, visible, found);
            path.pop();
        }
        UseTree::Group(group) => group.items.iter().for_each(|tree| flatten(tree, path, visible, found)),
        UseTree::Glob(_) => add(path.clone(), None),
        UseTree::Name(last) if last.ident == "self" => add(path.clone(), path.last().cloned()),
        UseTree::Name(last) => {
            let name = last.ident.to_string();
            add([&path[..], std::slice::from_ref(&name)].concat(), Some(name));
        }
        UseTree::Rename(last) => {
            let whole =
                if last.ident == "self" { path.clone() } else { [&path[..], &[last.ident.to_string()]].concat() };
            add(whole, Some(last.rename.to_string()));
        }
    }
}

fn defined(item: &Item) -> Option<String> {
    let name = match item {
        Item::Const(it) => &it.ident,
        Item::Enum(it) => &it.ident,
        Item::Fn(it) => &it.sig.ident,
        Item::Macro(it) => it.ident.as_ref()?,
        Item::Static(it) => &it.ident,
        Item::Struct(it) => &it.ident,
        Item::Trait(it) => &it.ident,
        Item::TraitAlias(it) => &it.ident,
        Item::Type(it) => &it.ident,
        Item::Union(it) => &it.ident,
        _ => return None,
    };
    Some(name.to_string())
}

fn is_public_type(item: &Item) -> bool {
    let visibility = match item {
        Item::Enum(it) => &it.vis,
        Item::Struct(it) => &it.vis,
        Item::Trait(it) => &it.vis,
        Item::Type(it) => &it.vis,
        Item::Union(it) => &it.vis,
        _ => return false,
    };
    matches!(visibility, Visibility::Public(_))
}

fn attributes(item: &Item) -> &[Attribute] {
    match item {
        Item::Const(it) => &it.attrs,
        Item::Enum(it) => &it.attrs,
        Item::ExternCrate(it) => &it.attrs,
        Item::Fn(it) => &it.attrs,
        Item::ForeignMod(it) => &it.attrs,
        Item::Impl(it) => &it.attrs,
        Item::Macro(it) => &it.attrs,
        Item::Mod(it) => &it.attrs,
        Item::Static(it) => &it.attrs,
        Item::Struct(it) => &it.attrs,
        Item::Trait(it) => &it.attrs,
        Item::TraitAlias(it) => &it.attrs,
        Item::Type(it) => &it.attrs,
        Item::Union(it) => &it.attrs,
        Item::Use(it) => &it.attrs,
        _ => &[],
    }
}

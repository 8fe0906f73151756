//! `cargo xtask tidy`: what the layout promises and a compiler does not check. Each file here holds one promise.
//!
//! It runs as a test too (below), so that a plain `cargo test` says what is out of place.

mod banned_words;
mod behaviours;
mod crate_graph;
mod dependency_homes;
mod exceptions;
mod file_names;
mod finding;
mod forbidden;
mod imports;
mod links;
mod packages;
mod public_api;
mod public_types;
mod readme;
mod settings;
mod sizes;
mod source;
mod test_kit;
mod tree;
mod wire_document;

use std::path::Path;

use crate::failure::{Failure, Result};
use crate::workspace;
use exceptions::Check;
use finding::Finding;
pub(crate) use readme::IsCommand;
use tree::Tree;

/// `cargo xtask tidy`: prints what is out of place; an error if anything is. `is_command` parses our own command line.
pub(crate) fn run(is_command: IsCommand) -> Result<()> {
    let tree = Tree::read(&workspace::root())?;
    let findings = check(&tree, is_command)?;
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

fn check(tree: &Tree, is_command: IsCommand) -> Result<Vec<Finding>> {
    let mut manifests = workspace::manifests(&tree.root)?;
    // A workspace of its own.
    manifests.push(workspace::read(&tree.root, Path::new("fuzz/Cargo.toml"))?);
    let packages = packages::of(&manifests, tree);
    let mut findings = crate_graph::check(&manifests);
    findings.extend(dependency_homes::check(tree));
    findings.extend(sizes::check(tree));
    findings.extend(forbidden::check(tree));
    findings.extend(links::check(tree));
    findings.extend(readme::check(tree, is_command)?);
    findings.extend(settings::check(tree));
    findings.extend(wire_document::check(tree));
    findings.extend(behaviours::check(tree, &manifests));
    findings.extend(public_api::check(tree, &packages, &manifests)?);
    findings.extend(exceptions::without_allowed([
        (Check::Imports, imports::check(packages.iter().flat_map(|it| &it.crates).map(|(_, modules)| modules))),
        (Check::TestKit, test_kit::check(tree, &manifests)),
        (Check::FileNames, packages.iter().flat_map(|it| file_names::check(tree, it)).collect()),
        (Check::PublicTypes, packages.iter().flat_map(public_types::check).collect()),
        (Check::BannedWords, banned_words::check(tree)),
    ]));
    Ok(findings)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_workspace_is_tidy() {
        let tree = Tree::read(&workspace::root()).unwrap();
        assert!(tree.rust().count() > 10, "the checks saw too few files to mean anything");
        let findings = check(&tree, crate::is_command).unwrap();
        assert!(findings.is_empty(), "{}", finding::texts(&findings).join("\n"));
    }
}

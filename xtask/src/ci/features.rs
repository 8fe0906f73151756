//! Each feature of each published package compiles alone, and so does the package without features.

use crate::failure::{Failure, Result};
use crate::workspace::Manifest;

/// Our own commands are checked along: they depend on none of our crates, but on most features of what all depend on, so
/// that it is not built again for each choice.
const CHECK: [&str; 6] = ["check", "--quiet", "--lib", "--bins", "--package", "xtask"];

/// The options that choose a package and at most one of its features, for each package and feature.
pub(super) fn choices(manifests: &[Manifest]) -> Vec<Vec<String>> {
    let mut choices = Vec::new();
    for manifest in manifests.iter().filter(|it| it.is_published()) {
        let Some(name) = manifest.name() else { continue };
        let alone = ["--package", name, "--no-default-features"].map(str::to_owned).to_vec();
        let features = manifest.table.get("features").and_then(toml::Value::as_table);
        for feature in features.into_iter().flat_map(toml::Table::keys).filter(|it| *it != "default") {
            choices.push([&alone[..], &["--features".to_owned(), format!("{name}/{feature}")]].concat());
        }
        choices.push(alone);
    }
    choices
}

/// Runs `check` for all choices, also after one has failed. The error names those that failed.
pub(super) fn each(choices: &[Vec<String>], mut check: impl FnMut(&[&str]) -> Result<()>) -> Result<()> {
    let mut failed = Vec::new();
    for choice in choices {
        let options: Vec<&str> = choice.iter().map(String::as_str).collect();
        let line = [&CHECK[..], &options[..]].concat();
        match check(&line) {
            Err(Failure::Interrupted(signal)) => return Err(Failure::Interrupted(signal)),
            Err(_) => failed.push(format!("cargo check {}", options.join(" "))),
            Ok(()) => {}
        }
    }
    if failed.is_empty() { Ok(()) } else { Err(Failure::says(format!("do not compile:\n{}", failed.join("\n")))) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manifest(text: &str) -> Manifest {
        Manifest { path: "Cargo.toml".into(), table: text.parse().unwrap() }
    }

    #[test]
    fn a_package_is_checked_without_features_and_with_each_alone() {
        let published = manifest("[package]\nname = 'a'\n[features]\ndefault = ['x']\nx = []\ny = []");
        let private = manifest("[package]\nname = 'b'\npublish = false");
        let choices: Vec<String> = choices(&[published, private]).iter().map(|it| it.join(" ")).collect();
        assert_eq!(
            choices,
            [
                "--package a --no-default-features --features a/x",
                "--package a --no-default-features --features a/y",
                "--package a --no-default-features",
            ]
        );
    }

    #[test]
    fn each_choice_that_fails_is_named() {
        let choices = ["one", "two", "three"].map(|it| vec![it.to_owned()]);
        let failed = each(&choices, |line| match line.last() {
            Some(&"two") => Ok(()),
            _ => Err(Failure::says("no")),
        });
        assert_eq!(failed.unwrap_err().to_string(), "do not compile:\ncargo check one\ncargo check three");
    }
}

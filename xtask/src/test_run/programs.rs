//! The test programs of the workspace, built by cargo in one go, and the other programs that the tests need.

use std::collections::BTreeMap;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::process::Stdio;

use serde::Deserialize;

use crate::failure::{Failure, Result};
use crate::interrupt::Interrupt;
use crate::process::{Polite, Process};
use crate::test_run::runner::GRACE;
use crate::workspace;

/// What cargo has built.
#[derive(Debug, Default)]
pub(crate) struct Built {
    /// The test programs, in the order in which they are to be started.
    pub(super) tests: Vec<TestProgram>,
    /// The ordinary programs by name.
    pub(crate) programs: BTreeMap<String, PathBuf>,
}

/// A test program and what it tests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct TestProgram {
    pub(super) package: String,
    pub(super) target: Target,
    pub(super) executable: PathBuf,
    /// The package's folder, in which it runs.
    pub(super) folder: PathBuf,
}

/// A target of a package, as cargo's options name it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Target {
    Lib,
    /// `--bin`, `--test`, `--example` or `--bench`, and the name.
    Named(&'static str, String),
}

impl TestProgram {
    /// The options with which cargo builds this program alone.
    pub(super) fn options(&self) -> String {
        match &self.target {
            Target::Lib => format!("--package {} --lib", self.package),
            Target::Named(option, name) => format!("--package {} {option} {name}", self.package),
        }
    }

    /// Whether most of its tests need servers, and so wait for them most of their time.
    pub(super) fn needs_servers(&self) -> bool {
        self.package == "integration-tests" && self.target != Target::Lib
    }

    /// A short name for people.
    pub(super) fn title(&self) -> String {
        match &self.target {
            Target::Lib => format!("{} (unit tests)", self.package),
            Target::Named("--test", name) => format!("{}::{name}", self.package),
            Target::Named(option, name) => format!("{} ({} {name})", self.package, option.trim_start_matches('-')),
        }
    }
}

/// Builds what each of the `lines` of arguments chooses; cargo prints its own progress and diagnostics. Blocks for as
/// long as cargo takes.
pub(super) fn build(lines: impl IntoIterator<Item = Vec<String>>, interrupt: &Interrupt) -> Result<Built> {
    let root = workspace::root();
    let mut names = BTreeMap::new();
    for manifest in workspace::manifests(&root)? {
        if let Some(name) = manifest.name() {
            names.insert(root.join(&manifest.path), name.to_owned());
        }
    }
    let mut built = Built::default();
    for arguments in lines {
        read(&messages(&root, &arguments, interrupt)?, &names, &mut built);
    }
    Ok(built)
}

/// What cargo prints to stdout.
fn messages(root: &Path, arguments: &[String], interrupt: &Interrupt) -> Result<String> {
    let line = format!("cargo {}", arguments.join(" "));
    log::info!("{line}");
    let unusable = |error: std::io::Error| Failure::says(format!("cannot keep the output of cargo: {error}"));
    let mut messages = tempfile::tempfile().map_err(unusable)?;
    let mut command = workspace::cargo(root);
    command.args(arguments).stdout(Stdio::from(messages.try_clone().map_err(unusable)?));
    let mut cargo = Process::start(&line, &mut command)?;
    let ended = cargo.wait(interrupt, None);
    if ended.is_err() {
        cargo.stop(Polite::Group, GRACE);
    }
    if let Some(status) = ended? {
        Failure::unless_success(&line, status)?;
    }
    let mut text = String::new();
    messages.seek(SeekFrom::Start(0)).map_err(unusable)?;
    messages.read_to_string(&mut text).map_err(unusable)?;
    Ok(text)
}

#[derive(Deserialize)]
struct Message {
    reason: String,
    manifest_path: Option<PathBuf>,
    target: Option<MessageTarget>,
    profile: Option<MessageProfile>,
    executable: Option<PathBuf>,
}

#[derive(Deserialize)]
struct MessageTarget {
    kind: Vec<String>,
    name: String,
}

#[derive(Deserialize)]
struct MessageProfile {
    test: bool,
}

/// Adds what cargo's messages name. `packages` holds the workspace's packages by the path of their manifest.
fn read(messages: &str, packages: &BTreeMap<PathBuf, String>, built: &mut Built) {
    for message in messages.lines().filter_map(|line| serde_json::from_str::<Message>(line).ok()) {
        let Message { reason, manifest_path: Some(manifest), target: Some(target), profile: Some(profile), executable } =
            message
        else {
            continue;
        };
        let (Some(executable), Some(package)) = (executable, packages.get(&manifest)) else { continue };
        if reason != "compiler-artifact" {
            continue;
        }
        let kind = target.kind.first().map(String::as_str).unwrap_or_default();
        if !profile.test {
            if kind == "bin" {
                built.programs.insert(target.name, executable);
            }
            continue;
        }
        let target = match kind {
            "bin" => Target::Named("--bin", target.name),
            "test" => Target::Named("--test", target.name),
            "example" => Target::Named("--example", target.name),
            "bench" => Target::Named("--bench", target.name),
            _ => Target::Lib,
        };
        let folder = manifest.parent().unwrap_or(Path::new(".")).to_path_buf();
        built.tests.push(TestProgram { package: package.clone(), target, executable, folder });
    }
    // Those that wait for servers take longest and start first. The order is the same in every run.
    built.tests.sort_by_key(|test| (!test.needs_servers(), test.title()));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_are_told_apart_and_those_with_servers_come_first() {
        let messages = r#"{"reason":"compiler-artifact","manifest_path":"/w/a/Cargo.toml","target":{"kind":["lib"],"name":"a"},"profile":{"test":true},"executable":"/w/t/a-1"}
{"reason":"compiler-artifact","manifest_path":"/w/a/Cargo.toml","target":{"kind":["lib"],"name":"a"},"profile":{"test":false},"executable":null}
{"reason":"compiler-artifact","manifest_path":"/elsewhere/Cargo.toml","target":{"kind":["bin"],"name":"x"},"profile":{"test":false},"executable":"/x"}
{"reason":"compiler-artifact","manifest_path":"/w/a/Cargo.toml","target":{"kind":["bin"],"name":"tool"},"profile":{"test":false},"executable":"/w/t/tool"}
not json
{"reason":"compiler-artifact","manifest_path":"/w/tests/Cargo.toml","target":{"kind":["test"],"name":"it"},"profile":{"test":true},"executable":"/w/t/it-1"}
{"reason":"build-finished","success":true}"#;
        let packages = [("/w/a/Cargo.toml", "a"), ("/w/tests/Cargo.toml", "integration-tests")];
        let mut built = Built::default();
        read(messages, &packages.map(|(path, name)| (path.into(), name.to_owned())).into(), &mut built);
        let lines: Vec<String> = built.tests.iter().map(TestProgram::options).collect();
        assert_eq!(lines, ["--package integration-tests --test it", "--package a --lib"]);
        assert_eq!(built.tests[0].folder, Path::new("/w/tests"));
        assert_eq!(built.programs, BTreeMap::from([("tool".to_owned(), PathBuf::from("/w/t/tool"))]));
    }
}

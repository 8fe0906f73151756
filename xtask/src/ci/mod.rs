//! `cargo xtask ci`: everything that has to pass and needs no server.

mod features;
mod rust_version;
mod steps;

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use crate::failure::{Failure, Result};
use crate::interrupt::Interrupt;
use crate::process::run_quietly;
use crate::tidy::{self, IsCommand};
use crate::workspace::{self, Manifest};
use steps::{Steps, cargo};

/// How long cargo may take to tell about the workspace.
const TELL: Duration = Duration::from_secs(60);
const WHOLE: [&str; 2] = ["--workspace", "--all-features"];
/// The fuzz targets are a workspace of their own; without libFuzzer they need nothing but Rust. What both workspaces
/// depend on is built once.
const FUZZ: [&str; 4] = ["--locked", "--manifest-path=fuzz/Cargo.toml", "--target-dir=target", "--no-default-features"];

/// Runs every step, also after one has failed, and says at the end how each went. `is_command` parses our own command
/// line.
pub(crate) fn run(is_command: IsCommand) -> Result<()> {
    let interrupt = &Interrupt::listen()?;
    let root = workspace::root();
    let manifests = workspace::manifests(&root)?;
    let mut steps = Steps::default();
    steps.run("fmt", || cargo(&["fmt", "--all", "--check"], interrupt))?;
    steps.run("fmt fuzz", || cargo(&["fmt", "--manifest-path", "fuzz/Cargo.toml", "--", "--check"], interrupt))?;
    steps.run("tidy", || tidy::run(is_command))?;
    steps.run("rust-version", || rust_versions(&root, &manifests, interrupt))?;
    let strict = ["--all-targets", "--", "-D", "warnings"];
    steps.run("clippy", || cargo(&[&["clippy"], &WHOLE[..], &strict].concat(), interrupt))?;
    steps.run("clippy fuzz", || cargo(&[&["clippy"], &FUZZ[..], &strict].concat(), interrupt))?;
    steps.run("test fuzz", || cargo(&[&["test", "--quiet"], &FUZZ[..]].concat(), interrupt))?;
    steps.run("features", || features::each(&features::choices(&manifests), |line| cargo(line, interrupt)))?;
    steps.run("doc", || cargo(&[&["doc", "--no-deps"], &WHOLE[..]].concat(), interrupt))?;
    steps.run("package", || package(&manifests, interrupt))?;
    if is_installed("cargo-deny") {
        // The advisories need a database from the network: CONTRIBUTING names the command for them.
        steps.run("deny", || cargo(&["deny", "check", "bans", "licenses", "sources"], interrupt))?;
    } else {
        log::warn!("NOT RUN: `cargo deny check bans licenses sources`. cargo-deny is not installed.");
    }
    steps.end()
}

fn rust_versions(root: &Path, manifests: &[Manifest], interrupt: &Interrupt) -> Result<()> {
    let workspace = workspace::read(root, Path::new("Cargo.toml"))?;
    let claimed = workspace.table.get("workspace").and_then(|it| it.get("package")?.get("rust-version")?.as_str());
    let claimed = claimed.ok_or_else(|| Failure::says("Cargo.toml has no workspace.package.rust-version"))?;
    let mut command = workspace::cargo(root);
    command.args(["metadata", "--format-version=1", "--all-features", "--locked", "--quiet"]);
    let (status, text) = run_quietly("cargo metadata", &mut command, TELL, interrupt)?;
    Failure::unless_success("cargo metadata", status)?;
    let metadata = text.lines().rev().find_map(|line| serde_json::from_str(line).ok());
    let metadata = metadata.ok_or_else(|| Failure::says("cargo metadata printed something else than expected"))?;
    rust_version::check(claimed, manifests, &metadata)
}

/// Packs each published package as `cargo publish` would. They are not compiled again: their features have been.
fn package(manifests: &[Manifest], interrupt: &Interrupt) -> Result<()> {
    let mut line = vec!["package", "--quiet", "--no-verify", "--allow-dirty"];
    for name in manifests.iter().filter(|it| it.is_published()).filter_map(Manifest::name) {
        line.extend(["--package", name]);
    }
    cargo(&line, interrupt)
}

/// Whether a program is in PATH.
fn is_installed(program: &str) -> bool {
    Command::new(program).arg("--version").output().is_ok_and(|it| it.status.success())
}

//! A Python environment for the tests beside Python services: `target/python`, made from `tests/interop/requirements.txt`, and
//! made again where that has changed. What runs in it is in `tests/interop`.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::failure::{Failure, Result};
use crate::interrupt::Interrupt;
use crate::process::run_quietly;
use crate::servers::{Wanted, install_packages};
use crate::workspace;

/// The variable in which the tests in `tests/` find the interpreter.
pub(crate) const TEST_PYTHON: &str = "ZC_EVENTS_TEST_PYTHON";

const REQUIREMENTS: &str = "tests/interop/requirements.txt";
/// Holds the requirements that the environment was made from. Written last.
const STAMP: &str = "made-from.txt";
/// What Debian and Ubuntu call what is needed.
const PACKAGES: [&str; 2] = ["python3", "python3-venv"];
const NEEDED: &str = "import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 10))";
/// Those that were compiled for one version of Python, which may have been replaced under the environment.
const COMPILED: &str = "import billiard, ujson";
/// Making it takes about 10 s; downloads may be slow.
const PATIENCE: Duration = Duration::from_secs(300);
const ASK: Duration = Duration::from_secs(30);

/// The interpreter of the environment, which is made first where it is missing.
///
/// Blocks: at most 5 minutes for each of its steps, about 10 s in all. An interrupted or a failed one leaves nothing behind.
pub(crate) fn obtain(wanted: &Wanted, interrupt: &Interrupt) -> Result<PathBuf> {
    let root = workspace::root();
    let requirements = std::fs::read_to_string(root.join(REQUIREMENTS))
        .map_err(|error| Failure::says(format!("{REQUIREMENTS}: {error}")))?;
    let home = root.join("target/python");
    let python = interpreter(&home);
    if is_made_from(&home, &requirements) && says_yes(&python, COMPILED, interrupt)? {
        return Ok(python);
    }
    let base = base(wanted, interrupt)?;
    log::info!("making {} with {REQUIREMENTS}", home.display());
    let started = Instant::now();
    make(&base, &home, &root.join(REQUIREMENTS), &requirements, interrupt)?;
    log::info!("{} is made after {:.1} s", home.display(), started.elapsed().as_secs_f32());
    Ok(python)
}

fn interpreter(home: &Path) -> PathBuf {
    home.join("bin/python")
}

/// Whether it was finished, and from these requirements.
fn is_made_from(home: &Path, requirements: &str) -> bool {
    std::fs::read_to_string(home.join(STAMP)).is_ok_and(|stamp| stamp == requirements)
}

/// A Python that can make environments; installed where that can be done.
fn base(wanted: &Wanted, interrupt: &Interrupt) -> Result<PathBuf> {
    let python = PathBuf::from("python3");
    if says_yes(&python, NEEDED, interrupt)? {
        return Ok(python);
    }
    let refused = if wanted.no_install {
        Failure::says("not installed: --no-install")
    } else {
        match install_packages(&PACKAGES, interrupt) {
            // Debian's own, wherever the PATH leads.
            Ok(()) => {
                let installed = PathBuf::from("/usr/bin/python3");
                if says_yes(&installed, NEEDED, interrupt)? {
                    return Ok(installed);
                }
                Failure::says("installed, and yet not to be used")
            }
            Err(Failure::Interrupted(signal)) => return Err(Failure::Interrupted(signal)),
            Err(refused) => refused,
        }
    };
    Err(missing(&refused))
}

fn missing(why: &Failure) -> Failure {
    Failure::says(format!(
        "no python3 of version 3.10 or later with venv and pip, which the tests beside Python services need ({why}).\n\
         Install it (Debian and Ubuntu: `apt-get install {}`; macOS: `brew install python`), or leave these tests out with \
         `cargo xtask integration --skip-python`.",
        PACKAGES.join(" ")
    ))
}

/// Whether a Python is there and runs `script` to a good end.
fn says_yes(python: &Path, script: &str, interrupt: &Interrupt) -> Result<bool> {
    match run_quietly("python3", Command::new(python).args(["-c", script]), ASK, interrupt) {
        Ok((status, _)) => Ok(status.success()),
        Err(Failure::Interrupted(signal)) => Err(Failure::Interrupted(signal)),
        Err(why) => {
            log::debug!("{}: {why}", python.display());
            Ok(false)
        }
    }
}

/// Makes it beside its place and moves it there when it is whole. Only `bin/python` is used of it: the other programs in `bin`
/// name the place where they were made.
fn make(base: &Path, home: &Path, file: &Path, requirements: &str, interrupt: &Interrupt) -> Result<()> {
    let unusable = |error: std::io::Error| Failure::says(format!("cannot make {}: {error}", home.display()));
    let beside = home.parent().unwrap_or(home);
    std::fs::create_dir_all(beside).map_err(unusable)?;
    let made = TempDir::with_prefix_in("python-", beside).map_err(unusable)?;
    step("python3 -m venv", Command::new(base).args(["-m", "venv"]).arg(made.path()), interrupt)?;
    let mut pip = Command::new(interpreter(made.path()));
    pip.args(["-m", "pip", "install", "--quiet", "--no-input", "--disable-pip-version-check", "--no-deps"]);
    step("pip install", pip.arg("--requirement").arg(file), interrupt)?;
    std::fs::write(made.path().join(STAMP), requirements).map_err(unusable)?;
    if home.exists() {
        std::fs::remove_dir_all(home).map_err(unusable)?;
    }
    std::fs::rename(made.path(), home).map_err(unusable)
}

fn step(name: &str, command: &mut Command, interrupt: &Interrupt) -> Result<()> {
    let (status, said) = run_quietly(name, command, PATIENCE, interrupt)?;
    if status.success() {
        return Ok(());
    }
    Err(Failure::says(format!("{name} failed ({status}):\n{said}")))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    /// A program in place of `python3` that makes an environment of itself.
    fn fake(folder: &Path, script: &str) -> PathBuf {
        let path = folder.join("fake-python");
        let makes = r#"#!/bin/sh
if [ "$2" = venv ]; then mkdir -p "$3/bin"; cp "$0" "$3/bin/python"; exit; fi
"#;
        std::fs::write(&path, format!("{makes}{script}\n")).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        path
    }

    fn names(folder: &Path) -> Vec<String> {
        let mut names: Vec<_> =
            folder.read_dir().unwrap().map(|it| it.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn what_is_made_is_known_by_its_requirements_and_replaces_what_was_there() {
        let folder = tempfile::tempdir().unwrap();
        let (home, file) = (folder.path().join("target/python"), folder.path().join("requirements.txt"));
        std::fs::create_dir_all(home.join("old")).unwrap();
        let base = fake(folder.path(), "exit 0");
        make(&base, &home, &file, "a==1\n", &Interrupt::deaf()).unwrap();
        assert!(is_made_from(&home, "a==1\n") && !is_made_from(&home, "a==2\n"));
        assert!(interpreter(&home).exists() && !home.join("old").exists());
        assert_eq!(names(&folder.path().join("target")), ["python"]);
    }

    #[test]
    fn what_fails_is_told_and_leaves_nothing_behind() {
        let folder = tempfile::tempdir().unwrap();
        let (target, file) = (folder.path().join("target"), folder.path().join("requirements.txt"));
        let base = fake(folder.path(), "echo no such version; exit 3");
        let failed = make(&base, &target.join("python"), &file, "a==1\n", &Interrupt::deaf()).unwrap_err();
        assert!(failed.to_string().contains("pip install failed") && failed.to_string().contains("no such version"));
        assert!(names(&target).is_empty());
    }

    #[test]
    fn what_is_interrupted_leaves_nothing_behind() {
        let folder = tempfile::tempdir().unwrap();
        let (target, file) = (folder.path().join("target"), folder.path().join("requirements.txt"));
        let base = fake(folder.path(), "exec sleep 600");
        let (signal, signals) = crossbeam_channel::bounded(1);
        signal.send(signal_hook::consts::SIGTERM).unwrap();
        let interrupt = Interrupt::from_channel(signals);
        let ended = make(&base, &target.join("python"), &file, "a==1\n", &interrupt);
        assert!(matches!(ended, Err(Failure::Interrupted(_))), "{ended:?}");
        assert!(names(&target).is_empty());
    }

    #[test]
    fn a_missing_python_is_told_with_what_to_do() {
        let absent = Path::new("/nowhere/python3");
        assert!(!says_yes(absent, NEEDED, &Interrupt::deaf()).unwrap());
        let text = missing(&Failure::says("not root")).to_string();
        for part in ["3.10", "not root", "apt-get install python3 python3-venv", "--skip-python"] {
            assert!(text.contains(part), "{part} is missing from:\n{text}");
        }
    }
}

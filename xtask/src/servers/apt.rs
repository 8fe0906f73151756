//! The packages of Debian and Ubuntu, installed where that is allowed, without letting them start system services.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use super::executables;
use crate::failure::{Failure, Result};
use crate::interrupt::Interrupt;
use crate::process::run_quietly;

const PACKAGES: [&str; 2] = ["rabbitmq-server", "redis-server"];
/// Packages ask this program whether they may start their services; 101 is no.
const POLICY: &str = "/usr/sbin/policy-rc.d";
const FORBIDDEN: i32 = 101;
/// Downloads may be slow.
const DOWNLOAD: Duration = Duration::from_secs(600);
/// Unpacking takes about 10 s.
const INSTALL: Duration = Duration::from_secs(300);
const ASK: Duration = Duration::from_secs(10);

/// Installs both servers. Needs root and apt. Blocks: 10 s and more.
pub(super) fn install(interrupt: &Interrupt) -> Result<()> {
    if executables::are_installed() {
        return Err(Failure::says("nothing to install: both servers are here"));
    }
    install_packages(&PACKAGES, interrupt)
}

/// Installs packages that may bring services, none of which is started. Needs root and apt. Blocks: 10 s and more.
pub(crate) fn install_packages(packages: &[&str], interrupt: &Interrupt) -> Result<()> {
    if !Path::new("/etc/debian_version").exists() {
        return Err(Failure::says("not a Debian or Ubuntu"));
    }
    if !is_root(interrupt) {
        return Err(Failure::says(format!("not root; as root: `apt-get install {}`", packages.join(" "))));
    }
    log::info!("installing {} with apt-get (--no-install forbids it)", packages.join(" and "));
    let download = || apt_get(&[&["--download-only", "install"], packages].concat(), DOWNLOAD, interrupt);
    match download() {
        // The lists of a fresh machine are empty, those of an old one name packages that are gone.
        Err(Failure::Says(_)) => apt_get(&["update"], DOWNLOAD, interrupt).and_then(|()| download())?,
        other => other?,
    }
    let policy = NoServices::enforce(Path::new(POLICY), interrupt)?;
    // Not interruptible: a half-installed package is worse than a short wait.
    let installed = apt_get(&[&["install"], packages].concat(), INSTALL, &Interrupt::deaf());
    drop(policy);
    installed?;
    interrupt.check()
}

fn is_root(interrupt: &Interrupt) -> bool {
    run_quietly("id", Command::new("id").arg("-u"), ASK, interrupt).is_ok_and(|(_, user)| user == "0")
}

/// Runs apt-get; its own words are shown where it fails.
fn apt_get(what: &[&str], limit: Duration, interrupt: &Interrupt) -> Result<()> {
    let mut command = Command::new("apt-get");
    command.args(["--yes", "--quiet=2", "--no-install-recommends", "-o", "DPkg::Lock::Timeout=120"]).args(what);
    command.env("DEBIAN_FRONTEND", "noninteractive");
    let (status, said) = run_quietly("apt-get", &mut command, limit, interrupt)?;
    if status.success() { Ok(()) } else { Err(Failure::says(format!("apt-get failed ({status}):\n{said}"))) }
}

/// While it lives, packages may not start services. What was there before is there again afterwards.
struct NoServices {
    path: PathBuf,
    before: Before,
}

enum Before {
    /// A policy that forbids it already: left alone.
    Forbids,
    /// Another policy, which waits under this name.
    Other(PathBuf),
    Nothing,
}

impl NoServices {
    fn enforce(path: &Path, interrupt: &Interrupt) -> Result<Self> {
        let cannot =
            |error: std::io::Error| Failure::says(format!("cannot forbid services in {}: {error}", path.display()));
        let before = if !path.exists() {
            Before::Nothing
        } else if forbids(path, interrupt) {
            return Ok(NoServices { path: path.to_path_buf(), before: Before::Forbids });
        } else {
            let aside = path.with_extension("d.set-aside-by-zc-events");
            std::fs::rename(path, &aside).map_err(cannot)?;
            Before::Other(aside)
        };
        // From here on, whatever happens, `drop` restores.
        let policy = NoServices { path: path.to_path_buf(), before };
        std::fs::write(path, format!("#!/bin/sh\nexit {FORBIDDEN}\n")).map_err(cannot)?;
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        std::fs::set_permissions(path, mode).map_err(cannot)?;
        Ok(policy)
    }
}

fn forbids(path: &Path, interrupt: &Interrupt) -> bool {
    PACKAGES.iter().all(|package| {
        run_quietly("policy-rc.d", Command::new(path).args([package, "start"]), ASK, interrupt)
            .is_ok_and(|(status, _)| status.code() == Some(FORBIDDEN))
    })
}

impl Drop for NoServices {
    fn drop(&mut self) {
        let restored = match &self.before {
            Before::Forbids => Ok(()),
            Before::Other(aside) => std::fs::rename(aside, &self.path),
            Before::Nothing => std::fs::remove_file(&self.path),
        };
        if let Err(error) = restored {
            log::warn!("cannot restore {}: {error}", self.path.display());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn write_policy(path: &Path, text: &str) {
        std::fs::write(path, text).unwrap();
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
    }

    #[test]
    fn services_are_forbidden_for_a_while_where_there_was_no_policy() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("policy-rc.d");
        let policy = NoServices::enforce(&path, &Interrupt::deaf()).unwrap();
        assert!(forbids(&path, &Interrupt::deaf()));
        drop(policy);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_policy_that_allows_services_is_set_aside_and_restored() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("policy-rc.d");
        // It allows one of the two.
        let text = "#!/bin/sh\ntest \"$1\" = redis-server || exit 101\n";
        write_policy(&path, text);
        let policy = NoServices::enforce(&path, &Interrupt::deaf()).unwrap();
        assert!(forbids(&path, &Interrupt::deaf()));
        drop(policy);
        assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_policy_that_forbids_them_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("policy-rc.d");
        let text = "#!/bin/sh\n# mine\nexit 101\n";
        write_policy(&path, text);
        let policy = NoServices::enforce(&path, &Interrupt::deaf()).unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
        drop(policy);
        assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
    }
}

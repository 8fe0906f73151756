//! The programs of a RabbitMQ and a Redis that are installed on this machine.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use crate::failure::{Failure, Result};

/// Where Debian's own scripts are. They come before PATH: the wrapper in /usr/sbin switches to the system's user, home
/// and cookie.
const RABBITMQ_FOLDERS: [&str; 4] =
    ["/usr/lib/rabbitmq/bin", "/opt/homebrew/opt/rabbitmq/sbin", "/usr/local/opt/rabbitmq/sbin", "/opt/rabbitmq/sbin"];
const OTHER_FOLDERS: [&str; 6] =
    ["/usr/bin", "/usr/sbin", "/usr/local/bin", "/usr/local/sbin", "/opt/homebrew/bin", "/usr/lib/erlang/bin"];

/// The programs that are needed.
#[derive(Clone, Debug)]
pub(super) struct Executables {
    pub(super) rabbitmq: PathBuf,
    pub(super) epmd: PathBuf,
    pub(super) redis: PathBuf,
}

impl Executables {
    pub(super) fn find() -> Result<Self> {
        let path: Vec<PathBuf> =
            std::env::var_os("PATH").map(|path| std::env::split_paths(&path).collect()).unwrap_or_default();
        let mut anywhere = path;
        anywhere.extend(OTHER_FOLDERS.map(PathBuf::from));
        Self::find_in(&RABBITMQ_FOLDERS.map(PathBuf::from), &anywhere)
    }

    fn find_in(rabbitmq: &[PathBuf], anywhere: &[PathBuf]) -> Result<Self> {
        let find = |name: &str, folders: &mut dyn Iterator<Item = &PathBuf>| {
            folders.map(|folder| folder.join(name)).find(|path| is_program(path))
        };
        let found = [
            ("rabbitmq-server", find("rabbitmq-server", &mut rabbitmq.iter().chain(anywhere))),
            ("epmd", find("epmd", &mut anywhere.iter())),
            ("redis-server", find("redis-server", &mut anywhere.iter())),
        ];
        let missing: Vec<&str> = found.iter().filter(|(_, path)| path.is_none()).map(|(name, _)| *name).collect();
        match found.map(|(_, path)| path) {
            [Some(rabbitmq), Some(epmd), Some(redis)] => Ok(Executables { rabbitmq, epmd, redis }),
            _ => Err(Failure::says(format!("not found: {}", missing.join(", ")))),
        }
    }
}

pub(super) fn is_program(path: &Path) -> bool {
    path.metadata().is_ok_and(|it| it.is_file() && it.permissions().mode() & 0o111 != 0)
}

/// Whether the programs are on this machine.
pub(super) fn are_installed() -> bool {
    Executables::find().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn program(folder: &Path, name: &str, mode: u32) -> PathBuf {
        let path = folder.join(name);
        std::fs::create_dir_all(folder).unwrap();
        std::fs::write(&path, "#!/bin/sh\n").unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        path
    }

    #[test]
    fn every_missing_program_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let places = [folder.path().to_path_buf()];
        let missing = |_| Executables::find_in(&[], &places).unwrap_err().to_string();
        assert_eq!(missing(()), "not found: rabbitmq-server, epmd, redis-server");
        program(folder.path(), "redis-server", 0o755);
        program(folder.path(), "epmd", 0o644);
        assert_eq!(missing(()), "not found: rabbitmq-server, epmd");
    }

    #[test]
    fn rabbitmqs_own_scripts_come_before_the_path() {
        let folder = tempfile::tempdir().unwrap();
        let (scripts, path) = (folder.path().join("scripts"), folder.path().join("path"));
        for name in ["rabbitmq-server", "epmd", "redis-server"] {
            program(&path, name, 0o755);
        }
        let find =
            || Executables::find_in(std::slice::from_ref(&scripts), std::slice::from_ref(&path)).unwrap().rabbitmq;
        assert_eq!(find(), path.join("rabbitmq-server"));
        let own = program(&scripts, "rabbitmq-server", 0o755);
        assert_eq!(find(), own);
    }
}

//! Blobs as files in a folder: for one machine, or for several that share a file system.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Read, Write};
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use uuid::Uuid;
use zc_events_protocol::{Clock, Deadline, SystemClock};

use crate::store::{check_deadline, check_size};
use crate::{BlobStore, Error, MAX_BYTES, Result, key};

/// A blob store in a folder. A key is the path of its file. The folder is created when it is first needed.
///
/// A blob is written to a temporary file, synced to disk and then renamed, so a reader never sees a part of it. A crash
/// in between leaves a file `.<uuid>.part` behind. Symbolic links below the folder are not followed, so no key leads out of
/// it. Empty folders are not deleted. Unlike in S3, `a/b` cannot be a blob if `a` is one. The content type is not kept.
/// Deadlines are checked before a file is accessed; file system calls are not interrupted.
///
/// ```
/// use std::time::Duration;
/// use zc_events_blobs::{BlobStore, FolderBlobStore};
/// use zc_events_protocol::{Clock, SystemClock};
///
/// # let folder = tempfile::tempdir().unwrap();
/// # let folder = folder.path();
/// let store = FolderBlobStore::new(folder.join("blobs"));
/// let soon = || SystemClock.deadline(Duration::from_secs(5));
/// store.put("2026-11-23/menu.txt", "text/plain", b"Lunch", soon())?;
/// assert_eq!(std::fs::read(folder.join("blobs/2026-11-23/menu.txt")).unwrap(), b"Lunch");
/// // A key cannot lead out of the folder.
/// assert!(store.get("../secrets.txt", soon()).is_err());
/// # Ok::<(), zc_events_blobs::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct FolderBlobStore {
    folder: PathBuf,
    clock: Arc<dyn Clock>,
    max_bytes: usize,
    setting: Option<String>,
}

impl FolderBlobStore {
    /// The store in this folder.
    #[must_use]
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self { folder: folder.into(), clock: Arc::new(SystemClock), max_bytes: MAX_BYTES, setting: None }
    }

    /// Sets the clock that deadlines are measured with; the system clock by default.
    #[must_use]
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// Sets the largest blob that the store accepts or returns, in bytes; [`MAX_BYTES`] by default.
    #[must_use]
    pub fn limit(mut self, bytes: usize) -> Self {
        self.max_bytes = bytes;
        self
    }

    /// Sets the name of the setting that names the folder. Errors mention it.
    #[must_use]
    pub fn setting(mut self, name: impl Into<String>) -> Self {
        self.setting = Some(name.into());
        self
    }

    /// The parts of a key: names of folders, then the name of a file.
    fn parts<'a>(&self, key: &'a str, deadline: Deadline) -> Result<Vec<&'a str>> {
        key::check(key)?;
        check_deadline(&*self.clock, deadline)?;
        let parts: Vec<&str> = key.split('/').collect();
        let is_name = |part: &&str| {
            // On some systems `C:` or a backslash leads out of the folder.
            let mut components = Path::new(*part).components();
            matches!(components.next(), Some(Component::Normal(name)) if name == *part) && components.next().is_none()
        };
        if !parts.iter().all(is_name) {
            return Err(Error::rejected(format!(
                "the blob key {} is not a valid path on this system",
                key::shown(key)
            )));
        }
        Ok(parts)
    }

    /// The path of the blob's file, if the file exists.
    fn find(&self, key: &str, deadline: Deadline) -> Result<Option<PathBuf>> {
        let mut path = self.folder.clone();
        for part in self.parts(key, deadline)? {
            path.push(part);
            match is_link(&path) {
                Ok(false) => {}
                Ok(true) => return Err(self.failed(key, "find", &link_refused())),
                Err(error) if is_absence(&error) => return Ok(None),
                Err(error) => return Err(self.failed(key, "find", &error)),
            }
        }
        Ok(path.is_file().then_some(path))
    }

    /// Creates the folders for a new file.
    fn create_folders(&self, parts: &[&str]) -> io::Result<NewFilePlace> {
        let mut to_sync = create_all(&self.folder)?;
        let mut path = self.folder.clone();
        for part in parts {
            // Another program that created the next folder may not have synced its name yet.
            to_sync.push(path.clone());
            path.push(part);
            match fs::create_dir(&path) {
                Err(error) if error.kind() == ErrorKind::AlreadyExists && is_link(&path)? => return Err(link_refused()),
                Err(error) if error.kind() == ErrorKind::AlreadyExists && path.is_dir() => {}
                Err(error) if error.kind() == ErrorKind::AlreadyExists => return Err(ErrorKind::NotADirectory.into()),
                created => created?,
            }
        }
        to_sync.push(path.clone());
        Ok(NewFilePlace { folder: path, to_sync })
    }

    fn write(&self, parts: &[&str], blob: &[u8]) -> io::Result<()> {
        let Some((name, folders)) = parts.split_last() else { return Err(ErrorKind::InvalidFilename.into()) };
        let NewFilePlace { folder, to_sync } = self.create_folders(folders)?;
        let draft = folder.join(format!(".{}.part", Uuid::new_v4()));
        let written = write_synced(&draft, blob).and_then(|()| fs::rename(&draft, folder.join(name)));
        if written.is_err() {
            // The caller gets the first error; an error of the cleanup would not help.
            let _ = fs::remove_file(&draft);
        }
        written?;
        to_sync.iter().rev().try_for_each(|folder| sync_folder(folder))
    }

    fn failed(&self, key: &str, action: &str, error: &io::Error) -> Error {
        let mut what =
            format!("cannot {action} {} in the blob folder {}: {error}", key::shown(key), self.folder.display());
        if let Some(setting) = &self.setting {
            what = format!("{what} ({setting} names the folder)");
        }
        match error.kind() {
            ErrorKind::PermissionDenied
            | ErrorKind::ReadOnlyFilesystem
            | ErrorKind::NotADirectory
            | ErrorKind::IsADirectory
            | ErrorKind::InvalidInput
            | ErrorKind::InvalidFilename => Error::rejected(what),
            _ => Error::unavailable(what),
        }
    }
}

/// Where a new file goes.
struct NewFilePlace {
    folder: PathBuf,
    /// The folders to sync so that the file survives a crash, outermost first; `folder` is the last.
    to_sync: Vec<PathBuf>,
}

/// Creates a folder and its missing parents. Returns the folders that got a new entry, outermost first.
fn create_all(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let missing: Vec<&Path> =
        folder.ancestors().take_while(|folder| !folder.as_os_str().is_empty() && !folder.exists()).collect();
    fs::create_dir_all(folder)?;
    let parent_of = |folder: &&Path| match folder.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
        _ => PathBuf::from("."),
    };
    Ok(missing.iter().rev().map(parent_of).collect())
}

fn link_refused() -> io::Error {
    io::Error::new(ErrorKind::InvalidInput, "the path contains a symbolic link, which is not followed")
}

fn is_link(path: &Path) -> io::Result<bool> {
    Ok(fs::symlink_metadata(path)?.is_symlink())
}

/// Whether the error means that there is no such file: a folder of its path is missing, or is a file.
fn is_absence(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory)
}

fn write_synced(path: &Path, blob: &[u8]) -> io::Result<()> {
    let mut file = File::create_new(path)?;
    file.write_all(blob)?;
    file.sync_all()
}

/// Syncs the entries of a folder to disk.
#[cfg(unix)]
fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// Other systems cannot open a folder, and do not need it.
#[cfg(not(unix))]
fn sync_folder(_: &Path) -> io::Result<()> {
    Ok(())
}

impl BlobStore for FolderBlobStore {
    fn put(&self, key: &str, _: &str, blob: &[u8], deadline: Deadline) -> Result<()> {
        let parts = self.parts(key, deadline)?;
        check_size(key, blob.len(), self.max_bytes)?;
        self.write(&parts, blob).map_err(|error| self.failed(key, "write", &error))
    }

    fn get(&self, key: &str, deadline: Deadline) -> Result<Option<Vec<u8>>> {
        let Some(path) = self.find(key, deadline)? else { return Ok(None) };
        let failed = |error: io::Error| self.failed(key, "read", &error);
        let file = match File::open(path) {
            Ok(file) => file,
            // Deleted since `find`.
            Err(error) if is_absence(&error) => return Ok(None),
            Err(error) => return Err(failed(error)),
        };
        let size = file.metadata().map_err(failed)?.len();
        check_size(key, usize::try_from(size).unwrap_or(usize::MAX), self.max_bytes)?;
        let mut blob = Vec::new();
        file.take(size).read_to_end(&mut blob).map_err(failed)?;
        Ok(Some(blob))
    }

    fn delete(&self, key: &str, deadline: Deadline) -> Result<()> {
        let Some(path) = self.find(key, deadline)? else { return Ok(()) };
        match fs::remove_file(path) {
            Err(error) if !is_absence(&error) => Err(self.failed(key, "delete", &error)),
            _ => Ok(()),
        }
    }

    fn max_bytes(&self) -> usize {
        self.max_bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conformance;
    use std::time::Duration;

    fn soon() -> Deadline {
        SystemClock.deadline(Duration::from_secs(20))
    }

    #[test]
    fn conforms() {
        let folder = tempfile::tempdir().unwrap();
        conformance::run(&|limit| Arc::new(FolderBlobStore::new(folder.path()).limit(limit)));
        // No temporary file is left.
        let parts = fs::read_dir(folder.path()).unwrap().flatten();
        assert_eq!(parts.filter(|entry| entry.file_name().to_string_lossy().ends_with(".part")).count(), 0);
    }

    #[test]
    fn a_missing_folder_is_created_and_the_error_names_the_setting() {
        let folder = tempfile::tempdir().unwrap();
        let store = FolderBlobStore::new(folder.path().join("a/b"));
        assert_eq!(store.get("k", soon()).unwrap(), None);
        store.put("k", "text/plain", b"v", soon()).unwrap();
        assert_eq!(fs::read(folder.path().join("a/b/k")).unwrap(), b"v");
        let in_a_file = FolderBlobStore::new(folder.path().join("a/b/k/below")).setting("BLOB_FOLDER");
        let error = in_a_file.put("k", "text/plain", b"v", soon()).unwrap_err();
        assert!(error.to_string().contains("(BLOB_FOLDER names the folder)"), "{error}");
    }

    /// Otherwise a crash of the machine may lose a folder together with a blob that was confirmed.
    #[test]
    fn each_new_folder_is_synced_to_disk() {
        let folder = tempfile::tempdir().unwrap();
        let under = |path: &str| folder.path().join(path);
        let store = FolderBlobStore::new(under("a/b"));
        let place = store.create_folders(&["2026-11-23", "1_x"]).unwrap();
        assert_eq!(place.folder, under("a/b/2026-11-23/1_x"));
        let wanted =
            [folder.path().to_owned(), under("a"), under("a/b"), under("a/b/2026-11-23"), under("a/b/2026-11-23/1_x")];
        assert_eq!(place.to_sync, wanted);
        // The folders above the store exist now. Folders below it may have been created by another program.
        assert_eq!(store.create_folders(&["2026-11-23", "1_x"]).unwrap().to_sync, wanted[2..]);
        assert_eq!(store.create_folders(&[]).unwrap().to_sync, wanted[2..3]);
    }

    #[test]
    fn a_file_cannot_be_used_as_a_folder_nor_a_folder_as_a_blob() {
        let folder = tempfile::tempdir().unwrap();
        let store = FolderBlobStore::new(folder.path());
        store.put("a/b", "text/plain", b"v", soon()).unwrap();
        for key in ["a/b/c", "a"] {
            assert_eq!(store.get(key, soon()).unwrap(), None);
            store.delete(key, soon()).unwrap();
            let error = store.put(key, "text/plain", b"w", soon()).unwrap_err();
            assert!(matches!(error, Error::Rejected { .. }), "{error:?}");
        }
        assert_eq!(store.get("a/b", soon()).unwrap().unwrap(), b"v");
        assert_eq!(fs::read_dir(folder.path().join("a")).unwrap().count(), 1, "a draft was left behind");
    }

    #[cfg(unix)]
    #[test]
    fn symbolic_links_are_not_followed() {
        let (folder, outside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        fs::write(outside.path().join("secret"), "hush").unwrap();
        std::os::unix::fs::symlink(outside.path(), folder.path().join("way")).unwrap();
        std::os::unix::fs::symlink(outside.path().join("secret"), folder.path().join("file")).unwrap();
        let store = FolderBlobStore::new(folder.path());
        for key in ["way/secret", "way/new/secret", "file"] {
            assert!(matches!(store.get(key, soon()), Err(Error::Rejected { .. })), "{key}");
            assert!(matches!(store.delete(key, soon()), Err(Error::Rejected { .. })), "{key}");
        }
        for key in ["way/secret", "way/new/secret"] {
            assert!(matches!(store.put(key, "text/plain", b"v", soon()), Err(Error::Rejected { .. })), "{key}");
        }
        // The link is replaced; its target is not changed.
        store.put("file", "text/plain", b"v", soon()).unwrap();
        assert_eq!(fs::read(outside.path().join("secret")).unwrap(), b"hush");
        assert_eq!(fs::read_dir(outside.path()).unwrap().count(), 1);
    }
}

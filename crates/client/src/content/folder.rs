//! Contents as files in a folder: for one machine, or for several that share a file system.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Read, Write};
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use uuid::Uuid;
use zc_events_protocol::{Clock, Deadline, Outcome, SystemClock};

use super::{ContentStore, MAX_BYTES, fits, in_time, key, rejected};
use crate::{Error, Result};

/// Contents as files below a folder, which is made when it is first needed. A key is the path of its file.
///
/// A content is written beside its place, brought to the disk and then renamed, so that nobody reads half of it; a crash
/// meanwhile leaves a file `.<uuid>.part` behind. Symbolic links below the folder are not followed, so no key leads out of
/// it. Folders stay when their last file goes. Where `a` is a content, `a/b` cannot be one, other than in S3; the content
/// type is not kept. Deadlines are looked at before a file is touched: nobody can hurry a disk.
///
/// ```
/// use std::time::Duration;
/// use zc_events::content::{ContentStore, FolderStore};
/// use zc_events::{Clock, SystemClock};
///
/// # let folder = tempfile::tempdir().unwrap();
/// # let folder = folder.path();
/// let store = FolderStore::new(folder.join("contents"));
/// let soon = || SystemClock.deadline(Duration::from_secs(5));
/// store.put("2026-11-23/menu.txt", "text/plain", b"Lunch", soon())?;
/// assert_eq!(std::fs::read(folder.join("contents/2026-11-23/menu.txt")).unwrap(), b"Lunch");
/// // Nothing outside can be reached.
/// assert!(store.get("../secrets.txt", soon()).is_err());
/// # Ok::<(), zc_events::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct FolderStore {
    folder: PathBuf,
    clock: Arc<dyn Clock>,
    max_bytes: usize,
}

impl FolderStore {
    /// The store in this folder.
    #[must_use]
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self { folder: folder.into(), clock: Arc::new(SystemClock), max_bytes: MAX_BYTES }
    }

    /// Takes the time from this clock, by which deadlines pass; the system's unless set.
    #[must_use]
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// Takes and hands out no content of more bytes; [`MAX_BYTES`] unless set.
    #[must_use]
    pub fn limit(mut self, bytes: usize) -> Self {
        self.max_bytes = bytes;
        self
    }

    /// The parts of a key, each the name of a folder, but the last, which is that of a file.
    fn parts<'a>(&self, key: &'a str, deadline: Deadline) -> Result<Vec<&'a str>> {
        key::check(key)?;
        in_time(&*self.clock, deadline)?;
        let parts: Vec<&str> = key.split('/').collect();
        let is_name = |part: &&str| {
            // On some systems `C:` or a backslash lead elsewhere.
            let mut components = Path::new(*part).components();
            matches!(components.next(), Some(Component::Normal(name)) if name == *part) && components.next().is_none()
        };
        if !parts.iter().all(is_name) {
            return Err(rejected(format!("the content key {} is no path on this system", key::shown(key))));
        }
        Ok(parts)
    }

    /// Where the file is, if there is one.
    fn find(&self, key: &str, deadline: Deadline) -> Result<Option<PathBuf>> {
        let mut path = self.folder.clone();
        for part in self.parts(key, deadline)? {
            path.push(part);
            match is_link(&path) {
                Ok(false) => {}
                Ok(true) => return Err(self.failed(key, "looking for", &a_link())),
                Err(error) if is_absence(&error) => return Ok(None),
                Err(error) => return Err(self.failed(key, "looking for", &error)),
            }
        }
        Ok(path.is_file().then_some(path))
    }

    /// Makes the folder for a file that is to be.
    fn make_room(&self, parts: &[&str]) -> io::Result<Room> {
        let mut names = make_all(&self.folder)?;
        let mut path = self.folder.clone();
        for part in parts {
            // Whoever made the next one may not have come to bring its name to the disk.
            names.push(path.clone());
            path.push(part);
            match fs::create_dir(&path) {
                Err(error) if error.kind() == ErrorKind::AlreadyExists && is_link(&path)? => return Err(a_link()),
                Err(error) if error.kind() == ErrorKind::AlreadyExists && path.is_dir() => {}
                Err(error) if error.kind() == ErrorKind::AlreadyExists => return Err(ErrorKind::NotADirectory.into()),
                made => made?,
            }
        }
        names.push(path.clone());
        Ok(Room { folder: path, names })
    }

    fn write(&self, parts: &[&str], content: &[u8]) -> io::Result<()> {
        let Some((name, folders)) = parts.split_last() else { return Err(ErrorKind::InvalidFilename.into()) };
        let Room { folder, names } = self.make_room(folders)?;
        let draft = folder.join(format!(".{}.part", Uuid::new_v4()));
        let written = write_down(&draft, content).and_then(|()| fs::rename(&draft, folder.join(name)));
        if written.is_err() {
            // What failed is told; that its traces stay, too, would not help.
            let _ = fs::remove_file(&draft);
        }
        written?;
        names.iter().rev().try_for_each(|folder| sync_folder(folder))
    }

    fn failed(&self, key: &str, doing: &str, error: &io::Error) -> Error {
        let what = format!(
            "{doing} {} in the content folder {} failed: {error} (EVENTS_CONTENT_URL names the folder)",
            key::shown(key),
            self.folder.display()
        );
        match error.kind() {
            ErrorKind::PermissionDenied
            | ErrorKind::ReadOnlyFilesystem
            | ErrorKind::NotADirectory
            | ErrorKind::IsADirectory
            | ErrorKind::InvalidInput
            | ErrorKind::InvalidFilename => rejected(what),
            _ => Error::Unavailable { what, outcome: Outcome::NotSent, source: None },
        }
    }
}

/// Where a file is to be.
struct Room {
    folder: PathBuf,
    /// The folders whose names are to be on the disk before the file is there to stay: its own among them, last.
    names: Vec<PathBuf>,
}

/// Makes a folder and those that lead to it. Gives those in which one was made, outermost first.
fn make_all(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let missing: Vec<&Path> =
        folder.ancestors().take_while(|folder| !folder.as_os_str().is_empty() && !folder.exists()).collect();
    fs::create_dir_all(folder)?;
    let parent_of = |folder: &&Path| match folder.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
        _ => PathBuf::from("."),
    };
    Ok(missing.iter().rev().map(parent_of).collect())
}

fn a_link() -> io::Error {
    io::Error::new(ErrorKind::InvalidInput, "a symbolic link lies on the way, and none is followed")
}

fn is_link(path: &Path) -> io::Result<bool> {
    Ok(fs::symlink_metadata(path)?.is_symlink())
}

/// Whether nothing can lie there: a folder on the way is missing, or is a file.
fn is_absence(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory)
}

fn write_down(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut file = File::create_new(path)?;
    file.write_all(content)?;
    file.sync_all()
}

/// Brings the names in a folder to the disk.
#[cfg(unix)]
fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// Elsewhere a folder cannot be opened, and its names need no help.
#[cfg(not(unix))]
fn sync_folder(_: &Path) -> io::Result<()> {
    Ok(())
}

impl ContentStore for FolderStore {
    fn put(&self, key: &str, _: &str, content: &[u8], deadline: Deadline) -> Result<()> {
        let parts = self.parts(key, deadline)?;
        fits(key, content.len(), self.max_bytes)?;
        self.write(&parts, content).map_err(|error| self.failed(key, "writing", &error))
    }

    fn get(&self, key: &str, deadline: Deadline) -> Result<Option<Vec<u8>>> {
        let Some(path) = self.find(key, deadline)? else { return Ok(None) };
        let failed = |error: io::Error| self.failed(key, "reading", &error);
        let file = match File::open(path) {
            Ok(file) => file,
            // Deleted since.
            Err(error) if is_absence(&error) => return Ok(None),
            Err(error) => return Err(failed(error)),
        };
        let size = file.metadata().map_err(failed)?.len();
        fits(key, usize::try_from(size).unwrap_or(usize::MAX), self.max_bytes)?;
        let mut content = Vec::new();
        file.take(size).read_to_end(&mut content).map_err(failed)?;
        Ok(Some(content))
    }

    fn delete(&self, key: &str, deadline: Deadline) -> Result<()> {
        let Some(path) = self.find(key, deadline)? else { return Ok(()) };
        match fs::remove_file(path) {
            Err(error) if !is_absence(&error) => Err(self.failed(key, "deleting", &error)),
            _ => Ok(()),
        }
    }

    fn max_bytes(&self) -> usize {
        self.max_bytes
    }
}

#[cfg(test)]
mod tests {
    use super::super::conformance;
    use super::*;
    use std::time::Duration;

    fn soon() -> Deadline {
        SystemClock.deadline(Duration::from_secs(20))
    }

    #[test]
    fn conforms() {
        let folder = tempfile::tempdir().unwrap();
        conformance::run(&|limit| Arc::new(FolderStore::new(folder.path()).limit(limit)));
        // Nothing half-written stays.
        let leftovers = fs::read_dir(folder.path()).unwrap().flatten();
        assert_eq!(leftovers.filter(|entry| entry.file_name().to_string_lossy().ends_with(".part")).count(), 0);
    }

    #[test]
    fn a_folder_that_is_not_there_is_made_and_one_that_cannot_be_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let store = FolderStore::new(folder.path().join("a/b"));
        assert_eq!(store.get("k", soon()).unwrap(), None);
        store.put("k", "text/plain", b"v", soon()).unwrap();
        assert_eq!(fs::read(folder.path().join("a/b/k")).unwrap(), b"v");
        let in_a_file = FolderStore::new(folder.path().join("a/b/k/below"));
        let error = in_a_file.put("k", "text/plain", b"v", soon()).unwrap_err();
        assert!(error.to_string().contains("EVENTS_CONTENT_URL"), "{error}");
        assert_eq!(error.outcome(), Outcome::NotSent);
    }

    /// A crash of the machine may otherwise take a folder away with what was confirmed to be in it.
    #[test]
    fn the_name_of_each_new_folder_is_brought_to_the_disk() {
        let folder = tempfile::tempdir().unwrap();
        let under = |path: &str| folder.path().join(path);
        let store = FolderStore::new(under("a/b"));
        let room = store.make_room(&["2026-11-23", "1_x"]).unwrap();
        assert_eq!(room.folder, under("a/b/2026-11-23/1_x"));
        let wanted =
            [folder.path().to_owned(), under("a"), under("a/b"), under("a/b/2026-11-23"), under("a/b/2026-11-23/1_x")];
        assert_eq!(room.names, wanted);
        // What leads to the store was there this time; what is below may be new to somebody else.
        assert_eq!(store.make_room(&["2026-11-23", "1_x"]).unwrap().names, wanted[2..]);
        assert_eq!(store.make_room(&[]).unwrap().names, wanted[2..3]);
    }

    #[test]
    fn a_file_stands_in_the_way_of_a_folder_and_a_folder_is_no_content() {
        let folder = tempfile::tempdir().unwrap();
        let store = FolderStore::new(folder.path());
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
    fn no_link_leads_out() {
        let (folder, outside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        fs::write(outside.path().join("secret"), "hush").unwrap();
        std::os::unix::fs::symlink(outside.path(), folder.path().join("way")).unwrap();
        std::os::unix::fs::symlink(outside.path().join("secret"), folder.path().join("file")).unwrap();
        let store = FolderStore::new(folder.path());
        for key in ["way/secret", "way/new/secret", "file"] {
            assert!(matches!(store.get(key, soon()), Err(Error::Rejected { .. })), "{key}");
            assert!(matches!(store.delete(key, soon()), Err(Error::Rejected { .. })), "{key}");
        }
        for key in ["way/secret", "way/new/secret"] {
            assert!(matches!(store.put(key, "text/plain", b"v", soon()), Err(Error::Rejected { .. })), "{key}");
        }
        // In its place, not behind it.
        store.put("file", "text/plain", b"v", soon()).unwrap();
        assert_eq!(fs::read(outside.path().join("secret")).unwrap(), b"hush");
        assert_eq!(fs::read_dir(outside.path()).unwrap().count(), 1);
    }
}

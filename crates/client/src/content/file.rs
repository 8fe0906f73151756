//! Reading a file of this machine, whole and no larger than allowed.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::Path;

use crate::{Error, Result};

/// What the file holds.
///
/// # Errors
/// [`Error::Encode`] where it cannot be read, is a folder, a pipe or a device; [`Error::TooLarge`].
pub(crate) fn read(path: &Path, limit: usize) -> Result<Vec<u8>> {
    check(path, limit)?;
    let mut content = Vec::new();
    // It may have grown since.
    let most = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1);
    File::open(path)
        .and_then(|file| file.take(most).read_to_end(&mut content))
        .map_err(|error| unreadable(path, &error))?;
    fits(path, content.len(), limit)?;
    Ok(content)
}

/// Whether [`read`] could read it now.
pub(crate) fn check(path: &Path, limit: usize) -> Result<()> {
    // Opening a pipe would wait for whoever writes to it.
    let found = fs::metadata(path).map_err(|error| unreadable(path, &error))?;
    if !found.is_file() {
        return Err(unreadable(path, &io::Error::other("it is not a file")));
    }
    fits(path, usize::try_from(found.len()).unwrap_or(usize::MAX), limit)
}

/// The name of the file in its folder.
pub(crate) fn name(path: &Path) -> Result<&str> {
    let nameless = || unreadable(path, &io::Error::other("it has no name in UTF-8"));
    path.file_name().and_then(OsStr::to_str).ok_or_else(nameless)
}

fn fits(path: &Path, size: usize, limit: usize) -> Result<()> {
    if size > limit {
        return Err(Error::TooLarge { what: format!("the file {}", path.display()), size, limit });
    }
    Ok(())
}

fn unreadable(path: &Path, error: &io::Error) -> Error {
    Error::Encode { source: format!("the file {} cannot be read: {error}", path.display()).into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_read_up_to_the_limit() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("menu.txt");
        fs::write(&path, "Lunch").unwrap();
        assert_eq!(read(&path, 5).unwrap(), b"Lunch");
        assert_eq!(name(&path).unwrap(), "menu.txt");
        let large = read(&path, 4).unwrap_err();
        assert!(matches!(large, Error::TooLarge { size: 5, limit: 4, .. }), "{large:?}");
    }

    #[test]
    fn what_is_no_file_is_told_with_its_path() {
        let folder = tempfile::tempdir().unwrap();
        for path in [folder.path().join("missing"), folder.path().to_owned()] {
            let error = read(&path, 5).unwrap_err();
            assert!(matches!(error, Error::Encode { .. }), "{error:?}");
            assert!(error.to_string().contains(&path.display().to_string()), "{error}");
        }
        // A device without an end.
        #[cfg(unix)]
        assert!(matches!(read(Path::new("/dev/zero"), 5), Err(Error::Encode { .. })));
        assert!(matches!(name(Path::new("..")), Err(Error::Encode { .. })));
    }
}

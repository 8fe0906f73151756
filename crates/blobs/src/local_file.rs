//! Reading a local file whole, if it is not too large.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::Path;

use crate::{Error, Result};

/// Returns the content of the file.
///
/// # Errors
/// [`Error::UnreadableFile`] if the path cannot be read or is a folder, a pipe or a device; [`Error::TooLarge`].
pub fn read(path: &Path, limit: usize) -> Result<Vec<u8>> {
    check(path, limit)?;
    let mut content = Vec::new();
    // The file may have grown since the check.
    let most = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1);
    File::open(path)
        .and_then(|file| file.take(most).read_to_end(&mut content))
        .map_err(|error| unreadable(path, error))?;
    check_size(path, content.len(), limit)?;
    Ok(content)
}

/// Checks whether [`read`] would succeed now, without reading the file.
///
/// # Errors
/// As for [`read`].
pub fn check(path: &Path, limit: usize) -> Result<()> {
    // Opening a pipe would block until another program writes to it, so the type is checked first.
    let found = fs::metadata(path).map_err(|error| unreadable(path, error))?;
    if !found.is_file() {
        return Err(unreadable(path, io::Error::other("it is not a regular file")));
    }
    check_size(path, usize::try_from(found.len()).unwrap_or(usize::MAX), limit)
}

fn check_size(path: &Path, size: usize, limit: usize) -> Result<()> {
    if size > limit {
        return Err(Error::TooLarge { what: format!("the file {}", path.display()), size, limit });
    }
    Ok(())
}

fn unreadable(path: &Path, source: io::Error) -> Error {
    Error::UnreadableFile { path: path.to_owned(), source }
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
        let large = read(&path, 4).unwrap_err();
        assert!(matches!(large, Error::TooLarge { size: 5, limit: 4, .. }), "{large:?}");
    }

    #[test]
    fn the_error_names_the_path_that_is_not_a_file() {
        let folder = tempfile::tempdir().unwrap();
        for path in [folder.path().join("missing"), folder.path().to_owned()] {
            let error = read(&path, 5).unwrap_err();
            assert!(matches!(error, Error::UnreadableFile { .. }), "{error:?}");
            assert!(error.to_string().contains(&path.display().to_string()), "{error}");
        }
        // A device without an end.
        #[cfg(unix)]
        assert!(matches!(read(Path::new("/dev/zero"), 5), Err(Error::UnreadableFile { .. })));
    }
}

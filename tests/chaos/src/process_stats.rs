//! The threads, descriptors and memory of this process, as the system reports them.

use std::fs;

/// The number of threads.
///
/// # Errors
/// There is no `/proc`.
pub fn threads() -> std::io::Result<usize> {
    Ok(fs::read_dir("/proc/self/task")?.count())
}

/// The number of open descriptors: files, sockets and others.
///
/// # Errors
/// There is no `/proc`.
pub fn descriptors() -> std::io::Result<usize> {
    // Without the descriptor that reads the folder.
    Ok(fs::read_dir("/proc/self/fd")?.count() - 1)
}

/// The number of descriptors that are ends of pipes.
///
/// # Errors
/// There is no `/proc`.
pub fn pipe_ends() -> std::io::Result<usize> {
    let targets = fs::read_dir("/proc/self/fd")?.filter_map(|entry| fs::read_link(entry.ok()?.path()).ok());
    Ok(targets.filter(|target| target.to_string_lossy().starts_with("pipe:")).count())
}

/// The resident memory, in KiB.
///
/// # Errors
/// There is no `/proc`, or it is not as expected.
pub fn resident_kib() -> std::io::Result<u64> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let size = line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok());
    size.ok_or_else(|| std::io::Error::other("/proc/self/status does not say how much memory is in use"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_system_knows_this_process() {
        let (_reader, _writer) = std::io::pipe().unwrap();
        assert!(threads().unwrap() > 0 && resident_kib().unwrap() > 0);
        let pipe_ends = pipe_ends().unwrap();
        assert!(pipe_ends >= 2 && pipe_ends <= descriptors().unwrap());
    }
}

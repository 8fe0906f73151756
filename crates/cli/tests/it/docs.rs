//! The sessions in docs/cli.md that need no server: the command prints what the document shows.

use std::path::Path;

use test_support::console::{self, Shell};

#[test]
fn documented_sessions_without_servers() {
    let document = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/cli.md");
    let binary = Path::new(env!("CARGO_BIN_EXE_zc-events"));
    console::check(&document, false, |heading| {
        // As Linux numbers it, wherever this runs.
        let shell = Shell::new(binary, ()).shown_as("os error 61", "os error 111");
        // Of all others the settings are what they are about.
        if heading.starts_with("When something is wrong") { shell } else { shell.env("STAGING_NAME", "staging") }
    });
}

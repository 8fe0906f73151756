//! The page about migrating from Python. Its generated tables are between two marks.

use std::path::PathBuf;

fn path() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../docs/migrating-from-python.md")
}

pub(crate) fn read() -> String {
    let path = path();
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Holds the page's table of this name to `table`, or writes it there where that is asked for.
pub(crate) fn hold(name: &str, table: &str) {
    let (begin, end) = (format!("<!-- {name}: begin -->\n"), format!("<!-- {name}: end -->\n"));
    let page = read();
    let (before, rest) = page.split_once(&begin).unwrap_or_else(|| panic!("the page has no {begin}"));
    let (there, after) = rest.split_once(&end).unwrap_or_else(|| panic!("the page has no {end}"));
    if there == table {
        return;
    }
    assert!(
        std::env::var_os("UPDATE_DOCS").is_some(),
        "the table of {name} is not that of the tests: UPDATE_DOCS=1 cargo test -p zc-events --test it migrating writes it"
    );
    std::fs::write(path(), [before, &begin, table, &end, after].concat()).unwrap();
}

/// A text as it stands in a cell.
pub(crate) fn cell(text: &str) -> String {
    format!("`{}`", text.split_whitespace().collect::<Vec<_>>().join(" ").replace('|', "\\|"))
}

//! The shell sessions of a document, run: what each command prints is held against what the document shows. Used by the
//! tests of this crate for what needs no server, and by those that have servers for the rest.
//!
//! A block ```` ```console ```` holds commands behind `$ ` and what they print; ```` ```console servers ```` those that need
//! servers; with `background` behind that its command runs until the end of the section (`## `) and is interrupted
//! then. A block with a file's name behind its language (```` ```toml shop.toml ````) is that file. Results are printed
//! as on a terminal. What `masked` names may differ: ids, dates, ports and every quantity with a unit.
//!
//! With `ZC_EVENTS_DOCS=write` the document is given what is printed.

mod document;
mod masked;
mod shell;

use std::path::Path;

use document::{Block, Document};
use masked::masked;
use shell::Background;
pub(crate) use shell::Shell;

/// Runs those sessions of the document that need servers, or those that need none. `shell` gives each section (by its
/// heading) a shell to run in.
///
/// # Panics
/// Where something else is printed than the document shows.
pub(crate) fn check(path: &Path, servers: bool, shell: impl Fn(&str) -> Shell) {
    let mut document = Document::read(path);
    let mut wrong = Vec::new();
    let mut sessions = 0;
    for section in document.sections() {
        let blocks: Vec<Block> = section.blocks.iter().filter(|block| block.is_session(servers)).cloned().collect();
        if blocks.is_empty() {
            continue;
        }
        sessions += blocks.len();
        let mut shell = shell(&section.heading);
        for file in section.blocks.iter().filter(|block| block.file().is_some()) {
            shell.write(file.file().unwrap_or_default(), &file.text());
        }
        let mut running: Vec<(Block, String, Background)> = Vec::new();
        let mut printed: Vec<(Block, String)> = Vec::new();
        for block in blocks {
            if block.is_background() {
                let command = block.commands().remove(0).0;
                let background = shell.start(&command);
                running.push((block, command, background));
                continue;
            }
            let outputs =
                block.commands().into_iter().map(|(command, _)| format!("$ {command}\n{}", shell.run(&command)));
            let text = outputs.collect::<Vec<_>>().concat();
            printed.push((block, text));
        }
        for (block, command, background) in running {
            let (_, shown) = block.commands().remove(0);
            let output = background.end(&shell, shown.lines().count());
            printed.push((block, format!("$ {command}\n{output}")));
        }
        for (block, text) in printed {
            if masked(&block.text()) != masked(&text) {
                wrong.push(format!(
                    "{}:{}: the document shows\n{}\nand what is printed is\n{text}",
                    path.display(),
                    block.line,
                    block.text()
                ));
                document.replace(&block, &text);
            }
        }
    }
    assert!(sessions > 0, "{} shows nothing to try", path.display());
    if std::env::var("ZC_EVENTS_DOCS").is_ok_and(|it| it == "write") {
        document.write();
    } else {
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }
}

//! Runs the shell sessions of a document and compares the output of each command with the document.
//!
//! A block ```` ```console ```` holds commands, each behind `$ `, and their output. A block ```` ```console servers ````
//! holds commands that need servers. With the word `background` after that, the command of the block runs until the end of
//! the section (`## `) and is then interrupted. A block with a file name after its language (```` ```toml shop.toml ````)
//! is that file. Results are printed as on a terminal. Whatever `masked` masks may differ from the document: ids, dates,
//! ports and every quantity with a unit.
//!
//! With `ZC_EVENTS_DOCS=write` in the environment, `check` writes the output into the document.

mod document;
mod masked;
mod shell;

use std::path::Path;

use document::{Block, Document};
use masked::masked;
use shell::Background;
pub use shell::Shell;

/// Runs the sessions of the document: with `servers` those that need servers, otherwise those that need none. `shell`
/// makes the shell for the section with this heading.
///
/// # Panics
/// If the output of a command differs from the document.
pub fn check(path: &Path, servers: bool, shell: impl Fn(&str) -> Shell) {
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

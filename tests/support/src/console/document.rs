//! A document, its sections, and the fenced blocks in them.

use std::path::{Path, PathBuf};

pub(super) struct Document {
    path: PathBuf,
    text: String,
}

/// What is between two headings.
pub(super) struct Section {
    pub(super) heading: String,
    pub(super) blocks: Vec<Block>,
}

/// A fenced block.
#[derive(Clone)]
pub(super) struct Block {
    /// What stands behind the fence.
    info: Vec<String>,
    /// The number of its first line, from 1 on.
    pub(super) line: usize,
    lines: Vec<String>,
}

impl Document {
    pub(super) fn read(path: &Path) -> Self {
        let text = std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        Self { path: path.to_owned(), text }
    }

    pub(super) fn sections(&self) -> Vec<Section> {
        let mut sections = vec![Section { heading: String::new(), blocks: Vec::new() }];
        let mut open: Option<Block> = None;
        for (index, line) in self.text.lines().enumerate() {
            match (&mut open, line.strip_prefix("```")) {
                (Some(_), Some(_)) => {
                    let block = open.take();
                    sections.last_mut().unwrap().blocks.extend(block);
                }
                (None, Some(info)) => {
                    let info = info.split_whitespace().map(str::to_owned).collect();
                    open = Some(Block { info, line: index + 2, lines: Vec::new() });
                }
                (Some(block), None) => block.lines.push(line.to_owned()),
                (None, None) => {
                    if let Some(heading) = line.strip_prefix("## ") {
                        sections.push(Section { heading: heading.to_owned(), blocks: Vec::new() });
                    }
                }
            }
        }
        assert!(open.is_none(), "{}: a block does not end", self.path.display());
        sections
    }

    /// Gives a block another text. Those that were read before stay where they are: only lines within it change, and the
    /// document is written once.
    pub(super) fn replace(&mut self, block: &Block, text: &str) {
        let old = format!("```{}\n{}```", block.info.join(" "), block.text());
        let new = format!("```{}\n{text}```", block.info.join(" "));
        assert!(self.text.contains(&old), "{}: no such block any more", self.path.display());
        self.text = self.text.replacen(&old, &new, 1);
    }

    pub(super) fn write(&self) {
        std::fs::write(&self.path, &self.text).unwrap();
    }
}

impl Block {
    fn has(&self, index: usize, word: &str) -> bool {
        self.info.get(index).is_some_and(|it| it == word)
    }

    /// Whether it is a session that needs servers, or one that needs none.
    pub(super) fn is_session(&self, servers: bool) -> bool {
        self.has(0, "console") && self.has(1, "servers") == servers
    }

    pub(super) fn is_background(&self) -> bool {
        self.has(2, "background")
    }

    /// The file that it is.
    pub(super) fn file(&self) -> Option<&str> {
        if self.has(0, "console") { None } else { self.info.get(1).map(String::as_str) }
    }

    pub(super) fn text(&self) -> String {
        self.lines.iter().map(|line| format!("{line}\n")).collect()
    }

    /// Its commands, and what each prints. A command goes on behind a backslash.
    pub(super) fn commands(&self) -> Vec<(String, String)> {
        let mut commands: Vec<(String, String)> = Vec::new();
        for line in &self.lines {
            match (line.strip_prefix("$ "), commands.last_mut()) {
                (Some(command), _) => commands.push((command.to_owned(), String::new())),
                (None, Some((command, output))) if output.is_empty() && command.ends_with('\\') => {
                    command.push('\n');
                    command.push_str(line);
                }
                (None, Some((_, output))) => {
                    output.push_str(line);
                    output.push('\n');
                }
                (None, None) => panic!("line {}: a session begins with a command", self.line),
            }
        }
        assert!(!commands.is_empty(), "line {}: a session without a command", self.line);
        commands
    }
}

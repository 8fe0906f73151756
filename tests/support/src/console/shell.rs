//! A shell to run commands in: a folder of its own, an environment of its own, and `zc-events` in its path.

use std::io::{PipeReader, Read as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use regex::Regex;
use tempfile::TempDir;

/// How long a command may take.
const PATIENCE: Duration = Duration::from_secs(60);
/// How long one that runs beside others may take for its last lines.
const LINES: Duration = Duration::from_secs(10);

/// A shell of a document's section.
pub struct Shell {
    folder: TempDir,
    env: Vec<(String, String)>,
    shown_as: Vec<(String, String)>,
    code: i32,
    _fixture: Box<dyn std::any::Any>,
}

impl Shell {
    /// A shell with this `zc-events`. `fixture` lives as long as the shell. The commands see no variable of the tests'
    /// environment but `PATH`.
    ///
    /// # Panics
    /// If its folder cannot be made.
    #[must_use]
    pub fn new(binary: &Path, fixture: impl std::any::Any) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let bin = folder.path().join("bin");
        std::fs::create_dir(&bin).unwrap();
        std::fs::create_dir(folder.path().join("work")).unwrap();
        let program = bin.join("zc-events");
        // As on a terminal, unless something else is asked for.
        let script = format!(
            "#!/bin/sh\ncase \" $* \" in *' --output '*) exec '{0}' \"$@\" ;; *) exec '{0}' --output pretty \"$@\" ;; esac\n",
            binary.display()
        );
        std::fs::write(&program, script).unwrap();
        std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
        let path = format!("{}:{}", bin.display(), std::env::var("PATH").unwrap_or_default());
        let env = vec![("PATH".to_owned(), path)];
        Self { folder, env, shown_as: Vec::new(), code: 0, _fixture: Box::new(fixture) }
    }

    /// Sets an environment variable of the commands.
    #[must_use]
    pub fn env(mut self, name: &str, value: impl Into<String>) -> Self {
        self.env.push((name.to_owned(), value.into()));
        self
    }

    /// Where a command prints `actual`, the document shows `shown`.
    #[must_use]
    pub fn shown_as(mut self, actual: impl Into<String>, shown: &str) -> Self {
        self.shown_as.push((actual.into(), shown.to_owned()));
        self
    }

    /// Writes a file into the folder in which the commands run.
    ///
    /// # Panics
    /// If it cannot be written.
    pub fn write(&self, name: &str, text: &str) {
        std::fs::write(self.folder.path().join("work").join(name), text).unwrap();
    }

    /// Runs a command and returns its output.
    ///
    /// # Panics
    /// If the command takes longer than a minute.
    pub fn run(&mut self, command: &str) -> String {
        if command == "echo $?" {
            return format!("{}\n", self.code);
        }
        let (mut child, output) = self.spawn(command);
        let begun = Instant::now();
        let status = loop {
            if let Some(status) = child.try_wait().unwrap() {
                break status;
            }
            if begun.elapsed() > PATIENCE {
                child.kill().unwrap();
                child.wait().unwrap();
                panic!("`{command}` did not end in {PATIENCE:?}; it printed\n{}", output.end());
            }
            std::thread::yield_now();
        };
        self.code = status.code().unwrap_or(-1);
        self.as_shown(output.end())
    }

    /// Starts a command in the background and returns when it has printed its first line.
    ///
    /// # Panics
    /// If the command ends, or prints nothing for a minute.
    #[must_use]
    pub fn start(&self, command: &str) -> Background {
        let (mut child, output) = self.spawn(&format!("exec {command}"));
        let begun = Instant::now();
        while !output.seen().contains('\n') {
            assert!(child.try_wait().unwrap().is_none(), "`{command}` has ended: {}", output.end());
            assert!(begun.elapsed() < PATIENCE, "`{command}` says nothing");
            std::thread::yield_now();
        }
        Background { child, output }
    }

    fn spawn(&self, command: &str) -> (Child, Output) {
        let (reader, writer) = std::io::pipe().unwrap();
        let mut shell = Command::new("sh");
        shell.args(["-c", command]).env_clear().envs(self.env.iter().cloned());
        shell.current_dir(self.folder.path().join("work")).stdin(Stdio::null());
        shell.stdout(writer.try_clone().unwrap()).stderr(writer);
        (shell.spawn().unwrap(), Output::read(reader))
    }

    fn as_shown(&self, mut text: String) -> String {
        for (actual, shown) in &self.shown_as {
            text = text.replace(actual, shown);
        }
        text
    }
}

/// A command that runs in the background.
pub struct Background {
    child: Child,
    output: Output,
}

impl Background {
    /// Interrupts the command once it has printed `lines` lines, and returns its output. If it prints fewer, the output
    /// is shorter.
    ///
    /// # Panics
    /// If the command does not end within a minute.
    #[must_use]
    pub fn end(mut self, shell: &Shell, lines: usize) -> String {
        let begun = Instant::now();
        while self.output.seen().lines().count() < lines && begun.elapsed() < LINES {
            std::thread::yield_now();
        }
        let interrupt = format!("kill -INT {}", self.child.id());
        // It may have ended by itself.
        let _ = Command::new("sh").args(["-c", &interrupt]).stderr(Stdio::null()).status();
        let begun = Instant::now();
        while self.child.try_wait().unwrap().is_none() {
            assert!(begun.elapsed() < PATIENCE, "it does not end; it printed\n{}", self.output.seen());
            std::thread::yield_now();
        }
        shell.as_shown(self.output.end())
    }
}

/// What a command prints, to stdout and stderr alike, as on a terminal.
struct Output {
    text: Arc<Mutex<Vec<u8>>>,
    reader: JoinHandle<()>,
}

impl Output {
    fn read(mut pipe: PipeReader) -> Self {
        let text: Arc<Mutex<Vec<u8>>> = Arc::default();
        let read = Arc::clone(&text);
        let reader = std::thread::spawn(move || {
            let mut part = [0; 4096];
            while let Ok(length @ 1..) = pipe.read(&mut part) {
                read.lock().unwrap().extend_from_slice(&part[..length]);
            }
        });
        Self { text, reader }
    }

    fn seen(&self) -> String {
        String::from_utf8_lossy(&self.text.lock().unwrap()).into_owned()
    }

    /// All of it, once nobody writes any more.
    fn end(self) -> String {
        self.reader.join().unwrap();
        String::from_utf8(self.text.lock().unwrap().clone()).unwrap()
    }
}

/// A text without what differs from run to run.
pub(super) fn alike(text: &str) -> String {
    let varying = [
        (r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "<id>"),
        (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", "<time>"),
        (r"\d\d:\d\d:\d\d\.\d{3}", "<clock>"),
        (r"in \d+\.\d+ s \(\d+/s\)", "in <time>"),
        // Measurements: rates, durations, and a histogram with as many bars as it takes.
        (r"\d+(\.\d+)?/s", "<rate>"),
        (r"\d+(\.\d+)? ms", "<ms>"),
        (r#"(_ms|seconds|per_second)":\d+(\.\d+)?"#, "$1:<number>"),
        (r"( +<= .* #* *\d+\n)+", " <bars>\n"),
        (r"bench-[0-9a-f]{12}", "bench-<some>"),
        (r"(RabbitMQ|Redis) \d+(\.\d+)+", "$1 <version>"),
        // What each version of RabbitMQ counts in its own way.
        (r#" *"x-(delivery|acquired)-count": \d+,?\n"#, ""),
        (r#""x-zc-time": \d+"#, "<seconds>"),
        // Columns are as wide as the widest of what is in them.
        (r" +", " "),
    ];
    let replace = |text: String, (pattern, with): &(&str, &str)| {
        Regex::new(pattern).unwrap().replace_all(&text, *with).into_owned()
    };
    varying.iter().fold(text.to_owned(), replace)
}

//! `cargo xtask fuzz`: runs the targets of `fuzz/` one after another, each for some time. What a target checks is said
//! there. Everything that comes of it lies below the target folder: seeds, corpus, findings, logs.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use crate::failure::{Failure, Result};
use crate::interrupt::Interrupt;
use crate::process::{self, Polite, Process};
use crate::workspace;

/// For building. The first time takes minutes.
const PATIENCE: Duration = Duration::from_secs(1800);
/// What one input may take: bytes, memory in megabytes, seconds.
const LIMITS: [&str; 4] = ["-max_len=4096", "-rss_limit_mb=2048", "-malloc_limit_mb=512", "-timeout=20"];

/// Options of `cargo xtask fuzz`.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// How long each target runs
    #[arg(long, default_value_t = 60, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    seconds: u32,
    /// Run this one only (may be given several times)
    #[arg(long = "target", value_name = "NAME")]
    targets: Vec<String>,
}

/// Runs the targets; an error if any of them found something.
pub(crate) fn run(options: &Options) -> Result<()> {
    let interrupt = Interrupt::listen()?;
    let root = workspace::root();
    let known = targets(&root)?;
    if let Some(stranger) = options.targets.iter().find(|name| !known.contains(name)) {
        return Err(Failure::says(format!("there is no target {stranger}; there are {}", known.join(", "))));
    }
    let chosen = if options.targets.is_empty() { &known } else { &options.targets };
    let fuzz = Fuzz { folder: target_folder(&root).join("fuzz"), root };
    fuzz.is_installed(&interrupt)?;
    fuzz.write_seeds(&interrupt)?;
    let sanitizer = fuzz.build(&interrupt)?;
    let mut reports = Vec::new();
    for target in chosen {
        println!("== {target}, {} s (sanitizer {sanitizer})", options.seconds);
        let report = fuzz.run(target, sanitizer, options.seconds, &interrupt)?;
        println!("{report}");
        reports.push(report);
    }
    println!();
    let found: Vec<&Report> = reports.iter().filter(|report| report.finding.is_some()).collect();
    for report in &found {
        println!("{}", fuzz.advice(report, sanitizer));
    }
    match found.len() {
        0 => {
            println!("fuzz: {} targets, nothing found", reports.len());
            Ok(())
        }
        count => Err(Failure::says(format!("fuzz: {count} of {} targets found something", reports.len()))),
    }
}

/// The names that `fuzz/Cargo.toml` gives to its programs.
fn targets(root: &Path) -> Result<Vec<String>> {
    let manifest = workspace::read(root, Path::new("fuzz/Cargo.toml"))?;
    let programs = manifest.table.get("bin").and_then(toml::Value::as_array).cloned().unwrap_or_default();
    Ok(programs.iter().filter_map(|it| Some(it.get("name")?.as_str()?.to_owned())).collect())
}

fn target_folder(root: &Path) -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), |folder| root.join(folder))
}

struct Fuzz {
    root: PathBuf,
    folder: PathBuf,
}

impl Fuzz {
    /// `cargo`, with what only nightly has otherwise: the instrumentation that libFuzzer goes by.
    fn cargo(&self) -> Command {
        let mut command = workspace::cargo(&self.root);
        command.env("RUSTC_BOOTSTRAP", "1");
        command
    }

    fn is_installed(&self, interrupt: &Interrupt) -> Result<()> {
        let mut command = self.cargo();
        command.args(["fuzz", "--version"]);
        match process::run_quietly("cargo fuzz --version", &mut command, Duration::from_secs(60), interrupt)? {
            (status, _) if status.success() => Ok(()),
            _ => Err(Failure::says("cargo-fuzz is missing. To install it: cargo install cargo-fuzz --locked")),
        }
    }

    fn write_seeds(&self, interrupt: &Interrupt) -> Result<()> {
        let mut command = workspace::cargo(&self.root);
        command.args(["run", "--quiet", "--locked", "--manifest-path", "fuzz/Cargo.toml", "--no-default-features"]);
        command.args(["--example", "seeds", "--target-dir"]).arg(self.folder.join("plain"));
        command.arg("--").arg(self.folder.join("seeds"));
        let (status, said) = process::run_quietly("the making of seeds", &mut command, PATIENCE, interrupt)?;
        println!("{said}");
        Failure::unless_success("the making of seeds", status)
    }

    /// Builds all targets; with the address sanitizer if that can be had. Gives the sanitizer's name.
    fn build(&self, interrupt: &Interrupt) -> Result<&'static str> {
        let mut said = String::new();
        for sanitizer in ["address", "none"] {
            let mut command = self.cargo();
            command.args(["fuzz", "build", "--sanitizer", sanitizer, "--target-dir"]).arg(self.folder.join("build"));
            let (status, text) = process::run_quietly("cargo fuzz build", &mut command, PATIENCE, interrupt)?;
            if status.success() {
                return Ok(sanitizer);
            }
            println!("cannot build with the sanitizer {sanitizer}:\n{text}");
            said = text;
        }
        Err(Failure::says(format!("cannot build the targets (libFuzzer needs a C++ compiler):\n{said}")))
    }

    fn run(&self, target: &str, sanitizer: &str, seconds: u32, interrupt: &Interrupt) -> Result<Report> {
        let make = |name: &str| {
            let folder = self.folder.join(name).join(target);
            fs::create_dir_all(&folder)
                .map(|()| folder.clone())
                .map_err(|error| Failure::says(format!("cannot make {}: {error}", folder.display())))
        };
        let (corpus, seeds, findings) = (make("corpus")?, make("seeds")?, make("findings")?);
        let log = self.folder.join(format!("{target}.log"));
        let cannot = |error: std::io::Error| Failure::says(format!("cannot write {}: {error}", log.display()));
        let output = fs::File::create(&log).map_err(cannot)?;

        let mut command = self.cargo();
        command.args(["fuzz", "run", target, "--sanitizer", sanitizer, "--target-dir"]).arg(self.folder.join("build"));
        command.args([&corpus, &seeds]).arg("--").args(LIMITS).arg("-print_final_stats=1");
        command.arg(format!("-max_total_time={seconds}"));
        command.arg(format!("-dict={}", self.root.join("fuzz/dictionary").display()));
        command.arg(format!("-artifact_prefix={}/", findings.display()));
        command.stdout(output.try_clone().map_err(cannot)?).stderr(output);
        let mut process = Process::start("cargo fuzz run", &mut command)?;
        let ended = process.wait(interrupt, Some(Instant::now() + PATIENCE + Duration::from_secs(seconds.into())));
        if !matches!(ended, Ok(Some(_))) {
            process.stop(Polite::Group, Duration::from_secs(5));
        }
        let text = fs::read_to_string(&log).map_err(cannot)?;
        let mut report = Report::read(target, &text);
        match ended? {
            Some(status) if status.success() => Ok(report),
            Some(_) if report.finding.is_some() => {
                report.words = process::last_lines(&text, 60);
                Ok(report)
            }
            _ => Err(Failure::says(format!("{target} did not run:\n{}", process::last_lines(&text, 15)))),
        }
    }

    /// What to do about a finding.
    fn advice(&self, report: &Report, sanitizer: &str) -> String {
        let Report { target, finding, words, .. } = report;
        format!(
            "{words}\n\n{target} found something: {finding}\nAgain: RUSTC_BOOTSTRAP=1 cargo fuzz run {target} --sanitizer {sanitizer} --target-dir {} {finding}\n",
            self.folder.join("build").display(),
            finding = finding.as_deref().unwrap_or_default(),
        )
    }
}

/// What libFuzzer says of a run.
#[derive(Debug, Default, PartialEq)]
struct Report {
    target: String,
    executions: u64,
    /// Edges of the program that were reached.
    coverage: u64,
    /// Those, and how often, and what was compared.
    features: u64,
    /// Inputs that are kept.
    corpus: u64,
    /// The input that broke a promise.
    finding: Option<String>,
    /// The end of what was printed with it.
    words: String,
}

impl Report {
    fn read(target: &str, text: &str) -> Self {
        let mut report = Report { target: target.to_owned(), ..Report::default() };
        let number = |text: &str| text.chars().take_while(char::is_ascii_digit).collect::<String>().parse().ok();
        for line in text.lines() {
            // `#8192 pulse cov: 301 ft: 802 corp: 60/4Kb ...`
            if let Some(behind) = line.strip_prefix('#') {
                let words: Vec<&str> = line.split_whitespace().collect();
                let after = |name: &str| {
                    let at = words.iter().position(|word| *word == name)?;
                    words.get(at + 1).and_then(|word| number(word))
                };
                report.coverage = after("cov:").unwrap_or(report.coverage);
                report.features = after("ft:").unwrap_or(report.features);
                report.corpus = after("corp:").unwrap_or(report.corpus);
                report.executions = number(behind).unwrap_or(report.executions);
            }
            if let Some(count) = line.strip_prefix("stat::number_of_executed_units:") {
                report.executions = number(count.trim()).unwrap_or(report.executions);
            }
            if let Some((_, path)) = line.split_once("Test unit written to ") {
                report.finding = Some(path.trim().to_owned());
            }
        }
        report
    }
}

impl std::fmt::Display for Report {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Report { target, executions, coverage, features, corpus, finding, .. } = self;
        let found = if finding.is_some() { "1 finding" } else { "0 findings" };
        write!(
            f,
            "{target:10} {executions:>10} executions  {coverage:>6} edges  {features:>6} features  {corpus:>5} inputs kept  {found}"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_figures_count_and_a_finding_is_named() {
        let text = "INFO: seed corpus: files: 3\n#4\tINITED cov: 300 ft: 800 corp: 59/4Kb exec/s: 0 rss: 50Mb\n\
                    #8192\tpulse  cov: 301 ft: 802 corp: 60/4Kb lim: 4096 exec/s: 2 rss: 50Mb\n\
                    artifact_prefix='x/'; Test unit written to x/crash-1\n";
        let report = Report::read("url", text);
        assert_eq!((report.executions, report.coverage, report.features, report.corpus), (8192, 301, 802, 60));
        assert_eq!(report.finding.as_deref(), Some("x/crash-1"));
        assert!(report.to_string().contains("1 finding"));
        let report =
            Report::read("url", "#8192\tDONE   cov: 1 ft: 2 corp: 3/4Kb\nstat::number_of_executed_units: 9000\n");
        assert_eq!((report.executions, report.finding), (9000, None));
    }

    #[test]
    fn the_targets_are_those_of_the_manifest() {
        let names = targets(&workspace::root()).unwrap();
        assert!(names.contains(&"envelope".to_owned()) && names.len() >= 5, "{names:?}");
    }
}

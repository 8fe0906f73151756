//! Runs test programs, several at a time, each to its end whatever the others do.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::io::{PipeReader, Read, Write};
use std::path::PathBuf;
use std::process::{Command, ExitStatus};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use crate::failure::{Failure, Result};
use crate::interrupt::Interrupt;
use crate::process::{Polite, Process};
use crate::test_run::output::{self, Counted};

/// How long a program may take to end after a SIGTERM.
pub(crate) const GRACE: Duration = Duration::from_secs(5);
/// How long the output of a program may stay open after its end.
const REST: Duration = Duration::from_secs(2);
const POLL: Duration = Duration::from_millis(20);

/// A program to run.
#[derive(Clone, Debug)]
pub(super) struct Job {
    /// For people.
    pub(super) title: String,
    pub(super) program: PathBuf,
    pub(super) arguments: Vec<String>,
    pub(super) folder: PathBuf,
    pub(super) environment: Vec<(String, OsString)>,
}

/// How jobs are run.
#[derive(Clone, Copy, Debug)]
pub(super) struct Manner {
    /// How many run at once.
    pub(super) at_once: usize,
    /// The longest that one may take.
    pub(super) limit: Duration,
    /// Whether output is shown as it comes, and not only that of a job that failed.
    pub(super) show: bool,
}

/// How a job ended.
#[derive(Debug)]
pub(super) struct Ended {
    /// The position of the job among those that were run.
    pub(super) job: usize,
    pub(super) counted: Counted,
    /// What went wrong with the program itself, beside its tests.
    pub(super) why: Option<String>,
    pub(super) took: Duration,
}

impl Ended {
    pub(super) fn is_good(&self) -> bool {
        self.why.is_none() && self.counted.failed == 0
    }
}

struct Running {
    job: usize,
    process: Process,
    output: Receiver<Vec<u8>>,
    begun: Instant,
}

/// Runs all jobs, in their order. An error only where a signal arrives or a program cannot be started: what runs is
/// stopped then.
pub(super) fn run(jobs: &[Job], manner: Manner, interrupt: &Interrupt) -> Result<Vec<Ended>> {
    let mut waiting: VecDeque<usize> = (0..jobs.len()).collect();
    let mut running: Vec<Running> = Vec::new();
    let mut ended = Vec::new();
    loop {
        while running.len() < manner.at_once.max(1)
            && let Some(job) = waiting.pop_front()
        {
            running.push(start(job, &jobs[job], manner)?);
        }
        if running.is_empty() {
            return Ok(ended);
        }
        let mut index = 0;
        while index < running.len() {
            let it = &mut running[index];
            let is_late = it.begun.elapsed() > manner.limit;
            match it.process.ended() {
                None if !is_late => index += 1,
                status => {
                    let it = running.swap_remove(index);
                    let end = end(it, status, manner);
                    report(&jobs[end.0.job], &end.0, &end.1, manner);
                    ended.push(end.0);
                }
            }
        }
        if let Err(stopped) = interrupt.pause(POLL) {
            log::info!("stopping the tests");
            for it in &mut running {
                it.process.stop(Polite::Group, GRACE);
            }
            return Err(stopped);
        }
    }
}

fn start(index: usize, job: &Job, manner: Manner) -> Result<Running> {
    let unusable = |error: std::io::Error| Failure::says(format!("cannot read the output of {}: {error}", job.title));
    let (reader, writer) = std::io::pipe().map_err(unusable)?;
    let mut command = Command::new(&job.program);
    command.args(&job.arguments).current_dir(&job.folder).envs(job.environment.iter().cloned());
    command.stdout(writer.try_clone().map_err(unusable)?).stderr(writer);
    let process = Process::start(&job.title, &mut command)?;
    // It holds the pipe's other end.
    drop(command);
    Ok(Running { job: index, process, output: read(reader, manner.show), begun: Instant::now() })
}

fn read(mut pipe: PipeReader, show: bool) -> Receiver<Vec<u8>> {
    let (sender, output) = channel();
    std::thread::spawn(move || {
        let mut part = [0; 16 * 1024];
        while let Ok(length @ 1..) = pipe.read(&mut part) {
            if show {
                let mut stdout = std::io::stdout().lock();
                drop(stdout.write_all(&part[..length]).and_then(|()| stdout.flush()));
            }
            if sender.send(part[..length].to_vec()).is_err() {
                return;
            }
        }
    });
    output
}

fn end(mut it: Running, status: Option<ExitStatus>, manner: Manner) -> (Ended, String) {
    let took = it.begun.elapsed();
    // Its own children go with it.
    it.process.kill();
    let mut bytes = Vec::new();
    let deadline = Instant::now() + REST;
    // Until every writer has closed it.
    while let Ok(part) = it.output.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
        bytes.extend(part);
    }
    let text = String::from_utf8_lossy(&bytes).into_owned();
    let counted = output::read(&text);
    let why = match status {
        None => Some(format!("did not end within {} s{}", manner.limit.as_secs(), still(&counted))),
        Some(status) if status.success() && !counted.is_complete => Some("ended before its tests had ended".to_owned()),
        Some(status) if !status.success() && (!counted.is_complete || counted.failed == 0) => {
            Some(format!("ended with {status}{}", still(&counted)))
        }
        Some(_) => None,
    };
    (Ended { job: it.job, counted, why, took }, text)
}

fn still(counted: &Counted) -> String {
    if counted.unfinished.is_empty() {
        String::new()
    } else {
        format!("; not ended: {}", counted.unfinished.join(", "))
    }
}

/// One line for each job that ran any test; all that it printed where it failed.
fn report(job: &Job, ended: &Ended, text: &str, manner: Manner) {
    if !ended.is_good() && !manner.show {
        println!("---- output of {} ----\n{}\n---- end of {} ----", job.title, text.trim_end(), job.title);
    }
    let Counted { passed, failed, .. } = ended.counted;
    if passed + failed > 0 || !ended.is_good() {
        let verdict = if ended.is_good() { "ok" } else { "FAILED" };
        let counts = format!("{passed} passed, {failed} failed");
        println!("{verdict:6} {counts:>24} {:>7.1} s  {}", ended.took.as_secs_f32(), job.title);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn job(script: &str) -> Job {
        Job {
            title: script.to_owned(),
            program: "sh".into(),
            arguments: ["-c".to_owned(), script.to_owned()].into(),
            folder: "/".into(),
            environment: vec![("SAYS".to_owned(), "ok. 2 passed; 0 failed; 0 ignored".into())],
        }
    }

    const MANNER: Manner = Manner { at_once: 2, limit: Duration::from_secs(60), show: false };

    fn run_all(jobs: &[Job], manner: Manner) -> Vec<Ended> {
        let mut ended = run(jobs, manner, &Interrupt::deaf()).unwrap();
        ended.sort_by_key(|it| it.job);
        ended
    }

    #[test]
    fn one_that_fails_hides_no_other() {
        let failed =
            "printf 'failures:\\n    a::b\\n\\ntest result: FAILED. 1 passed; 1 failed; 0 ignored\\n'; exit 101";
        let jobs =
            [failed, "echo \"test result: $SAYS\"", "kill -s ABRT $$", "exit 0", "echo test result: $SAYS; exit 3"];
        let ended = run_all(&jobs.map(job), MANNER);
        assert_eq!(ended.iter().map(Ended::is_good).collect::<Vec<_>>(), [false, true, false, false, false]);
        assert_eq!(ended[0].counted.names, [(None, "a::b".to_owned())]);
        assert_eq!((ended[0].why.as_deref(), ended[1].counted.passed), (None, 2));
        assert!(ended[2].why.as_deref().is_some_and(|why| why.contains("signal")), "{ended:?}");
        assert!(ended[3].why.as_deref().is_some_and(|why| why.contains("before its tests")), "{ended:?}");
        assert!(ended[4].why.as_deref().is_some_and(|why| why.contains("exit status: 3")), "{ended:?}");
    }

    #[test]
    fn one_that_does_not_end_is_killed_and_its_slow_test_named() {
        let script = "echo 'test slow has been running for over 60 seconds'; while :; do sleep 1; done";
        let ended = run_all(&[job(script)], Manner { limit: Duration::from_millis(300), ..MANNER });
        let why = ended[0].why.as_deref().unwrap();
        assert!(why.contains("did not end") && why.ends_with("not ended: slow"), "{why}");
    }

    #[test]
    fn a_signal_stops_all_that_run() {
        let (sender, receiver) = crossbeam_channel::unbounded();
        sender.send(2).unwrap();
        let jobs = ["while :; do sleep 1; done"; 3].map(job);
        let stopped = run(&jobs, MANNER, &Interrupt::from_channel(receiver));
        assert!(matches!(stopped, Err(Failure::Interrupted(2))));
    }
}

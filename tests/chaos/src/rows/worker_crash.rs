//! The processes of a service are killed while they run handlers.

use std::collections::BTreeSet;
use std::thread;
use std::time::{Duration, Instant};

use zc_events::{Event, EventClient};

use crate::worker_process::{self, HandlerLine, WorkerProcesses};
use crate::{Child, Done, Fixture, Ledger, Report, Row};

pub(super) static ROW: Row = Row {
    name: "worker-crash",
    fault: "SIGKILL to a process of a service while its handlers run; another process is started",
    must_hold: "no confirmed event is lost; a handler that gets an event again sees it as redelivered; no dead letters",
    run,
    child: Some(child),
};

const PATIENCE: Duration = Duration::from_secs(60);
const PREFETCH: u16 = 16;
const ATTEMPTS: u32 = 5;

/// How long a handler takes: long enough to kill its process while it runs.
const WORK: Duration = Duration::from_millis(8);

fn child() -> Done {
    worker_process::serve(|_| {
        // tidy: allow(thread::sleep) because the length of the handler is what the row needs
        thread::sleep(WORK);
    })
}

/// The lines of the processes so far.
#[derive(Default)]
struct Heard {
    ledger: Ledger,
    begun: BTreeSet<u64>,
    /// The events that the running process has begun and not finished.
    running: BTreeSet<u64>,
    begun_again: u64,
    untold: u64,
}

impl Heard {
    fn hear(&mut self, line: &str) {
        match worker_process::parse_line(line) {
            Some(HandlerLine::Begun { id, redelivered, .. }) => {
                if !self.begun.insert(id) {
                    self.begun_again += 1;
                    self.untold += u64::from(!redelivered);
                }
                self.running.insert(id);
            }
            Some(HandlerLine::Done { id, redelivered }) => {
                self.running.remove(&id);
                self.ledger.handled(id, redelivered);
            }
            None => log::warn!("a process of the service says {line:?}"),
        }
    }

    /// Reads lines until so many more handlers have begun.
    fn follow(&mut self, child: &Child, more: usize) -> Result<(), String> {
        let mut left = more;
        while left > 0 {
            let line = child.line(PATIENCE).ok_or("no handler begins")?;
            left -= usize::from(line.starts_with("begun"));
            self.hear(&line);
        }
        Ok(())
    }
}

fn run(fixture: &Fixture, report: &mut Report) -> Done {
    let (messages, kills) = (fixture.scale(1_000, 300), fixture.scale(20, 4));
    let processes = WorkerProcesses::new(ROW.name, ATTEMPTS, PREFETCH);
    let client = EventClient::new(processes.settings(fixture).build()?)?;
    let mut child = processes.start(fixture)?;
    let mut heard = Heard::default();

    let events: Vec<_> = (0..messages).map(|id| Event::new("count").set("n", id)).collect::<Result<_, _>>()?;
    for (id, result) in (0..).zip(client.emit_many(&events)) {
        heard.ledger.attempted(id);
        heard.ledger.sent(id, &result);
    }
    let (mut killed, mut in_the_middle) = (0, 0);
    while killed < kills {
        heard.follow(&child, fastrand::usize(1..=(messages / kills / 2) as usize))?;
        child.kill();
        killed += 1;
        while let Some(line) = child.line(PATIENCE) {
            heard.hear(&line);
        }
        in_the_middle += std::mem::take(&mut heard.running).len();
        child = processes.start(fixture)?;
    }
    let deadline = Instant::now() + PATIENCE;
    while heard.ledger.lost() > 0 && Instant::now() < deadline {
        if let Some(line) = child.line(Duration::from_secs(5)) {
            heard.hear(&line);
        }
    }
    let left = integration_tests::wait_until(PATIENCE, || {
        let plain = fixture.plain().ok()?;
        let ready = |rest| plain.ready(&processes.queue(rest)).ok();
        (ready("")? + ready(".quarantine")? == 0).then_some(())
    });
    let dead = fixture.plain()?.ready(&processes.queue(".dead"))?;

    let ledger = &heard.ledger;
    report.figure("confirmed", ledger.confirms());
    report.figure("processes killed", killed);
    report.figure("handlers in the middle", in_the_middle);
    report.figure("handled", ledger.handles());
    report.figure("lost", ledger.lost());
    report.figure("begun again", heard.begun_again);
    report.figure("with the redelivered flag", ledger.redeliveries());
    report.equal("confirmed", ledger.confirms() as u64, messages);
    report.check("each kill but one in four found a handler in the middle", in_the_middle as u64 * 4 >= killed * 3);
    report.check(&format!("all are handled; lost: {:?}", ledger.examples_lost()), ledger.lost() == 0);
    report.check("handlers are begun again", heard.begun_again > 0);
    report.equal("begun again without being told so", heard.untold, 0);
    report.check("the redelivered flag is seen", ledger.redeliveries() > 0);
    report.check(
        "begun again at most as often as events were out at a kill",
        heard.begun_again <= killed * (u64::from(PREFETCH) + 1),
    );
    report.equal("dead letters", dead, 0);
    report.check("the queues are empty at the end", left.is_ok());
    Ok(())
}

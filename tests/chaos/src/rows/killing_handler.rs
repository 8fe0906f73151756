//! Events whose handler ends the process. A supervisor starts another process.

use std::collections::BTreeMap;
use std::os::unix::process::ExitStatusExt;
use std::time::{Duration, Instant};

use zc_events::{Event, EventClient};

use crate::dead_letter::{DeadLetter, take_dead_letters};
use crate::worker_process::{self, HandlerLine, WorkerProcesses};
use crate::{Done, Fixture, Ledger, Report, Row};

pub(super) static ROW: Row = Row {
    name: "killing-handler",
    fault: "a handler that aborts its process on some events; a supervisor starts it again",
    must_hold: "those events are dead-lettered after their attempts, again only where a crash came between a copy and its original; all others are handled; crashes at most dead letters x (attempts + 1), because the first crash does not show which event caused it",
    run,
    child: Some(child),
};

const PATIENCE: Duration = Duration::from_secs(90);
const PREFETCH: u16 = 16;
/// The event of each hundred that kills.
const KILLER: u64 = 40;
const SIGABRT: i32 = 6;
/// So many checks in a row must find no message left.
const QUIET: u32 = 5;

fn is_killer(id: u64) -> bool {
    id % 100 == KILLER
}

fn child() -> Done {
    worker_process::serve(|id| {
        if is_killer(id) {
            std::process::abort();
        }
    })
}

fn run(fixture: &Fixture, report: &mut Report) -> Done {
    // Each killer of the main queue may crash the process while an innocent event is in flight. There are fewer killers
    // than attempts, so no innocent event runs out of attempts.
    let (killers, attempts) = if fixture.quick { (2, 3) } else { (4, 5) };
    let messages = killers * 100;
    let processes = WorkerProcesses::new(ROW.name, attempts, PREFETCH);
    let client = EventClient::new(processes.settings(fixture).build()?)?;
    let mut child = processes.start(fixture)?;
    let events: Vec<_> = (0..messages).map(|id| Event::new("count").set("n", id)).collect::<Result<_, _>>()?;
    let ledger = Ledger::default();
    for (id, result) in (0..).zip(client.emit_many(&events)) {
        ledger.attempted(id);
        ledger.sent(id, &result);
    }

    let mut crashes = 0;
    let mut runs: BTreeMap<u64, u64> = BTreeMap::new();
    let mut highest = 0;
    let deadline = Instant::now() + PATIENCE;
    let is_over = || {
        let plain = fixture.plain().ok()?;
        let ready = |rest| plain.ready(&processes.queue(rest)).ok();
        Some(ready(".dead")? >= killers && ready("")? + ready(".quarantine")? == 0)
    };
    let mut quiet = 0;
    while quiet < QUIET && Instant::now() < deadline {
        if let Some(line) = child.line(Duration::from_millis(100)) {
            quiet = 0;
            match worker_process::parse_line(&line) {
                Some(HandlerLine::Begun { id, attempt, .. }) if is_killer(id) => {
                    *runs.entry(id).or_default() += 1;
                    highest = highest.max(attempt);
                }
                Some(HandlerLine::Done { id, redelivered }) => ledger.handled(id, redelivered),
                _ => {}
            }
        } else if let Some(status) = child.ended(Duration::ZERO) {
            report.check(&format!("a child ends by its own abort only: {status}"), status.signal() == Some(SIGABRT));
            crashes += 1;
            child = processes.start(fixture)?;
        } else {
            quiet = if is_over() == Some(true) { quiet + 1 } else { 0 };
        }
    }
    let alive = child.ended(Duration::from_millis(500)).is_none();
    let dead = take_dead_letters(&fixture.plain()?, &processes.queue(".dead"))?;

    let innocent = dead.iter().filter(|letter| letter.id.is_none_or(|id| !is_killer(id))).count();
    let lost: Vec<_> =
        (0..messages).filter(|id| is_killer(*id) && !dead.iter().any(|letter| letter.id == Some(*id))).collect();
    let as_told = |letter: &DeadLetter| letter.reason == "worker_lost" && letter.attempts >= i64::from(attempts);
    report.figure("events", messages);
    report.figure("killing events", killers);
    report.figure("attempts", attempts);
    report.figure("crashes", crashes);
    report.figure("runs of a killing event, at most", runs.values().max().copied().unwrap_or_default());
    report.figure("dead letters", dead.len());
    report.figure("others handled", ledger.handles());
    report.equal("confirmed", ledger.confirms() as u64, messages);
    report.check("the process was aborted at least once for each killing event", crashes >= killers);
    report.check("the highest attempt begun is the last", highest == attempts);
    let letters = dead.len() as u64;
    report.check(
        &format!("crashes at most dead letters x (attempts + 1), but {crashes}"),
        crashes <= letters * (u64::from(attempts) + 1),
    );
    report.check(&format!("at most as many dead letters again, but {letters}"), letters <= 2 * killers);
    report.check(&format!("each killing event is a dead letter; missing: {lost:?}"), lost.is_empty());
    report.check(&format!("dead letters say worker_lost after the attempts: {dead:?}"), dead.iter().all(as_told));
    report.equal("dead letters of other events", innocent, 0);
    report.equal("others handled", ledger.handles() as u64, messages - killers);
    report.check("the queues are empty at the end", quiet == QUIET);
    report.check("the last process lives on", alive);
    Ok(())
}

//! `zc-events bench`: measures publishing, consuming and calls in a sandbox on the servers of the settings. The fleet is not
//! affected, and the sandbox is removed in any case. `phases` measures, `measurement` prints.

mod measurement;
mod options;
mod phases;

use std::thread::{Builder, JoinHandle};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError, unbounded};

use crate::exit::Exit;
use crate::failure::Failure;
use crate::interrupt::Interrupt;
use crate::output::{Output, counted, note};
use crate::session::Session;
use measurement::Measurement;
pub(crate) use options::Options;
use phases::Bench;

/// The limit of removing the sandbox.
const REMOVE_TIMEOUT: Duration = Duration::from_secs(10);
/// How often the command checks for signals and the timeout.
const TICK: Duration = Duration::from_millis(50);
/// How long the benchmark may take to stop by itself. A benchmark that waits for a silent server is abandoned.
const GRACE: Duration = Duration::from_secs(1);

/// Measures, and removes the sandbox.
pub(crate) fn run(session: &Session, options: &Options) -> Result<(), Failure> {
    let client = session.client(|settings| settings)?;
    // From here on, a signal ends the measurement, and the sandbox is removed.
    session.interrupt.handle_first();
    let sandbox = client.sandbox("bench")?;
    let exchange = sandbox.client().settings().events_exchange().to_owned();
    if !session.output.is_json() {
        note(format_args!(
            "{} of {} bytes, up to {} unconfirmed at once, through `{exchange}`, which is removed afterwards",
            counted(options.messages.into(), "event", "events"),
            options.size,
            options.in_flight
        ));
    }
    let bench = Bench::new(sandbox.client().clone(), *options, session.interrupt.clone())?;
    let done = Running::start(bench).and_then(|running| running.watch(session.output, &session.interrupt));
    let removed = sandbox.remove(REMOVE_TIMEOUT).map_err(|error| {
        let about = format!("`{exchange}` and its queues may still exist");
        Failure::from(error).about(&about).hint("the broker deletes them in ten minutes")
    });
    match (done, removed) {
        (Err(failure), Err(left)) => {
            left.print();
            Err(failure)
        }
        (done, removed) => done.and(removed),
    }
}

/// A benchmark on its own thread, so that the command notices signals and the timeout while the benchmark waits for a server.
struct Running {
    ends: Instant,
    measured: Receiver<Measurement>,
    thread: JoinHandle<Result<(), Failure>>,
}

impl Running {
    fn start(bench: Bench) -> Result<Self, Failure> {
        let (tell, measured) = unbounded();
        let ends = bench.ends;
        let run = move || {
            bench.run(|measured| {
                // The receiver is gone if the benchmark was abandoned.
                let _ = tell.send(measured);
            })
        };
        let thread = Builder::new().name("bench".to_owned()).spawn(run);
        let thread = thread.map_err(|error| Failure::new(Exit::Failed, format!("cannot start a thread: {error}")))?;
        Ok(Self { ends, measured, thread })
    }

    /// Shows each phase as soon as it is measured. Abandons the benchmark if it does not end in time.
    fn watch(self, output: Output, interrupt: &Interrupt) -> Result<(), Failure> {
        let mut over = None;
        loop {
            match self.measured.recv_timeout(TICK) {
                Ok(measured) => measured.show(output)?,
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => {
                    let panicked = || Err(Failure::new(Exit::Failed, "the benchmark panicked"));
                    return self.thread.join().unwrap_or_else(|_| panicked());
                }
            }
            let is_over = interrupt.check().is_err() || Instant::now() >= self.ends;
            if is_over && over.get_or_insert_with(Instant::now).elapsed() >= GRACE {
                return interrupt.check().and_then(|()| Err(phases::timed_out("waiting for a server")));
            }
        }
    }
}

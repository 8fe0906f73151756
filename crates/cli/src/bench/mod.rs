//! `zc-events bench`: how fast publishing, consuming and asking are on the servers of the settings. In a sandbox: nothing
//! of the fleet's is touched, and nothing is left, whatever ends it. What is measured is in `phases`, how it is shown in
//! `measured`.

mod measured;
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
use measured::Measured;
pub(crate) use options::Options;
use phases::Bench;

/// How long removing the sandbox may take.
const GOODBYE: Duration = Duration::from_secs(10);
/// How often it is looked whether it is time to end.
const LOOK: Duration = Duration::from_millis(50);
/// How long a measurement may take to notice that. One that waits for a silent server does not notice it.
const GRACE: Duration = Duration::from_secs(1);

/// Measures, and removes what it took.
pub(crate) fn run(session: &Session, options: &Options) -> Result<(), Failure> {
    let client = session.client(|settings| settings)?;
    // From here on a signal ends the measuring, and what follows is the clearing up.
    session.interrupt.politely();
    let sandbox = client.sandbox("bench")?;
    let exchange = sandbox.client().settings().events_exchange().to_owned();
    if !session.output.is_json() {
        note(format_args!(
            "{} of {} bytes, up to {} out at once, through `{exchange}`, which is removed afterwards",
            counted(options.messages.into(), "event", "events"),
            options.size,
            options.in_flight
        ));
    }
    let bench = Bench::new(sandbox.client().clone(), *options, session.interrupt.clone())?;
    let done = Running::start(bench).and_then(|running| running.watch(session.output, &session.interrupt));
    let removed = sandbox.remove(GOODBYE).map_err(|error| {
        let about = format!("`{exchange}` and its queues may still be there");
        Failure::from(error).about(&about).hint("they go by themselves in ten minutes")
    });
    match (done, removed) {
        (Err(failure), Err(left)) => {
            left.print();
            Err(failure)
        }
        (done, removed) => done.and(removed),
    }
}

/// A benchmark on a thread of its own: what waits for a server there holds up neither a signal nor the end of the time.
struct Running {
    ends: Instant,
    measured: Receiver<Measured>,
    thread: JoinHandle<Result<(), Failure>>,
}

impl Running {
    fn start(bench: Bench) -> Result<Self, Failure> {
        let (tell, measured) = unbounded();
        let ends = bench.ends;
        let run = move || {
            bench.run(|measured| {
                // Nobody listens any more once it is over.
                let _ = tell.send(measured);
            })
        };
        let thread = Builder::new().name("bench".to_owned()).spawn(run);
        let thread =
            thread.map_err(|error| Failure::new(Exit::Failed, format!("the system gives no thread: {error}")))?;
        Ok(Self { ends, measured, thread })
    }

    /// Shows each phase as soon as it is measured. Where the end comes and is not noticed there, it is left alone.
    fn watch(self, output: Output, interrupt: &Interrupt) -> Result<(), Failure> {
        let mut over = None;
        loop {
            match self.measured.recv_timeout(LOOK) {
                Ok(measured) => measured.show(output)?,
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => {
                    let panicked = || Err(Failure::new(Exit::Failed, "the benchmark has panicked"));
                    return self.thread.join().unwrap_or_else(|_| panicked());
                }
            }
            let is_over = interrupt.check().is_err() || Instant::now() >= self.ends;
            if is_over && over.get_or_insert_with(Instant::now).elapsed() >= GRACE {
                return interrupt.check().and_then(|()| Err(phases::too_late("waiting for a server")));
            }
        }
    }
}

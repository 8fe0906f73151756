//! `zc-events bench`: how fast publishing, consuming and asking are on the servers of the settings. In a sandbox: nothing
//! of the fleet's is touched, and nothing is left, whatever ends it. What is measured is in `phases`, how it is shown in
//! `measured`.

mod measured;
mod phases;

use std::time::Duration;

use crate::failure::Failure;
use crate::output::note;
use crate::session::Session;
use crate::values;
use measured::Measured;
use phases::Bench;

/// How long removing the sandbox may take.
const GOODBYE: Duration = Duration::from_secs(15);

/// How much is measured.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// How many events are published and consumed; of calls a tenth
    #[arg(long, value_name = "N", default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(1..=10_000_000))]
    messages: u32,
    /// How many bytes the text in each of them has
    #[arg(long, value_name = "BYTES", default_value_t = 1024, value_parser = clap::value_parser!(u32).range(0..=8 << 20))]
    size: u32,
    /// How many events are out at once, and how many callers there are, up to 16
    #[arg(long, value_name = "N", default_value_t = 500, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    in_flight: u32,
    /// How long all of it may take: 500ms, 5s, 2m
    #[arg(long, value_name = "TIME", default_value = "2m", value_parser = values::duration)]
    timeout: Duration,
}

/// Measures, and removes what it took.
pub(crate) fn run(session: &Session, options: &Options) -> Result<(), Failure> {
    let client = session.client(|settings| settings)?;
    // From here on a signal ends the measuring, and what follows is the clearing up.
    session.interrupt.politely();
    let sandbox = client.sandbox("bench")?;
    if !session.output.is_json() {
        let exchange = sandbox.client().settings().events_exchange();
        note(format_args!(
            "{} events of {} bytes, up to {} out at once, through `{exchange}`, which is removed afterwards",
            options.messages, options.size, options.in_flight
        ));
    }
    let show = |measured: &Measured| Ok(measured.show(session.output)?);
    let done = Bench::new(sandbox.client(), options, &session.interrupt).and_then(|bench| bench.run(show));
    let removed = sandbox.remove(GOODBYE).map_err(|error| {
        Failure::from(error).about("what was measured with may still be there").hint("it goes by itself in ten minutes")
    });
    // What failed first is what matters.
    done.and(removed)
}

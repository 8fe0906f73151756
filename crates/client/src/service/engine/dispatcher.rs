//! The thread that sees to it that some thread leads while there is work. It sleeps while a worker leads and nothing waits.
//!
//! Its pauses are real time, whatever the clock of the service: they decide which thread does something, and not what is done.

use std::time::Duration;

use crossbeam_channel::{Receiver, select};

use super::work_queue::{Tick, WorkQueue};

/// Between two looks.
const PAUSE: Duration = Duration::from_millis(1);
/// After so many looks at which nothing was to do, it sleeps.
const QUIET: u32 = 10;

/// Looks until `stop` has no sender any more. `lead` leads until a worker is free for what came.
pub(super) fn run<T>(work: &WorkQueue<T>, stop: &Receiver<()>, lead: impl Fn()) {
    let mut quiet = QUIET;
    loop {
        if quiet >= QUIET && work.leave_unwatched() {
            select! {
                recv(work.nudged()) -> _ => {}
                recv(stop) -> _ => return,
            }
        }
        select! {
            recv(stop) -> _ => return,
            default(PAUSE) => {}
        }
        match work.tick() {
            Tick::Quiet => quiet = quiet.saturating_add(1),
            Tick::Look => quiet = 0,
            Tick::Lead => {
                quiet = 0;
                lead();
            }
        }
    }
}

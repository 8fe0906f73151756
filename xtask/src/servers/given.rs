//! Servers that are running already and were named on the command line.

use std::time::{Duration, Instant};

use super::ready;
use super::urls::Urls;
use crate::failure::{Failure, Result};
use crate::interrupt::Interrupt;

/// How long they may take to answer: they may just be starting, beside us, in a pipeline.
const PATIENCE: Duration = Duration::from_secs(30);

/// Waits until both answer.
pub(super) fn check(urls: &Urls, interrupt: &Interrupt) -> Result<()> {
    let deadline = Instant::now() + PATIENCE;
    until_ready("--redis-url", || ready::redis(&urls.redis, None), deadline, interrupt)?;
    until_ready("--broker-url", || ready::broker(&urls.broker, None), deadline, interrupt)
}

/// Asks until the answer is yes. At the deadline, the last reason is the error's text, behind `name`.
pub(super) fn until_ready(
    name: &str,
    mut ask: impl FnMut() -> std::result::Result<(), String>,
    deadline: Instant,
    interrupt: &Interrupt,
) -> Result<()> {
    let mut said = false;
    loop {
        let Err(why) = ask() else { return Ok(()) };
        if Instant::now() >= deadline {
            return Err(Failure::says(format!("{name}: not ready in time: {why}")));
        }
        if !std::mem::replace(&mut said, true) {
            log::info!("waiting for {name}: {why}");
        }
        interrupt.pause(Duration::from_millis(100))?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn asks_until_the_answer_is_yes_or_time_is_up() {
        let interrupt = Interrupt::deaf();
        let soon = Instant::now() + Duration::from_secs(20);
        let mut asked = 0;
        let mut third_time = || {
            asked += 1;
            if asked == 3 { Ok(()) } else { Err("not yet".to_owned()) }
        };
        assert!(until_ready("it", &mut third_time, soon, &interrupt).is_ok());
        assert_eq!(asked, 3);
        let late = until_ready("it", || Err("not yet".to_owned()), Instant::now(), &interrupt);
        assert_eq!(late.unwrap_err().to_string(), "it: not ready in time: not yet");
    }
}

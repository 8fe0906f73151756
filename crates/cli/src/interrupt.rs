//! Ctrl-C and SIGTERM. As a rule they end the process at once, with the exit code that shells give it; a command that
//! has something to bring to an end asks to be told instead, and the second signal ends it all the same.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use crate::exit::Exit;
use crate::failure::Failure;

/// Whether the command is to end.
#[derive(Clone, Debug, Default)]
pub(crate) struct Interrupt(Arc<State>);

#[derive(Debug, Default)]
struct State {
    is_polite: AtomicBool,
    /// 0 until one has come.
    signal: AtomicU8,
}

impl Interrupt {
    /// Listens from here on, on a thread of its own.
    pub(crate) fn listen() -> Result<Self, Failure> {
        let cannot = |error| Failure::new(Exit::Failed, format!("cannot listen for signals: {error}"));
        let interrupt = Self::default();
        let state = Arc::clone(&interrupt.0);
        let mut signals = Signals::new([SIGINT, SIGTERM]).map_err(cannot)?;
        let listen = move || {
            for signal in signals.forever() {
                let signal = u8::try_from(signal).unwrap_or_default();
                let is_first = state.signal.swap(signal, Ordering::SeqCst) == 0;
                if !(is_first && state.is_polite.load(Ordering::SeqCst)) {
                    std::process::exit(i32::from(Exit::Signal(signal).code()));
                }
            }
        };
        std::thread::Builder::new().name("signals".to_owned()).spawn(listen).map_err(cannot)?;
        Ok(interrupt)
    }

    /// From here on the first signal is told by [`Interrupt::check`], and ends nothing by itself.
    pub(crate) fn politely(&self) -> &Self {
        self.0.is_polite.store(true, Ordering::SeqCst);
        self
    }

    /// Fails where a signal has come.
    pub(crate) fn check(&self) -> Result<(), Failure> {
        match self.0.signal.load(Ordering::SeqCst) {
            0 => Ok(()),
            signal => Err(Failure::silent(Exit::Signal(signal))),
        }
    }
}

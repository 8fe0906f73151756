//! Ctrl-C and SIGTERM. By default they end the process at once, with the usual exit code. A command that must finish something
//! handles the first signal itself; the second signal ends the process.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use crate::exit::Exit;
use crate::failure::Failure;

/// Whether a signal has come.
#[derive(Clone, Debug, Default)]
pub(crate) struct Interrupt(Arc<InterruptState>);

#[derive(Debug, Default)]
struct InterruptState {
    is_handled: AtomicBool,
    /// 0 before the first signal.
    signal: AtomicU8,
}

impl Interrupt {
    /// Starts a thread that receives the signals.
    pub(crate) fn listen() -> Result<Self, Failure> {
        let cannot = |error| Failure::new(Exit::Failed, format!("cannot handle signals: {error}"));
        let interrupt = Self::default();
        let state = Arc::clone(&interrupt.0);
        let mut signals = Signals::new([SIGINT, SIGTERM]).map_err(cannot)?;
        let listen = move || {
            for signal in signals.forever() {
                let signal = u8::try_from(signal).unwrap_or_default();
                let is_first = state.signal.swap(signal, Ordering::SeqCst) == 0;
                if !(is_first && state.is_handled.load(Ordering::SeqCst)) {
                    std::process::exit(i32::from(Exit::Signal(signal).code()));
                }
            }
        };
        std::thread::Builder::new().name("signals".to_owned()).spawn(listen).map_err(cannot)?;
        Ok(interrupt)
    }

    /// From here on, the command handles the first signal: [`Interrupt::check`] reports it.
    pub(crate) fn handle_first(&self) -> &Self {
        self.0.is_handled.store(true, Ordering::SeqCst);
        self
    }

    /// Fails if a signal has come.
    pub(crate) fn check(&self) -> Result<(), Failure> {
        match self.0.signal.load(Ordering::SeqCst) {
            0 => Ok(()),
            signal => Err(Failure::silent(Exit::Signal(signal))),
        }
    }
}

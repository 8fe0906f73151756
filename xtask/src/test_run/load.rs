//! A load on the processor, for tests that must pass on a busy machine.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

/// Threads of this program that keep the processor busy. They end when this is dropped, or with the program.
pub(super) struct CpuLoad {
    is_over: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

impl CpuLoad {
    /// Twice as many busy threads as the machine has cores.
    pub(super) fn start() -> Self {
        let cores = std::thread::available_parallelism().map_or(2, std::num::NonZero::get);
        let is_over = Arc::new(AtomicBool::new(false));
        let busy = || {
            let is_over = Arc::clone(&is_over);
            std::thread::spawn(move || {
                while !is_over.load(Ordering::Relaxed) {
                    std::hint::spin_loop();
                }
            })
        };
        let threads: Vec<_> = (0..2 * cores).map(|_| busy()).collect();
        log::info!("{} threads keep the {cores} cores busy", threads.len());
        Self { is_over, threads }
    }
}

impl Drop for CpuLoad {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            drop(thread.join());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_load_ends_with_its_owner() {
        let load = CpuLoad::start();
        let is_over = Arc::clone(&load.is_over);
        assert!(load.threads.len() >= 2 && load.threads.iter().all(|thread| !thread.is_finished()));
        drop(load);
        // The last holder: every thread has let go of its own.
        assert_eq!(Arc::strong_count(&is_over), 1);
    }
}

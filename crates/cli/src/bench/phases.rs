//! The phases of the benchmark: publishing into a queue without a consumer, consuming that queue, calls one after another, and
//! concurrent calls.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError, unbounded};
use serde_json::Value;
use zc_events::{Context, EmitReceipt, Error, Event, EventClient, Service};

use super::measurement::{Measurement, Phase};
use super::options::Options;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::interrupt::Interrupt;
use crate::output::note;

/// The event type and the key of the function.
const EVENT: &str = "bench";
const FUNCTION: &str = "bench.echo";
/// The limit of concurrent callers.
const CALLERS: u32 = 16;
/// The limit of one call.
const CALL_TIMEOUT: Duration = Duration::from_secs(10);
/// The limit of stopping a service.
const STOP_TIMEOUT: Duration = Duration::from_secs(10);
/// How often a waiting phase checks for signals and the timeout.
const TICK: Duration = Duration::from_millis(100);

/// A benchmark in progress.
pub(super) struct Bench {
    client: EventClient,
    options: Options,
    interrupt: Interrupt,
    text: String,
    /// When the timeout is reached.
    pub(super) ends: Instant,
}

impl Bench {
    pub(super) fn new(client: EventClient, options: Options, interrupt: Interrupt) -> Result<Self, Failure> {
        let ends = Instant::now().checked_add(options.timeout);
        let ends = ends.ok_or_else(|| Failure::usage("--timeout is too long"))?;
        let text = "x".repeat(options.size as usize);
        Ok(Self { client, options, interrupt, text, ends })
    }

    /// Runs all phases, and passes each measurement to `show` as soon as it is known.
    pub(super) fn run(&self, mut show: impl FnMut(Measurement)) -> Result<(), Failure> {
        // The first service declares the queue; the events wait there for the second one.
        stop(self.service()?.0)?;
        show(self.publish()?);
        let (service, handled) = self.service()?;
        let consumed = self.consume(&handled);
        let called = consumed.and_then(|consumed| {
            show(consumed);
            if !self.client.health().has_reply_store {
                note("calls are not measured: EVENTS_REDIS_URL is not set");
                return Ok(());
            }
            show(self.calls(Phase::Call, 1)?);
            let callers = self.options.in_flight.min(CALLERS);
            if callers > 1 {
                show(self.calls(Phase::CallsAtOnce, callers)?);
            }
            Ok(())
        });
        called.and(stop(service))
    }

    /// A service, and the times at which it handles events.
    fn service(&self) -> Result<(Service, Receiver<Instant>), Failure> {
        let (tell, handled) = unbounded();
        let mut service = Service::builder(&self.client).on(EVENT, move |_: &Context, _: Value| {
            // The receiver is gone after an interruption.
            let _ = tell.send(Instant::now());
            Ok(())
        });
        if self.client.health().has_reply_store {
            service = service.call(FUNCTION, |_: &Context, value: Value| Ok(value));
        }
        Ok((service.start()?, handled))
    }

    /// Measures each event from send to confirm.
    fn publish(&self) -> Result<Measurement, Failure> {
        let mut measured = Measurement::begin(Phase::Publish, self.text.len())?;
        let mut unconfirmed: VecDeque<(Instant, EmitReceipt)> = VecDeque::new();
        let settle = |(begun, receipt): (Instant, EmitReceipt), measured: &mut Measurement| {
            self.check_end("publishing")?;
            receipt.wait()?;
            measured.record(begun.elapsed());
            Ok::<(), Failure>(())
        };
        for _ in 0..self.options.messages {
            self.check_end("publishing")?;
            while unconfirmed.len() >= self.options.in_flight as usize {
                unconfirmed.pop_front().map_or(Ok(()), |oldest| settle(oldest, &mut measured))?;
            }
            let event = Event::new(EVENT).set("text", &self.text).map_err(Error::from)?;
            let begun = Instant::now();
            unconfirmed.push_back((begun, self.client.start_emit(&event)?));
        }
        unconfirmed.into_iter().try_for_each(|oldest| settle(oldest, &mut measured))?;
        Ok(measured.end())
    }

    /// Measures the time between two handled events.
    fn consume(&self, handled: &Receiver<Instant>) -> Result<Measurement, Failure> {
        let mut measured = Measurement::begin(Phase::Consume, self.text.len())?;
        let mut last = None;
        for _ in 0..self.options.messages {
            let at = loop {
                self.check_end("consuming")?;
                match handled.recv_timeout(TICK) {
                    Ok(at) => break at,
                    Err(RecvTimeoutError::Timeout) => {}
                    Err(RecvTimeoutError::Disconnected) => {
                        return Err(Failure::new(Exit::Failed, "the service ended unexpectedly"));
                    }
                }
            };
            match last {
                // Until then the service was starting.
                None => measured.restart_at(at),
                Some(last) => measured.record(at.saturating_duration_since(last)),
            }
            last = Some(at);
        }
        Ok(measured.end())
    }

    /// Measures each call from request to reply.
    fn calls(&self, phase: Phase, callers: u32) -> Result<Measurement, Failure> {
        let each = (self.options.messages / 10 / callers).clamp(1, 100_000);
        // Opens the connections before the measurement.
        std::thread::scope(|scope| {
            let warm = |_| scope.spawn(|| self.call());
            (0..callers).map(warm).collect::<Vec<_>>().into_iter().try_for_each(|caller| join(caller).map(drop))
        })?;
        let mut measured = Measurement::begin(phase, self.text.len())?;
        let failed = AtomicU32::new(0);
        let times = std::thread::scope(|scope| {
            let ask = || {
                let mut times = Vec::new();
                while times.len() < each as usize && failed.load(Ordering::Relaxed) == 0 {
                    match self.check_end("calling").and_then(|()| self.call()) {
                        Ok(time) => times.push(time),
                        Err(failure) => {
                            failed.fetch_add(1, Ordering::Relaxed);
                            return Err(failure);
                        }
                    }
                }
                Ok(times)
            };
            let callers: Vec<_> = (0..callers).map(|_| scope.spawn(ask)).collect();
            callers.into_iter().map(join).collect::<Result<Vec<_>, Failure>>()
        })?;
        times.iter().flatten().for_each(|time| measured.record(*time));
        Ok(measured.end())
    }

    fn call(&self) -> Result<Duration, Failure> {
        let begun = Instant::now();
        let left = self.ends.saturating_duration_since(begun).clamp(Duration::from_millis(1), CALL_TIMEOUT);
        let call = self.client.post(FUNCTION).data(&self.text)?.timeout(left);
        let _: Value = call.fetch()?;
        Ok(begun.elapsed())
    }

    /// Fails after a signal or the timeout.
    fn check_end(&self, doing: &str) -> Result<(), Failure> {
        self.interrupt.check()?;
        if Instant::now() < self.ends {
            return Ok(());
        }
        Err(timed_out(doing))
    }
}

pub(super) fn timed_out(doing: &str) -> Failure {
    let text = format!("timed out while {doing}");
    Failure::new(Exit::Timeout, text).hint("raise --timeout, or lower --messages")
}

fn join<T>(thread: std::thread::ScopedJoinHandle<'_, Result<T, Failure>>) -> Result<T, Failure> {
    thread.join().unwrap_or_else(|_| Err(Failure::new(Exit::Failed, "a caller panicked")))
}

fn stop(service: Service) -> Result<(), Failure> {
    match service.stop(STOP_TIMEOUT).abandoned {
        0 => Ok(()),
        _ => Err(Failure::new(Exit::Failed, "a handler did not finish")),
    }
}

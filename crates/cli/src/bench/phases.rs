//! What is measured: publishing into a queue that nobody consumes, consuming what is in it, and calls, one after the other
//! and several at once.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError, unbounded};
use serde_json::Value;
use zc_events::{Context, EmitReceipt, Error, Event, EventClient, Service};

use super::measured::{Measured, Phase};
use super::options::Options;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::interrupt::Interrupt;
use crate::output::note;

/// The type of the events, and the key of the function.
const EVENT: &str = "bench";
const FUNCTION: &str = "bench.echo";
/// How many callers there are at most.
const CALLERS: u32 = 16;
/// How long an answer may take at most.
const ANSWER: Duration = Duration::from_secs(10);
/// How long a service may take to stop.
const STOP: Duration = Duration::from_secs(10);
/// How often it is looked whether it is time to end.
const LOOK: Duration = Duration::from_millis(100);

/// A benchmark under way.
pub(super) struct Bench {
    client: EventClient,
    options: Options,
    interrupt: Interrupt,
    text: String,
    /// When its time is over.
    pub(super) ends: Instant,
}

impl Bench {
    pub(super) fn new(client: EventClient, options: Options, interrupt: Interrupt) -> Result<Self, Failure> {
        let ends = Instant::now().checked_add(options.timeout);
        let ends = ends.ok_or_else(|| Failure::usage("--timeout is longer than can be counted"))?;
        let text = "x".repeat(options.size as usize);
        Ok(Self { client, options, interrupt, text, ends })
    }

    /// All phases, each told as soon as it is measured.
    pub(super) fn run(&self, mut tell: impl FnMut(Measured)) -> Result<(), Failure> {
        // It declares the queue; events wait there until the next one comes.
        stop(self.service()?.0)?;
        tell(self.publish()?);
        let (service, handled) = self.service()?;
        let consumed = self.consume(&handled);
        let called = consumed.and_then(|consumed| {
            tell(consumed);
            if !self.client.health().has_reply_store {
                note("no calls are measured: EVENTS_REDIS_URL is not set");
                return Ok(());
            }
            tell(self.calls(Phase::Call, 1)?);
            let callers = self.options.in_flight.min(CALLERS);
            if callers > 1 {
                tell(self.calls(Phase::CallsAtOnce, callers)?);
            }
            Ok(())
        });
        called.and(stop(service))
    }

    /// A service, and what tells of each event that it has handled.
    fn service(&self) -> Result<(Service, Receiver<Instant>), Failure> {
        let (tell, handled) = unbounded();
        let mut service = Service::builder(&self.client).on(EVENT, move |_: &Context, _: Value| {
            // After an interruption nobody counts any more.
            let _ = tell.send(Instant::now());
            Ok(())
        });
        if self.client.health().has_reply_store {
            service = service.call(FUNCTION, |_: &Context, value: Value| Ok(value));
        }
        Ok((service.start()?, handled))
    }

    /// Each from its handing over to its confirm.
    fn publish(&self) -> Result<Measured, Failure> {
        let mut measured = Measured::begin(Phase::Publish, self.text.len())?;
        let mut out: VecDeque<(Instant, EmitReceipt)> = VecDeque::new();
        let settle = |(begun, receipt): (Instant, EmitReceipt), measured: &mut Measured| {
            self.go_on("publishing")?;
            receipt.wait()?;
            measured.note(begun.elapsed());
            Ok::<(), Failure>(())
        };
        for _ in 0..self.options.messages {
            self.go_on("publishing")?;
            while out.len() >= self.options.in_flight as usize {
                out.pop_front().map_or(Ok(()), |oldest| settle(oldest, &mut measured))?;
            }
            let event = Event::new(EVENT).set("text", &self.text).map_err(Error::from)?;
            let begun = Instant::now();
            out.push_back((begun, self.client.start_emit(&event)?));
        }
        out.into_iter().try_for_each(|oldest| settle(oldest, &mut measured))?;
        Ok(measured.end())
    }

    /// Each from the end of the one before it.
    fn consume(&self, handled: &Receiver<Instant>) -> Result<Measured, Failure> {
        let mut measured = Measured::begin(Phase::Consume, self.text.len())?;
        let mut last = None;
        for _ in 0..self.options.messages {
            let at = loop {
                self.go_on("consuming")?;
                match handled.recv_timeout(LOOK) {
                    Ok(at) => break at,
                    Err(RecvTimeoutError::Timeout) => {}
                    Err(RecvTimeoutError::Disconnected) => {
                        return Err(Failure::new(Exit::Failed, "the service has ended before its time"));
                    }
                }
            };
            match last {
                // The service was starting until then.
                None => measured.begin_again(at),
                Some(last) => measured.note(at.saturating_duration_since(last)),
            }
            last = Some(at);
        }
        Ok(measured.end())
    }

    /// Each from the question to the answer.
    fn calls(&self, phase: Phase, callers: u32) -> Result<Measured, Failure> {
        let each = (self.options.messages / 10 / callers).clamp(1, 100_000);
        // The connections that it takes are opened before.
        std::thread::scope(|scope| {
            let warm = |_| scope.spawn(|| self.call());
            (0..callers).map(warm).collect::<Vec<_>>().into_iter().try_for_each(|caller| join(caller).map(drop))
        })?;
        let mut measured = Measured::begin(phase, self.text.len())?;
        let failed = AtomicU32::new(0);
        let times = std::thread::scope(|scope| {
            let ask = || {
                let mut times = Vec::new();
                while times.len() < each as usize && failed.load(Ordering::Relaxed) == 0 {
                    match self.go_on("calling").and_then(|()| self.call()) {
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
        times.iter().flatten().for_each(|time| measured.note(*time));
        Ok(measured.end())
    }

    fn call(&self) -> Result<Duration, Failure> {
        let begun = Instant::now();
        let left = self.ends.saturating_duration_since(begun).clamp(Duration::from_millis(1), ANSWER);
        let call = self.client.post(FUNCTION).data(&self.text)?.timeout(left);
        let _: Value = call.fetch()?;
        Ok(begun.elapsed())
    }

    /// Whether to: neither a signal nor the end of the time has come.
    fn go_on(&self, doing: &str) -> Result<(), Failure> {
        self.interrupt.check()?;
        if Instant::now() < self.ends {
            return Ok(());
        }
        Err(too_late(doing))
    }
}

pub(super) fn too_late(doing: &str) -> Failure {
    let text = format!("the time was over while {doing}");
    Failure::new(Exit::Timeout, text).hint("--timeout gives more of it, --messages asks for less")
}

fn join<T>(thread: std::thread::ScopedJoinHandle<'_, Result<T, Failure>>) -> Result<T, Failure> {
    thread.join().unwrap_or_else(|_| Err(Failure::new(Exit::Failed, "a caller has panicked")))
}

fn stop(service: Service) -> Result<(), Failure> {
    match service.stop(STOP).abandoned {
        0 => Ok(()),
        _ => Err(Failure::new(Exit::Failed, "a handler did not end")),
    }
}

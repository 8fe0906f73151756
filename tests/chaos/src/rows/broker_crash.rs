//! RabbitMQ is killed and started again on its data while events are emitted and handled.

use std::time::{Duration, Instant};

use crate::{Done, Fixture, Load, Report, Row};
use integration_tests::wait_until;

pub(super) static ROW: Row = Row {
    name: "broker-crash",
    fault: "SIGKILL and restart of RabbitMQ under load",
    must_hold: "0 confirmed lost; publishing and consuming again within 5 s after a plain client can log in",
    run,
    child: None,
};

const PATIENCE: Duration = Duration::from_secs(60);
const AGAIN: Duration = Duration::from_secs(5);
const EMITTERS: usize = 4;

fn run(fixture: &Fixture, report: &mut Report) -> Done {
    let (crashes, between) = (fixture.scale(20, 2), fixture.scale(500, 500));
    let mut load = Load::start(fixture.settings("crash").build()?, EMITTERS)?;
    // The queues are declared. RabbitMQ would forget a queue that is not on disk yet, with its confirmed messages.
    wait_until(PATIENCE, || load.service.health().is_ready())?;
    fixture.keep_topology()?;
    let late = fixture.delay();
    let (mut publishing, mut consuming) = (Vec::new(), Vec::new());
    let mut noticed = 0;
    for _ in 0..crashes {
        let (confirmed, handled) = (load.confirmed(), load.handled());
        wait_until(PATIENCE, || load.confirmed() >= confirmed + between && load.handled() >= handled + between)?;
        fixture.kill_broker();
        let gone = wait_until(PATIENCE, || !load.client.health().connected && !load.service.health().consuming);
        noticed += u64::from(gone.is_ok() && fixture.plain().is_err());
        // Calls from before the crash have ended: calls counted from here on went to the new broker.
        let (confirmed, handled) = (load.confirmed(), load.handled());
        fixture.start_broker()?;
        let login = Instant::now();
        wait_until(PATIENCE, || load.confirmed() > confirmed)?;
        publishing.push(login.elapsed());
        wait_until(PATIENCE, || load.handled() > handled && load.service.health().consuming)?;
        consuming.push(login.elapsed());
    }
    let ended = load.stop_emitting(PATIENCE);
    report.figure("crashes", crashes);
    report.equal("crashes that client and service noticed", noticed, crashes);
    report.check("every call ended", ended);
    report.within("publishing again", publishing.into_iter().max().unwrap_or_default(), AGAIN, &late);
    report.within("consuming again", consuming.into_iter().max().unwrap_or_default(), AGAIN, &late);
    load.settle(fixture, report);
    report.check("each crash had its load", load.ledger.confirms() as u64 >= crashes * between);
    Ok(())
}

//! The messages that other processes of this service have completed or are working on, in the reply store, where
//! `EVENTS_DEDUP` asks for it. `local` knows the messages of this process.

use std::sync::Arc;
use std::time::Duration;

use zc_events_cache::{Claim, ReplyStore};

use crate::service::engine::disposition::Answer;
use crate::service::engine::state::EngineState;
use crate::settings::Dedup;

/// How long a claim lasts unless it is renewed: what a vanished process was working on
/// waits for so long.
const LEASE: Duration = Duration::from_secs(60);
/// How long asking the store may take.
const ASK: Duration = Duration::from_secs(2);
/// Longer answers are not kept: asked again, they are made again.
const LONGEST_ANSWER: usize = 256 * 1024;

/// What a record of a completed message begins with.
const EVENT: u8 = b'e';
const ANSWER: u8 = b'a';

/// The result of claiming a message in the reply store.
pub(in crate::service::engine) enum StoreClaim {
    /// This process handles the message, under this claim if there is one.
    Ours(Option<String>),
    /// Another process handles it. Its claim ends after this time at the latest.
    Elsewhere(Duration),
    Completed(Answer),
    /// The store is unreachable.
    Unknown,
}

/// Claims the message with that key.
pub(in crate::service::engine) fn claim(state: &EngineState, key: &str) -> StoreClaim {
    let Some(store) = store(state) else {
        return StoreClaim::Ours(None);
    };
    // Two services with one store may get the same event.
    let claim = format!("zc-events:done:{}:{key}", state.service);
    match store.claim(&claim, &state.owner, LEASE, state.client.inner().deadline(ASK)) {
        Ok(Claim::Granted) => StoreClaim::Ours(Some(claim)),
        Ok(Claim::Held { for_at_most }) => StoreClaim::Elsewhere(for_at_most),
        Ok(Claim::Completed(record)) => StoreClaim::Completed(match record.split_first() {
            Some((&ANSWER, answer)) => Some(Arc::from(answer)),
            _ => None,
        }),
        Ok(_) => StoreClaim::Unknown,
        Err(error) => {
            log::warn!("EVENTS_DEDUP: the reply store cannot be asked whether a message was handled: {error}");
            StoreClaim::Unknown
        }
    }
}

/// Notes that the claimed message was completed, before it is acknowledged.
pub(in crate::service::engine) fn complete(state: &EngineState, claim: &str, answer: &Answer) {
    let Some(store) = store(state) else { return };
    let record = match answer {
        None => vec![EVENT],
        Some(answer) if answer.len() <= LONGEST_ANSWER => [&[ANSWER], &answer[..]].concat(),
        Some(_) => return release(state, claim),
    };
    let (ttl, deadline) = (state.client.settings().dedup_ttl, state.client.inner().deadline(ASK));
    match store.complete(claim, &state.owner, &record, ttl, deadline) {
        Ok(true) => {}
        Ok(false) => log::warn!("EVENTS_DEDUP: a message took longer than its claim, and may have been handled twice"),
        Err(error) => log::warn!("EVENTS_DEDUP: a completed message could not be noted: {error}"),
    }
}

/// Gives a claim back: the message is not completed.
pub(in crate::service::engine) fn release(state: &EngineState, claim: &str) {
    let Some(store) = store(state) else { return };
    if let Err(error) = store.release(claim, &state.owner, state.client.inner().deadline(ASK)) {
        log::warn!("EVENTS_DEDUP: a claim could not be given back and lasts for up to {LEASE:?}: {error}");
    }
}

/// Prolongs the claims of the handlers that run.
pub(in crate::service::engine) fn renew_all(state: &EngineState) {
    let Some(store) = store(state) else { return };
    for running in state.running.alive() {
        let Some(claim) = &running.processing.claim else { continue };
        match store.renew(claim, &state.owner, LEASE, state.client.inner().deadline(ASK)) {
            // Not ours any more: it was completed just now, or ran out.
            Ok(_) => {}
            Err(error) => log::warn!("EVENTS_DEDUP: a claim could not be prolonged: {error}"),
        }
    }
}

fn store(state: &EngineState) -> Option<&Arc<dyn ReplyStore>> {
    if state.client.settings().dedup != Dedup::Store {
        return None;
    }
    // Its absence is an error when the service starts.
    state.client.inner().store().ok()
}

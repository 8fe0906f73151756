//! Running what a program has written for a message: the handler of an event (`event`), a function or a view that is called
//! by key (`call`), a view that is asked for a resource (`resource`). `run` runs it and catches panics; `context` is what it is
//! told; `view_method` says which method of a view a request goes to.

mod call;
mod context;
mod event;
mod resource;
mod run;
mod view_method;

use zc_events_protocol::Task;

use super::disposition::Disposition;
use super::processing::Processing;
use super::routes::Route;
use super::state::EngineState;

pub(super) use run::panic_text;

/// Runs the handler of a message.
pub(super) fn invoke(state: &EngineState, processing: &Processing, task: &Task, route: &Route) -> Disposition {
    match route {
        Route::Event { handler, retry } => {
            event::handle(state, processing, handler, retry.as_ref().unwrap_or(&state.retry))
        }
        Route::Call { handler, retry } => {
            call::serve(state, processing, task, handler, retry.as_ref().unwrap_or(&state.retry))
        }
        Route::Resource { name, view } => resource::serve(state, processing, task, name, &**view),
    }
}

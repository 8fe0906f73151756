//! The dead letters of a service, for a program that lists, deletes or replays them. The service itself creates them.

mod dead_letter;
mod dead_letter_queue;
mod replay;

pub use dead_letter::DeadLetter;
pub use dead_letter_queue::DeadLetters;
pub use replay::{Replay, Replayed};

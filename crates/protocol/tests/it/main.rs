//! The integration tests of the protocol: one program. `wire` holds it to captured messages, `hostile` to its limits, and
//! `roundtrip` to itself.

mod hostile;
mod roundtrip;
mod wire;

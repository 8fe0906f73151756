//! A regression test for each known fault of the libraries underneath, and for servers that misbehave. Times that a result
//! depends on come from a manual clock; sockets wait in real time.

mod connection_reuse;
mod deadlines;
mod first_connection;
mod pool_of_r2d2;
mod secrecy;
mod waiting;

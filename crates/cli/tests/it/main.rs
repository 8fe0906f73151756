//! The integration tests of the command, as far as they need no server: one program. The others are in the package
//! `integration-tests`, in the module `cli`.

mod docs;
mod printing;

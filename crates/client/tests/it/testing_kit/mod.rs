//! The test kit, itself tested: `clock` holds how its time passes, `fleet` what it answers, records and complains about.

mod clock;
mod fleet;

//! Services of ours beside Python ones, Celery 5 with zc_events 0.3.10, on one RabbitMQ and one Redis, both ways.
//!
//! All tests are in the module `beside_python`, so that `cargo xtask integration --skip-python` can leave out no more and no
//! less. The Python side is in `tests/interop`. The load is a program of its own, `interop_load`, to have the machine to itself.

mod ours;

mod beside_python {
    mod calls;
    mod celery;
    mod command;
    mod events;
    mod hostile;
    mod notifications;
    mod priorities;
    mod replay;
    mod requests;
    mod topology;
}

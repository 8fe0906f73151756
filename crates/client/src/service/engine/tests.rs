//! The endings of the pipeline, as tables: a message in, a disposition out.


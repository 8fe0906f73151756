//! Tests that need a process of their own: for the logger or the metrics recorder, which a process has only once, or for
//! counting the threads of the process.

use std::process::Command;

/// Names the test that the process is for.
const VARIABLE: &str = "ZC_EVENTS_TEST_IN_OWN_PROCESS";

/// Runs `body`, a closure of the calling test, in a process of its own: the test program again, with this test alone. The
/// test's own process waits for it.
///
/// ```no_run
/// #[test]
/// fn a_line_is_logged() {
///     test_support::in_own_process(|| {
///         // log::set_logger(..)
///     });
/// }
/// ```
///
/// # Panics
/// If the other process fails, or if `body` is no closure of a test; the message holds all that the process printed.
#[track_caller]
pub fn in_own_process<F: FnOnce()>(body: F) {
    let test = name_of_test::<F>();
    if std::env::var_os(VARIABLE).is_some_and(|it| *it == *test) {
        return body();
    }
    let program = std::env::current_exe().expect("the test program has a path");
    let ended = Command::new(program)
        .args([&test, "--exact", "--include-ignored", "--nocapture"])
        .env(VARIABLE, &test)
        .output()
        .expect("the test program starts");
    let printed = format!("{}{}", String::from_utf8_lossy(&ended.stdout), String::from_utf8_lossy(&ended.stderr));
    assert!(ended.status.success() && printed.contains(" 1 passed;"), "{test}: {}\n{printed}", ended.status);
}

/// What the test program calls the test: the path of its function within the crate. A closure's type is named after the
/// function that it is in.
fn name_of_test<F>() -> String {
    let path = std::any::type_name::<F>();
    let function = path.strip_suffix("::{{closure}}").unwrap_or(path);
    function.split_once("::").map_or(function, |(_, within)| within).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_test_runs_in_another_process() {
        in_own_process(|| assert!(std::env::var_os(VARIABLE).is_some()));
    }

    #[test]
    fn a_failure_in_the_other_process_fails_the_test() {
        let body = || panic!("this is said in the other process");
        let failed = std::panic::catch_unwind(|| in_own_process(body)).unwrap_err();
        if std::env::var_os(VARIABLE).is_some() {
            std::panic::resume_unwind(failed);
        }
        let said = failed.downcast_ref::<String>().unwrap();
        assert!(said.contains("this is said in the other process"), "{said}");
    }
}

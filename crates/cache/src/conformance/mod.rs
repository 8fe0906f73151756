//! The behaviour of every [`ReplyStore`](crate::ReplyStore), as tests: each implementation runs them, so that all behave the
//! same. For tests only: a case panics when a store does not conform.
//!
//! Waits in real time, some seconds altogether. Keys are new in each run, so a server may be shared.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

pub mod diagnosis;
mod fixture;
pub mod idempotency;
pub mod lists;
pub mod waiting_calls;

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

pub use fixture::MakeStore;

/// One behaviour. Panics if the store does not have it.
pub type Case = fn(MakeStore<'_>);

/// All behaviours, each with its name.
pub const CASES: &[(&str, Case)] = &[
    ("ping_answers", lists::ping_answers),
    ("values_come_in_the_order_of_pushing", lists::values_come_in_the_order_of_pushing),
    ("values_and_keys_are_kept_to_the_byte", lists::values_and_keys_are_kept_to_the_byte),
    ("a_value_of_5_mib_passes", lists::a_value_of_5_mib_passes),
    ("the_first_key_with_a_value_wins", lists::the_first_key_with_a_value_wins),
    ("present_values_are_taken_at_once", lists::present_values_are_taken_at_once),
    ("a_passed_deadline_still_takes_values", lists::a_passed_deadline_still_takes_values),
    ("a_pop_without_keys_is_an_error", lists::a_pop_without_keys_is_an_error),
    ("a_pop_without_a_value_ends_on_time", waiting_calls::a_pop_without_a_value_ends_on_time),
    ("a_passed_deadline_still_takes_a_present_value", waiting_calls::a_passed_deadline_still_takes_a_present_value),
    ("a_passed_deadline_pushes_nothing", lists::a_passed_deadline_pushes_nothing),
    ("a_waiting_pop_is_woken", waiting_calls::a_waiting_pop_is_woken),
    ("a_waiting_pop_finds_any_of_its_keys", waiting_calls::a_waiting_pop_finds_any_of_its_keys),
    ("a_popped_key_is_waited_for_again", waiting_calls::a_popped_key_is_waited_for_again),
    ("two_waiters_get_a_value_each", waiting_calls::two_waiters_get_a_value_each),
    ("a_list_ends_after_its_ttl", lists::a_list_ends_after_its_ttl),
    ("a_push_renews_the_ttl", lists::a_push_renews_the_ttl),
    ("fifty_threads_do_not_mix_up_their_values", waiting_calls::fifty_threads_do_not_mix_up_their_values),
    ("waiting_calls_do_not_block_pushes", waiting_calls::waiting_calls_do_not_block_pushes),
    ("a_claim_is_granted_to_one_owner_at_a_time", idempotency::a_claim_is_granted_to_one_owner_at_a_time),
    ("a_lease_ends_and_the_next_gets_it", idempotency::a_lease_ends_and_the_next_gets_it),
    ("a_renewed_lease_lasts_longer", idempotency::a_renewed_lease_lasts_longer),
    ("every_claim_learns_of_completed_work", idempotency::every_claim_learns_of_completed_work),
    (
        "a_late_completion_counts_unless_another_owner_has_the_lease",
        idempotency::a_late_completion_counts_unless_another_owner_has_the_lease,
    ),
    ("a_released_lease_is_free_and_other_leases_stay", idempotency::a_released_lease_is_free_and_other_leases_stay),
    ("a_record_ends_after_its_ttl", idempotency::a_record_ends_after_its_ttl),
    ("records_are_kept_to_the_byte", idempotency::records_are_kept_to_the_byte),
    ("one_of_fifty_simultaneous_claims_is_granted", idempotency::one_of_fifty_simultaneous_claims_is_granted),
    ("a_passed_deadline_claims_and_records_nothing", idempotency::a_passed_deadline_claims_and_records_nothing),
    ("a_key_holds_a_list_or_a_record", lists::a_key_holds_a_list_or_a_record),
    ("health_counts_waiting_calls", diagnosis::health_counts_waiting_calls),
    ("inspection_has_the_time", diagnosis::inspection_has_the_time),
];

/// Runs all [`CASES`].
///
/// # Panics
/// If a case fails. Its name is printed on standard error.
pub fn run(make: MakeStore<'_>) {
    for (name, case) in CASES {
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| case(make))) {
            eprintln!("conformance: {name} failed");
            resume_unwind(panic);
        }
    }
}

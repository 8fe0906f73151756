//! Private words that the field does not use. Each has a standard word, which code, comments, messages, documents and
//! file names use instead.

use std::path::Path;

use crate::tidy::finding::Finding;
use crate::tidy::tree::{File, Tree};

/// A word in any form of an identifier, a comment or a name of a file, and what is said instead.
const WORDS: &[(&str, &str)] = &[
    ("burial", "dead-lettering"),
    ("buried", "dead-lettered"),
    ("bury", "dead_letter"),
    ("crowd", "shared waiter"),
    ("errand", "republish"),
    ("errands", "republishing"),
    ("excuse", "redelivery allowance"),
    ("excuses", "redelivery allowance"),
    ("fate", "worker state"),
    ("fates", "worker states"),
    ("grave", "dead-letter queue"),
    ("hurdle", "connect step"),
    ("hurdles", "connect steps"),
    ("keeper", "supervisor, connection manager"),
    ("lane", "consumed queue"),
    ("lanes", "consumed queues"),
    ("leftovers", "forbidden"),
    ("lifeline", "socket handle"),
    ("obstacle", "connect failure"),
    ("obstacles", "connect failures"),
    ("rig", "test servers"),
    ("rungs", "RETRY_DELAYS"),
    ("sight", "snapshot"),
    ("spoil", "poison"),
    ("spoilt", "poisoned"),
    ("strike", "finish"),
    ("sulking", "wake disabled until"),
    ("tally", "counter"),
    ("vouches", "signs"),
    ("warden", "cleanup guard"),
    ("whoever", "name the subject"),
];

/// An identifier as a whole, written so, and what is said instead. As ordinary words these are fine.
const IDENTIFIERS: &[(&str, &str)] = &[
    ("Brings", "role"),
    ("Claimed", "admission"),
    ("Lack", "MissingPermission"),
    ("Owed", "orphaned BLPOP"),
    ("Right", "Permission"),
    ("Roll", "running handlers"),
    ("Standing", "Presence"),
    ("Trouble", "I/O failure"),
    ("give_back", "requeue"),
    ("hand_in", "push_reply"),
    ("held_up", "blocked moves"),
    ("is_a_callers", "is_valid_reply_key"),
    ("learn_from", "invalidate"),
    ("learn_absent", "invalidate"),
    ("take_back", "reclaim"),
    ("take_leave", "abandon in-flight"),
    ("at_work", "current message"),
];

/// The history names what was renamed, and this file lists the words.
const LEFT_OUT: [&str; 2] = ["CHANGELOG.md", "xtask/src/tidy/banned_words.rs"];

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in tree.files.iter().filter(|file| file.is("rs") || file.is("md") || file.is("toml")) {
        if LEFT_OUT.iter().any(|path| file.path == Path::new(path)) {
            continue;
        }
        let name = file.path.file_stem().unwrap_or_default().to_string_lossy();
        findings.extend(banned(&name).into_iter().map(|found| finding(file, 0, found)));
        for (number, line) in (1..).zip(file.text.lines()) {
            findings.extend(banned(line).into_iter().map(|found| finding(file, number, found)));
        }
    }
    findings
}

fn finding(file: &File, line: usize, (word, standard): (&str, &str)) -> Finding {
    let place = if line == 0 { "the file's name holds " } else { "" };
    Finding::new(&file.path, line, format!("{place}`{word}`: the standard word is {standard}"))
}

/// The banned words of a line, each once.
fn banned(line: &str) -> Vec<(&'static str, &'static str)> {
    let mut found = Vec::new();
    for identifier in line.split(|it: char| !it.is_ascii_alphanumeric() && it != '_').filter(|it| it.len() > 2) {
        found.extend(IDENTIFIERS.iter().filter(|(name, _)| *name == identifier && is_code(line, identifier)));
        for word in identifier.split('_').flat_map(humps) {
            found.extend(WORDS.iter().filter(|(banned, _)| banned.eq_ignore_ascii_case(word)));
        }
    }
    found.sort_unstable();
    found.dedup();
    found
}

/// Whether a name stands in code, and not at the beginning of a sentence.
fn is_code(line: &str, name: &str) -> bool {
    let is_comment = line.trim_start().starts_with("//");
    name.contains('_')
        || !is_comment && [" ", "(", "::", "<", "&"].iter().any(|before| line.contains(&format!("{before}{name}")))
}

/// The parts of a name such as `takeBack`, which has two.
fn humps(name: &str) -> Vec<&str> {
    let is_begin = |at: usize| {
        let bytes = name.as_bytes();
        bytes[at].is_ascii_uppercase() && !bytes[at - 1].is_ascii_uppercase()
    };
    let mut parts = Vec::new();
    let mut rest = 0;
    for at in (1..name.len()).filter(|at| is_begin(*at)) {
        parts.push(&name[rest..at]);
        rest = at;
    }
    parts.push(&name[rest..]);
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(path: &str, text: &str) -> Vec<String> {
        check(&Tree::made_up(&[(path, text)])).iter().map(Finding::to_string).collect()
    }

    #[test]
    fn a_banned_word_is_found_wherever_it_stands() {
        for text in ["fn f(lane: u8) {}", "struct LaneState;", "// Each lane has one.", "\"no such lane\"", "LANE_MAX"]
        {
            assert_eq!(found("src/a.rs", text), ["src/a.rs:1: `lane`: the standard word is consumed queue"], "{text}");
        }
        assert_eq!(found("docs/a.md", "one\nWhoever asks").len(), 1);
        assert!(found("src/warden.rs", "")[0].contains("the file's name holds `warden`"));
    }

    #[test]
    fn words_that_hold_one_and_ordinary_words_are_fine() {
        for text in ["plane", "trigger, original, right", "// Right after that.", "// Trouble ends here.", "lack of it"]
        {
            assert!(found("src/a.rs", text).is_empty(), "{text}");
        }
        assert_eq!(found("src/a.rs", "enum Trouble {}").len(), 1);
        assert_eq!(found("src/a.rs", "work.take_leave();").len(), 1);
    }

    #[test]
    fn the_history_may_name_what_was_renamed() {
        assert!(found("CHANGELOG.md", "lane -> consumed queue").is_empty());
    }

    #[test]
    fn no_standard_word_is_banned() {
        for (_, standard) in WORDS.iter().chain(IDENTIFIERS) {
            assert!(banned(standard).is_empty(), "{standard}");
        }
    }
}

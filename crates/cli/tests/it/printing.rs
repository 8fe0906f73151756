//! The output formats, completions, manual pages and invalid command lines: no server, no settings.

use std::process::{Command, Output};

use serde_json::Value;

fn run(words: &[&str], env: &[(&str, &str)]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_zc-events"));
    command.args(words).env_clear().envs(env.iter().copied()).output().unwrap()
}

fn stdout(words: &[&str]) -> String {
    let ended = run(words, &[]);
    assert!(ended.status.success(), "{words:?}: {ended:?}");
    String::from_utf8(ended.stdout).unwrap()
}

/// The commands of the help.
fn commands() -> Vec<String> {
    let help = stdout(&["-h"]);
    let list = help.split("Commands:\n").nth(1).unwrap().split("\n\n").next().unwrap();
    let name = |line: &str| line.split_whitespace().next().unwrap().to_owned();
    list.lines().filter(|line| line.starts_with("  ") && !line.starts_with("   ")).map(name).collect()
}

#[test]
fn without_a_terminal_results_are_json_lines_without_colours() {
    let printed = stdout(&["demo"]);
    for line in printed.lines() {
        let told: Value = serde_json::from_str(line).unwrap();
        assert!(told["who"].is_string() && told["what"].is_string(), "{line}");
    }
    assert_eq!(printed, stdout(&["demo", "--output", "json"]));
    assert!(printed.lines().count() > 5 && !stdout(&["--output", "pretty", "demo"]).contains('\u{1b}'));
}

#[test]
fn colours_can_be_forced_and_turned_off() {
    let words = ["demo", "--output", "pretty"];
    let coloured = run(&words, &[("CLICOLOR_FORCE", "1")]);
    assert!(String::from_utf8(coloured.stdout).unwrap().contains("\u{1b}["));
    let plain = run(&words, &[("CLICOLOR_FORCE", "0"), ("NO_COLOR", "1")]);
    assert!(!String::from_utf8(plain.stdout).unwrap().contains('\u{1b}'));
}

#[test]
fn completions_and_manual_pages_have_every_command() {
    let commands = commands();
    assert!(commands.len() > 8, "{commands:?}");
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let completions = stdout(&["completions", shell]);
        for command in &commands {
            assert!(completions.contains(command), "{shell}: {command}");
        }
    }
    let page = stdout(&["man"]);
    for command in commands.iter().filter(|command| *command != "help") {
        assert!(page.contains(&format!("zc\\-events\\-{command}")), "{command}: {page}");
        let own = stdout(&["man", command]);
        assert!(own.starts_with(".ie") && own.contains(&format!(".TH zc-events-{command} 1")), "{command}: {own}");
    }
    assert!(stdout(&["man", "dead", "replay"]).contains("most"));
    assert_eq!(run(&["man", "nothing"], &[]).status.code(), Some(2));
}

#[test]
fn invalid_command_lines_fail_before_connecting() {
    for words in [
        &["emit"][..],
        &["emit", ""],
        &["emit", "e", "--arg", "{x"],
        &["emit", "e", "--kwargs", "{\"event_type\": \"other\"}"],
        &["emit", "e", "--kwargs", "[1]"],
        &["emit", "e", "--kwargs", "@/no/such/file"],
        &["emit", "e", "--priority", "300"],
        &["emit", "e", "--protocol", "3"],
        &["emit", "e", "--count", "0"],
        &["emit", "-", "--count", "2"],
        &["emit", "-", "--kwargs", "{}"],
        &["rebuild", "index_order", "Order"],
        &["rebuild", "", "Order", "-"],
        &["rebuild", "index_order", "Order", "-", "--batch-size", "0"],
        &["get"],
        &["get", "", "5"],
        &["get", "Order", ""],
        &["get", "Order", "--query", "name"],
        &["get", "Order", "--method", "FETCH"],
        &["get", "Order", "--timeout", "5"],
        &["call", ""],
        &["call", "add", "--method", "PATCH"],
        &["call", "add", "--no-wait", "--timeout", "5s"],
        &["listen", "--for", "soon"],
        &["stub"],
        &["dead", "replay"],
        &["dead", "replay", "1", "--all"],
        &["dead", "replay", "1", "--to", ""],
        &["dead", "purge"],
        &["--output", "xml", "demo"],
    ] {
        let ended = run(words, &[]);
        assert_eq!(ended.status.code(), Some(2), "{words:?}: {ended:?}");
        assert!(ended.stdout.is_empty() && ended.stderr.starts_with(b"error: "), "{words:?}: {ended:?}");
    }
}

#[test]
fn a_negative_number_is_a_value() {
    let env = [("BROKER_URL", "memory://"), ("EVENTS_REDIS_URL", "memory://"), ("STAGING_NAME", "test")];
    for words in [
        &["emit", "e", "--arg", "-5", "--arg", "-1.5e3"][..],
        &["call", "add", "--data", "-5"],
        &["get", "Order", "-5"],
        &["get", "Order", "--method", "POST", "--data", "-5"],
    ] {
        let ended = run(words, &env);
        // The event is sent. The broker in memory is new, so that no queue is bound.
        assert_eq!(ended.status.code(), Some(7), "{words:?}: {ended:?}");
    }
}

#[test]
fn copies_of_an_event_stop_at_the_first_that_is_not_delivered() {
    let ended = run(&["emit", "e", "--count", "1000000"], &[("BROKER_URL", "memory://"), ("STAGING_NAME", "test")]);
    assert_eq!(ended.status.code(), Some(7), "{ended:?}");
    let (told, said) = (String::from_utf8(ended.stdout).unwrap(), String::from_utf8(ended.stderr).unwrap());
    assert_eq!(told.lines().count(), 1, "{told}");
    assert!(
        said.contains("1 of 1 event was not confirmed; stopped after number 1,") && said.lines().count() <= 3,
        "{said}"
    );
}

//! `docs/settings.md`, `.env.sample` and the code name the same settings, with the same numbers as defaults.

use std::collections::BTreeMap;
use std::path::Path;

use super::finding::Finding;
use super::tree::{File, Tree};

const DOCUMENT: &str = "docs/settings.md";
const SAMPLE: &str = ".env.sample";
/// The folder of the code that reads settings.
const CODE: &str = "crates/client/src/settings";

/// The settings that a place names: the name, and where.
type Names<'a> = BTreeMap<String, Setting<'a>>;

struct Setting<'a> {
    path: &'a Path,
    line: usize,
    /// The default, where this place says it.
    default: String,
}

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let (Some(sample), Some(document)) = (tree.file(SAMPLE), tree.file(DOCUMENT)) else {
        return Vec::new();
    };
    let (in_sample, in_document) = (sample_settings(sample), table_settings(document));
    let mut findings = missing(&in_sample, &in_document, DOCUMENT);
    findings.extend(missing(&in_document, &in_sample, SAMPLE));
    let in_code = code_settings(tree);
    if !in_code.is_empty() {
        findings.extend(missing(&in_code, &in_document, DOCUMENT));
        findings.extend(missing(&in_document, &in_code, CODE));
    }
    for (name, documented) in &in_document {
        let Some(sampled) = in_sample.get(name) else { continue };
        let is_number = sampled.default.parse::<u64>().is_ok();
        if is_number && sampled.default != documented.default {
            let text =
                format!("the default of {name} is {} here, and {} in {SAMPLE}", documented.default, sampled.default);
            findings.push(Finding::new(documented.path, documented.line, text));
        }
    }
    findings
}

/// A finding for each setting of one place that another place does not name.
fn missing(from: &Names<'_>, to: &Names<'_>, place: &str) -> Vec<Finding> {
    let missing = from.iter().filter(|(name, _)| !to.contains_key(*name));
    missing.map(|(name, it)| Finding::new(it.path, it.line, format!("{name} is missing in {place}"))).collect()
}

/// The settings that a sample sets, commented out or not.
fn sample_settings(file: &File) -> Names<'_> {
    let names = file.text.lines().enumerate().filter_map(|(index, line)| {
        let (name, default) = line.trim_start_matches(['#', ' ']).split_once('=')?;
        let setting = Setting { path: &file.path, line: index + 1, default: default.trim().to_owned() };
        is_name(name).then(|| (name.to_owned(), setting))
    });
    names.collect()
}

/// The names between backticks in the first cell of the rows of a document's tables; the second cell is the default.
fn table_settings(file: &File) -> Names<'_> {
    let mut names = Names::new();
    for (index, line) in file.text.lines().enumerate() {
        let Some(row) = line.trim().strip_prefix('|') else { continue };
        let mut cells = row.split('|').map(str::trim);
        let first = cells.next().unwrap_or_default();
        let default = cells.next().unwrap_or_default().trim_matches('`');
        for name in first.split('`').skip(1).step_by(2).filter(|name| is_name(name)) {
            let setting = Setting { path: &file.path, line: index + 1, default: default.to_owned() };
            names.insert(name.to_owned(), setting);
        }
    }
    names
}

/// The names that the code reads: the text in `take(.., "NAME")` and `lookup("NAME")`. Tests are left out.
fn code_settings(tree: &Tree) -> Names<'_> {
    let mut names = Names::new();
    for file in tree.rust().filter(|file| file.path.starts_with(CODE)) {
        let text = file.text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
        for (index, line) in text.lines().enumerate().filter(|(_, line)| !line.trim_start().starts_with("//")) {
            let reads = line.split("take(").skip(1).chain(line.split("lookup(").skip(1));
            for name in reads.filter_map(|call| call.split('"').nth(1)).filter(|name| is_name(name)) {
                let setting = Setting { path: &file.path, line: index + 1, default: String::new() };
                names.insert(name.to_owned(), setting);
            }
        }
    }
    names
}

fn is_name(text: &str) -> bool {
    text.starts_with(|it: char| it.is_ascii_uppercase())
        && text.contains('_')
        && text.chars().all(|it| it.is_ascii_uppercase() || it.is_ascii_digit() || it == '_')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::finding::texts;

    const TABLE: &str = "| setting | default |\n|---|---|\n| `BROKER_URL`, `OTHER_URL` | none |\n| `EVENTS_TTL` | 60 |\n| `retry` | `NOT_ONE` |\n";
    const ENV: &str = "# Where.\nBROKER_URL=amqp://h\n# OTHER_URL=\nEVENTS_TTL=60\n";
    const READS: &str = "take(&mut self.url, \"BROKER_URL\");\ntake(&mut self.other, \"OTHER_URL\");\n\
                         if let Some(ttl) = lookup(\"EVENTS_TTL\") {}\n// lookup(\"IN_A_COMMENT\")\n";

    fn found(sample: &str, document: &str, code: &str) -> Vec<String> {
        let tree =
            Tree::made_up(&[(SAMPLE, sample), (DOCUMENT, document), ("crates/client/src/settings/builder.rs", code)]);
        texts(&check(&tree))
    }

    #[test]
    fn the_same_names_and_defaults_are_fine() {
        assert_eq!(found(ENV, TABLE, READS), Vec::<String>::new());
    }

    #[test]
    fn a_name_that_one_place_lacks_is_found() {
        let with = |text: &str, line: &str| format!("{text}{line}\n");
        assert_eq!(
            found(&with(ENV, "NEW_ONE=1"), TABLE, READS),
            [".env.sample:5: NEW_ONE is missing in docs/settings.md"]
        );
        assert_eq!(
            found(ENV, &with(TABLE, "| `NEW_ONE` | 1 |"), READS),
            [
                "docs/settings.md:6: NEW_ONE is missing in .env.sample",
                "docs/settings.md:6: NEW_ONE is missing in crates/client/src/settings",
            ]
        );
        assert_eq!(
            found(ENV, TABLE, &with(READS, "take(&mut self.new, \"NEW_ONE\");")),
            ["crates/client/src/settings/builder.rs:5: NEW_ONE is missing in docs/settings.md"]
        );
    }

    #[test]
    fn another_number_as_default_is_found() {
        assert_eq!(
            found(&ENV.replace("60", "61"), TABLE, READS),
            ["docs/settings.md:4: the default of EVENTS_TTL is 60 here, and 61 in .env.sample"]
        );
    }

    #[test]
    fn names_that_only_tests_use_are_left_out() {
        let code = format!("{READS}\n#[cfg(test)]\nmod tests {{\n    lookup(\"IN_A_TEST\")\n}}\n");
        assert_eq!(found(ENV, TABLE, &code), Vec::<String>::new());
    }
}

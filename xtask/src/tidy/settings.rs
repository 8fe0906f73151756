//! `.env.sample` and the README's table of settings name the same settings.

use std::collections::BTreeMap;

use super::{Finding, Tree};

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let (Some(sample), Some(readme)) = (tree.file(".env.sample"), tree.file("README.md")) else {
        return Vec::new();
    };
    let (in_sample, in_readme) = (sample_settings(&sample.text), table_settings(&readme.text));
    if in_readme.is_empty() {
        return Vec::new();
    }
    let missing = |from: &BTreeMap<String, usize>, to: &BTreeMap<String, usize>| {
        from.iter().filter(|(name, _)| !to.contains_key(*name)).map(|(name, line)| (name.clone(), *line)).collect()
    };
    let undocumented: Vec<(String, usize)> = missing(&in_sample, &in_readme);
    let unlisted: Vec<(String, usize)> = missing(&in_readme, &in_sample);
    let mut findings = Vec::new();
    for (name, line) in undocumented {
        findings.push(Finding::new(&sample.path, line, format!("{name} is not in README.md's table of settings")));
    }
    for (name, line) in unlisted {
        findings.push(Finding::new(
            &readme.path,
            line,
            format!("{name} is in the table of settings, not in .env.sample"),
        ));
    }
    findings
}

/// The names that a sample sets, commented out or not, and their lines.
fn sample_settings(text: &str) -> BTreeMap<String, usize> {
    let names = text.lines().enumerate().filter_map(|(index, line)| {
        let (name, _) = line.trim_start_matches(['#', ' ']).split_once('=')?;
        is_name(name).then(|| (name.to_owned(), index + 1))
    });
    names.collect()
}

/// The names between backticks in the first cell of the rows of a document's tables, and their lines.
fn table_settings(text: &str) -> BTreeMap<String, usize> {
    let mut names = BTreeMap::new();
    for (index, line) in text.lines().enumerate() {
        let Some(cell) = line.trim().strip_prefix('|').and_then(|row| row.split('|').next()) else { continue };
        for name in cell.split('`').skip(1).step_by(2).filter(|name| is_name(name)) {
            names.insert(name.to_owned(), index + 1);
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
    use crate::tidy::tests::texts;

    fn found(sample: &str, readme: &str) -> Vec<String> {
        texts(&check(&Tree::made_up(&[(".env.sample", sample), ("README.md", readme)])))
    }

    const README: &str =
        "| Setting | Default |\n|---|---|\n| `BROKER_URL`, `OTHER_URL` | none |\n| `retry` | `NOT_ONE` |\n";

    #[test]
    fn the_same_names_are_fine() {
        assert!(found("# Where.\nBROKER_URL=amqp://h\n# OTHER_URL=\n", README).is_empty());
    }

    #[test]
    fn a_name_in_one_of_the_two_is_found() {
        assert_eq!(
            found("# Where.\nBROKER_URL=\nNEW_ONE=1\n", README),
            [
                ".env.sample:3: NEW_ONE is not in README.md's table of settings",
                "README.md:3: OTHER_URL is in the table of settings, not in .env.sample",
            ]
        );
    }

    #[test]
    fn a_readme_without_a_table_is_not_compared() {
        assert!(found("BROKER_URL=\n", "Nothing yet.").is_empty());
    }
}

//! What a run of the tests covers: the words behind `cargo xtask integration --`, divided between cargo and the test
//! programs.

/// Options of cargo that are followed by a value.
const WITH_VALUE: [&str; 14] = [
    "--test",
    "--bin",
    "--example",
    "--bench",
    "-p",
    "--package",
    "--exclude",
    "-F",
    "--features",
    "--profile",
    "-j",
    "--jobs",
    "--target",
    "--color",
];
/// Options of cargo that choose targets. Cargo leaves out the doctests then.
const TARGETS: [&str; 10] = [
    "--lib",
    "--bins",
    "--bin",
    "--examples",
    "--example",
    "--tests",
    "--test",
    "--benches",
    "--bench",
    "--all-targets",
];
const PACKAGES: [&str; 4] = ["-p", "--package", "--workspace", "--all"];
const FEATURES: [&str; 4] = ["-F", "--features", "--all-features", "--no-default-features"];

/// The words, divided.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Selection {
    /// Packages, features and targets, for cargo.
    cargo: Vec<String>,
    /// Filters and options, for the test programs.
    tests: Vec<String>,
    only_doctests: bool,
}

impl Selection {
    /// Divides `words`: options before a second `--` are for cargo, filters and all behind it for the test programs.
    pub(crate) fn of(words: &[String]) -> Self {
        let mut selection = Selection::default();
        let mut words = words.iter();
        while let Some(word) = words.next() {
            if word == "--" {
                selection.tests.extend(words.by_ref().cloned());
            } else if word == "--doc" {
                selection.only_doctests = true;
            } else if word.starts_with('-') {
                selection.cargo.push(word.clone());
                if WITH_VALUE.contains(&word.as_str()) {
                    selection.cargo.extend(words.next().cloned());
                }
            } else {
                selection.tests.push(word.clone());
            }
        }
        selection
    }

    /// The packages to test where the words name none.
    pub(crate) fn or_packages(mut self, packages: &[&str]) -> Self {
        if !self.names_any(&PACKAGES) {
            self.cargo.splice(0..0, packages.iter().map(|it| (*it).to_owned()));
        }
        self
    }

    /// Leaves out the tests whose name contains this.
    pub(crate) fn without(mut self, part: &str) -> Self {
        self.tests.extend(["--skip".to_owned(), part.to_owned()]);
        self
    }

    /// The arguments with which cargo builds the test programs; None where only doctests are chosen.
    pub(super) fn build(&self) -> Option<Vec<String>> {
        let words = ["test", "--no-run", "--message-format=json-render-diagnostics"];
        (!self.only_doctests).then(|| self.cargo_line(&words, &self.cargo))
    }

    /// The arguments with which cargo builds the ordinary programs, which some tests run, with the same features; None
    /// where targets are chosen.
    pub(super) fn programs(&self) -> Option<Vec<String>> {
        let words = ["build", "--bins", "--message-format=json-render-diagnostics"];
        (!self.only_doctests && !self.names_any(&TARGETS)).then(|| self.cargo_line(&words, &self.cargo))
    }

    /// The arguments with which cargo runs the doctests; None where targets are chosen.
    pub(super) fn doctests(&self) -> Option<Vec<String>> {
        if !self.only_doctests && self.names_any(&TARGETS) {
            return None;
        }
        let mut line = self.cargo_line(&["test", "--doc", "--no-fail-fast"], &self.cargo);
        line.push("--".to_owned());
        line.extend(self.tests.iter().cloned());
        Some(line)
    }

    /// The arguments of the test programs.
    pub(super) fn tests(&self) -> &[String] {
        &self.tests
    }

    fn cargo_line(&self, words: &[&str], rest: &[String]) -> Vec<String> {
        let mut line: Vec<String> = words.iter().map(|it| (*it).to_owned()).collect();
        if !self.names_any(&FEATURES) {
            line.push("--all-features".to_owned());
        }
        line.extend_from_slice(rest);
        line
    }

    fn names_any(&self, options: &[&str]) -> bool {
        self.cargo.iter().any(|word| options.contains(&word.split('=').next().unwrap_or(word)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(words: &str) -> Selection {
        let words: Vec<String> = words.split_whitespace().map(str::to_owned).collect();
        Selection::of(&words).or_packages(&["--workspace"])
    }

    fn build(words: &str) -> String {
        of(words).build().unwrap_or_default().join(" ")
    }

    const BUILD: &str = "test --no-run --message-format=json-render-diagnostics";

    #[test]
    fn everything_is_built_and_run_unless_chosen() {
        assert_eq!(build(""), format!("{BUILD} --all-features --workspace"));
        assert_eq!(of("").doctests().unwrap().join(" "), "test --doc --no-fail-fast --all-features --workspace --");
        assert!(of("").tests().is_empty());
        let programs = of("").programs().unwrap().join(" ");
        assert_eq!(programs, "build --bins --message-format=json-render-diagnostics --all-features --workspace");
    }

    #[test]
    fn filters_and_what_follows_two_dashes_go_to_the_tests() {
        let selection = of("--test amqp confirms -- --nocapture");
        assert_eq!(selection.build().unwrap().join(" "), format!("{BUILD} --all-features --workspace --test amqp"));
        assert_eq!(selection.tests(), ["confirms", "--nocapture"]);
        assert_eq!(selection.without("slow").tests(), ["confirms", "--nocapture", "--skip", "slow"]);
    }

    #[test]
    fn packages_and_features_of_ones_own_are_taken() {
        assert_eq!(build("-p zc-events --features tls"), format!("{BUILD} -p zc-events --features tls"));
        assert_eq!(build("--package=zc-events"), format!("{BUILD} --all-features --package=zc-events"));
    }

    #[test]
    fn doctests_run_alone_or_not_at_all_where_targets_are_chosen() {
        assert_eq!((of("--lib").doctests(), of("--lib").programs()), (None, None));
        let only = of("--doc -p zc-events Event");
        assert_eq!(only.build(), None);
        assert_eq!(
            only.doctests().unwrap().join(" "),
            "test --doc --no-fail-fast --all-features -p zc-events -- Event"
        );
    }
}

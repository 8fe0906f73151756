//! Imports between the files of one crate run one way: there is no circle.

mod cfg;
mod modules;
mod names;
mod resolve;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

pub(super) use modules::Modules;
pub(super) use resolve::{Found, find};
use resolve::{Uses, uses};

use crate::tidy::finding::Finding;

/// How many names are shown that tie two files.
const NAMES: usize = 3;

/// The circles in some crates. A file may belong to several of them; a circle is found once.
pub(super) fn check<'a>(crates: impl IntoIterator<Item = &'a Modules>) -> Vec<Finding> {
    let circles: BTreeSet<Vec<String>> = crates.into_iter().flat_map(circles).collect();
    circles.into_iter().map(|lines| finding(&lines)).collect()
}

/// The lines of each circle: `a.rs -> b.rs (names)`.
fn circles(modules: &Modules) -> Vec<Vec<String>> {
    let uses = uses(modules);
    let reach: BTreeMap<&PathBuf, BTreeSet<&PathBuf>> = uses.keys().map(|file| (file, reached(&uses, file))).collect();
    let mut known = BTreeSet::new();
    let mut circles = Vec::new();
    for (file, reached) in &reach {
        if !reached.contains(file) || known.contains(file) {
            continue;
        }
        let circle: BTreeSet<&PathBuf> =
            reached.iter().filter(|other| reach.get(*other).is_some_and(|back| back.contains(file))).copied().collect();
        circles.push(lines(&uses, &circle));
        known.extend(circle);
    }
    circles
}

/// The files that can be reached from one by following uses.
fn reached<'a>(uses: &'a Uses, file: &PathBuf) -> BTreeSet<&'a PathBuf> {
    let mut reached = BTreeSet::new();
    let mut ahead = vec![file];
    while let Some(file) = ahead.pop() {
        for next in uses.get(file).into_iter().flat_map(BTreeMap::keys) {
            if reached.insert(next) {
                ahead.push(next);
            }
        }
    }
    reached
}

fn lines(uses: &Uses, circle: &BTreeSet<&PathBuf>) -> Vec<String> {
    let mut lines = Vec::new();
    for from in circle {
        for (to, names) in uses.get(*from).into_iter().flatten().filter(|(to, _)| circle.contains(to)) {
            let more = if names.len() > NAMES { ", ..." } else { "" };
            let names: Vec<&str> = names.iter().take(NAMES).map(String::as_str).collect();
            lines.push(format!("{} -> {} ({}{more})", from.display(), to.display(), names.join(", ")));
        }
    }
    lines
}

fn finding(lines: &[String]) -> Finding {
    let first = lines[0].split(' ').next().unwrap_or_default();
    let text =
        format!("a circle of imports: move what both sides need into a file of its own\n    {}", lines.join("\n    "));
    Finding::new(Path::new(first), 0, text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::tree::Tree;

    fn found(files: &[(&str, &str)]) -> Vec<String> {
        check([&Modules::of(&Tree::made_up(files), Path::new("src/lib.rs"))]).iter().map(Finding::to_string).collect()
    }

    /// A crate of three files, `a` and `b` of which hold this.
    fn pair(a: &str, b: &str) -> Vec<String> {
        found(&[("src/lib.rs", "mod a;\nmod b;\npub use a::A;\npub use b::B;"), ("src/a.rs", a), ("src/b.rs", b)])
    }

    #[test]
    fn two_files_that_import_each_other_are_found_with_their_names() {
        let circle =
            pair("use crate::b::B;\npub struct A(B);", "use super::a::{self, A};\npub struct B;\nfn f(_: A) {}");
        assert_eq!(circle.len(), 1);
        assert!(circle[0].starts_with("src/a.rs: a circle of imports"), "{circle:?}");
        assert!(circle[0].contains("src/a.rs -> src/b.rs (B)\n    src/b.rs -> src/a.rs (A)"), "{circle:?}");
    }

    #[test]
    fn paths_macros_globs_and_uses_within_functions_count() {
        for a in [
            "pub struct A(crate::b::B);",
            "pub struct A;\nfn f() { super::b::B::new(); }",
            "pub struct A;\nfn f() { assert_eq!(crate::b::B, 1); }",
            "pub struct A;\nfn f() { use crate::b::B; }",
            "use crate::b::*;\npub struct A(B);",
            "pub struct A;\n#[derive(X)]\n#[with(crate::b::B)]\nstruct C;",
            "use crate::b;\npub struct A(b::B);",
            "use crate::b as other;\npub struct A(other::B);",
            "use crate::B;\npub struct A(B);",
        ] {
            assert_eq!(pair(a, "use crate::a::A;\npub struct B(A);").len(), 1, "{a}");
        }
    }

    #[test]
    fn imports_that_run_one_way_are_fine() {
        let b = "pub struct B;";
        assert!(pair("use crate::b::B;\npub struct A(B);", b).is_empty());
        assert!(
            pair("use crate::b;\npub struct A(b::B);\nfn g(x: X) { x.a(); }", "pub struct B;\nfn a() {}").is_empty()
        );
    }

    #[test]
    fn tests_are_left_out() {
        let a = "use crate::b::B;\npub struct A(B);";
        let in_tests = "pub struct B;\n#[cfg(test)]\nmod tests { use crate::a::A; }\n#[cfg(all(test, unix))]\nfn f(_: crate::a::A) {}\n\
                        impl B { #[cfg(test)] fn g(_: crate::a::A) {} }";
        assert!(pair(a, in_tests).is_empty());
        assert_eq!(pair(a, "pub struct B;\n#[cfg(not(test))]\nfn f(_: crate::a::A) {}").len(), 1);
    }

    #[test]
    fn a_parent_that_reexports_its_child_is_no_circle_and_one_that_uses_it_is() {
        let child = "use super::Kind;\npub struct Child(Kind);";
        let crate_of = |parent| found(&[("src/lib.rs", "mod a;"), ("src/a/mod.rs", parent), ("src/a/child.rs", child)]);
        assert!(crate_of("mod child;\npub use child::Child;\npub enum Kind {}").is_empty());
        assert_eq!(crate_of("mod child;\npub use child::Child;\npub enum Kind {}\nfn f(_: Child) {}").len(), 1);
        assert_eq!(crate_of("mod child;\nuse child::Child;\npub enum Kind {}").len(), 1);
    }

    #[test]
    fn a_ring_of_three_and_modules_with_a_path_are_found() {
        let ring = found(&[
            ("src/lib.rs", "#[path = \"../other/x.rs\"]\nmod a;\nmod b { pub mod c; }\nmod d;"),
            ("other/x.rs", "use crate::b::c::C;\npub struct A(C);"),
            ("src/b/c.rs", "pub struct C(crate::d::D);"),
            ("src/d.rs", "use crate::a::A;\npub struct D(A);"),
        ]);
        assert_eq!(ring.len(), 1);
        assert_eq!(ring[0].matches(" -> ").count(), 3, "{ring:?}");
    }
}

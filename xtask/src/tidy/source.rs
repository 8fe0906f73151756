//! Rust source as the checks need it: code apart from comments and strings.

/// The same text with every comment, and the inside of every string and character literal, replaced by spaces. Lines
/// and columns stay where they were.
pub(super) fn code_only(text: &str) -> String {
    let mut rest = text;
    let mut code = String::with_capacity(text.len());
    while let Some(first) = rest.chars().next() {
        let previous = code.chars().next_back();
        let (length, is_code) = match skipped(rest, previous) {
            Some(length) => (length, false),
            None => (first.len_utf8(), true),
        };
        let (piece, behind) = rest.split_at(length);
        if is_code {
            code.push_str(piece);
        } else {
            code.extend(piece.chars().map(|it| if it == '\n' { '\n' } else { ' ' }));
        }
        rest = behind;
    }
    code
}

/// The length of the comment or literal that `text` begins with.
fn skipped(text: &str, previous: Option<char>) -> Option<usize> {
    let to_end = |found: Option<usize>| found.unwrap_or(text.len());
    if text.starts_with("//") {
        return Some(to_end(text.find('\n')));
    }
    if text.starts_with("/*") {
        return Some(block_comment(text));
    }
    if text.starts_with('"') {
        return Some(string(text));
    }
    let in_word = previous.is_some_and(|it| it.is_alphanumeric() || it == '_');
    if !in_word && text.starts_with(['r', 'b', 'c']) {
        let prefix = ["br", "cr", "r"]
            .into_iter()
            .find(|prefix| text.strip_prefix(prefix).is_some_and(|rest| rest.trim_start_matches('#').starts_with('"')));
        if let Some(prefix) = prefix {
            let hashes = text[prefix.len()..].bytes().take_while(|byte| *byte == b'#').count();
            let open = prefix.len() + hashes + 1;
            let close = format!("\"{}", "#".repeat(hashes));
            return Some(to_end(text[open..].find(&close).map(|at| open + at + close.len())));
        }
    }
    if text.starts_with('\'') {
        return character(text);
    }
    None
}

/// Block comments nest.
fn block_comment(text: &str) -> usize {
    let (mut depth, mut at) = (0_usize, 0);
    while let Some(rest) = text.get(at..).filter(|rest| !rest.is_empty()) {
        if rest.starts_with("/*") {
            depth += 1;
            at += 2;
        } else if rest.starts_with("*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += rest.chars().next().map_or(1, char::len_utf8);
        }
    }
    text.len()
}

fn string(text: &str) -> usize {
    let mut escaped = false;
    for (at, it) in text.char_indices().skip(1) {
        match it {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return at + 1,
            _ => {}
        }
    }
    text.len()
}

/// A character literal; None for a lifetime.
fn character(text: &str) -> Option<usize> {
    let mut characters = text.char_indices().skip(1);
    let (_, first) = characters.next()?;
    if first == '\\' {
        characters.next();
        return characters.find(|(_, it)| *it == '\'').map(|(at, _)| at + 1);
    }
    characters.next().filter(|(_, it)| *it == '\'').map(|(at, _)| at + 1)
}

/// Where `word` stands by itself in `code`, as byte offsets.
pub(super) fn words<'a>(code: &'a str, word: &'a str) -> impl Iterator<Item = usize> + 'a {
    let in_word = |it: char| it.is_alphanumeric() || it == '_';
    code.match_indices(word).map(|(at, _)| at).filter(move |at| {
        !code[..*at].chars().next_back().is_some_and(in_word)
            && !code[at + word.len()..].chars().next().is_some_and(in_word)
    })
}

/// The number of the line that `offset` is in, from 1.
pub(super) fn line_of(text: &str, offset: usize) -> usize {
    text[..offset].matches('\n').count() + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    fn squeezed(text: &str) -> String {
        code_only(text).split_whitespace().collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn comments_and_literals_are_blanked() {
        assert_eq!(squeezed("a // b\nc /* d /* e */ f */ g"), "a c g");
        assert_eq!(squeezed(r#"a "b \" // c" d"#), "a d");
        assert_eq!(squeezed(r###"a r#"b " c"# d br"e\" f"###), "a d f");
        assert_eq!(squeezed(r"a '\'' b '/' c"), "a b c");
    }

    #[test]
    fn lifetimes_and_names_are_code() {
        assert_eq!(squeezed("fn f<'a>(x: &'a str, bar: u8)"), "fn f<'a>(x: &'a str, bar: u8)");
        assert_eq!(squeezed("number\"x\" r b"), "number r b");
    }

    #[test]
    fn lines_and_columns_stay() {
        let text = "/* a\nb */ c\n\"d\ne\" f é // g\nh";
        let code = code_only(text);
        assert_eq!(code.lines().count(), text.lines().count());
        assert_eq!(line_of(&code, code.find('f').unwrap()), 4);
        assert_eq!(code.chars().count(), text.chars().count());
    }

    #[test]
    fn an_unfinished_file_does_not_hang_or_panic() {
        for text in ["\"a", "/* a", "r#\"a", "'", "'\\", "// a", "b'"] {
            code_only(text);
        }
    }

    #[test]
    fn words_stand_by_themselves() {
        assert_eq!(words("mio amio mio_ ::mio;", "mio").collect::<Vec<_>>(), [0, 16]);
    }
}

//! E-mail addresses: the forms in which a program passes them, and which are valid.

/// One or more e-mail addresses: a string with commas between the addresses, or a list with one address in each entry.
/// Spaces around addresses are removed. A comma in double quotes is part of a name: `"Lovelace, Ada" <ada@x.org>`.
///
/// ```
/// use zc_events::Addresses;
/// assert_eq!("a@b.c, d@e.f".into_addresses(), ["a@b.c", "d@e.f"]);
/// assert_eq!(vec!["a@b.c".to_owned(), " d@e.f".to_owned()].into_addresses(), ["a@b.c", "d@e.f"]);
/// ```
pub trait Addresses {
    /// The addresses.
    fn into_addresses(self) -> Vec<String>;
}

impl Addresses for &str {
    fn into_addresses(self) -> Vec<String> {
        split(self)
    }
}

impl Addresses for &String {
    fn into_addresses(self) -> Vec<String> {
        split(self)
    }
}

impl Addresses for String {
    fn into_addresses(self) -> Vec<String> {
        split(&self)
    }
}

impl<T: AsRef<str>> Addresses for &[T] {
    fn into_addresses(self) -> Vec<String> {
        self.iter().map(|address| address.as_ref().trim().to_owned()).collect()
    }
}

impl<T: AsRef<str>> Addresses for Vec<T> {
    fn into_addresses(self) -> Vec<String> {
        self.as_slice().into_addresses()
    }
}

impl<T: AsRef<str>> Addresses for &Vec<T> {
    fn into_addresses(self) -> Vec<String> {
        self.as_slice().into_addresses()
    }
}

impl<T: AsRef<str>, const N: usize> Addresses for [T; N] {
    fn into_addresses(self) -> Vec<String> {
        self.as_slice().into_addresses()
    }
}

/// Splits at commas outside of quotes. Empty pieces are ignored.
fn split(text: &str) -> Vec<String> {
    let mut pieces = vec![String::new()];
    let (mut quoted, mut escaped) = (false, false);
    for c in text.chars() {
        if c == '"' && !escaped {
            quoted = !quoted;
        }
        escaped = quoted && c == '\\' && !escaped;
        match pieces.last_mut() {
            Some(piece) if c != ',' || quoted => piece.push(c),
            _ => pieces.push(String::new()),
        }
    }
    pieces.iter().map(|piece| piece.trim().to_owned()).filter(|piece| !piece.is_empty()).collect()
}

/// Says what is wrong with an address, as in "has no @".
pub(super) fn check(address: &str) -> Result<(), &'static str> {
    if breaks_the_line(address) {
        return Err("contains a line break or another control character");
    }
    let bare = match address.strip_suffix('>') {
        Some(named) => {
            let (name, bare) = named.rsplit_once('<').ok_or("has a `>` and no `<`")?;
            let is_quoted = name.trim().len() > 1 && name.trim().starts_with('"') && name.trim().ends_with('"');
            if name.contains(['<', '>', ',', ';']) && !is_quoted {
                return Err("has a name that needs quotes, or contains several addresses: use a list");
            }
            bare
        }
        None => address,
    };
    let (user, host) = match bare.rsplit_once('@') {
        Some((user, host)) if !user.is_empty() && !host.is_empty() => (user, host),
        _ => return Err("has no @ between a user and a host"),
    };
    let is_text = |text: &str| !text.contains(|c: char| c.is_whitespace() || matches!(c, '<' | '>' | ',' | ';' | '"'));
    if !is_text(host) || !(is_text(user) || is_quoted(user)) {
        return Err("is not one address, such as a@b.c or `Name <a@b.c>`");
    }
    if has_gaps(host) || (has_gaps(user) && !is_quoted(user)) {
        return Err("has a user or host that starts or ends with a dot, or contains two dots in a row");
    }
    Ok(())
}

/// Whether the whole text is in quotes, with inner quotes escaped: `"a b"`. Then it may contain any character.
fn is_quoted(user: &str) -> bool {
    let Some(inner) = user.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) else { return false };
    let mut escaped = false;
    let is_open = inner.chars().all(|c| {
        let ends_it = c == '"' && !escaped;
        escaped = c == '\\' && !escaped;
        !ends_it
    });
    is_open && !escaped && !inner.is_empty()
}

/// Whether the text starts or ends with a dot, or contains two in a row.
fn has_gaps(text: &str) -> bool {
    text.split('.').any(str::is_empty)
}

/// Whether a reader could take a part of the text for another line.
pub(super) fn breaks_the_line(text: &str) -> bool {
    text.contains(|c: char| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_string_is_split_at_commas_and_a_list_is_not() {
        for (text, wanted) in [
            ("", &[][..]),
            (" , ,", &[]),
            ("a@b.c", &["a@b.c"]),
            ("a@b.c,d@e.f", &["a@b.c", "d@e.f"]),
            (" a@b.c ,\td@e.f, ", &["a@b.c", "d@e.f"]),
            ("\"L, A\" <a@b.c>, d@e.f", &["\"L, A\" <a@b.c>", "d@e.f"]),
            ("\"L \\\", A\" <a@b.c>, d@e.f", &["\"L \\\", A\" <a@b.c>", "d@e.f"]),
        ] {
            assert_eq!(text.into_addresses(), wanted, "{text}");
            assert_eq!(text.to_owned().into_addresses(), wanted);
        }
        assert_eq!(["a@b.c,d@e.f", ""].into_addresses(), ["a@b.c,d@e.f", ""]);
        assert_eq!((&vec![" a@b.c\n"]).into_addresses(), ["a@b.c"]);
    }

    #[test]
    fn valid_addresses_are_accepted() {
        for address in [
            "a@b.c",
            "a+tag@b",
            "o'neil@b.c",
            "a@b@c",
            "\u{fc}ser@b\u{fc}cher.example",
            "Ada <a@b.c>",
            "<a@b.c>",
            "\"Lovelace, Ada <x>\" <a@b.c>",
            "Zo\u{eb} at home <a@b.c>",
            "first.last@b.c.d",
            "\"a b\"@c.d",
            "\"a..b, <c>; \\\" d\"@c.d",
            "Ada <\"a b\"@c.d>",
            "a@[127.0.0.1]",
        ] {
            assert_eq!(check(address), Ok(()), "{address}");
        }
    }

    #[test]
    fn invalid_addresses_are_refused() {
        for address in [
            "",
            " ",
            "ada",
            "@b.c",
            "a@",
            "@",
            "a b@c.d",
            "a@b.c d@e.f",
            "a@b.c,d@e.f",
            "a@b.c;d@e.f",
            "Ada <a@b.c",
            "Ada a@b.c>",
            "Ada <>",
            "Ada <ada>",
            "Ada <x@y.z> <a@b.c>",
            "Lovelace, Ada <a@b.c>",
            "x@y.z, Ada <a@b.c>",
            ".@.",
            "a@b..c",
            "a@.b.c",
            "a@b.c.",
            ".a@b.c",
            "a.@b.c",
            "a..b@c.d",
            "\"a\"b\"@c.d",
            "\"a b\\\"@c.d",
            "\"\"@c.d",
            "\"@c.d",
            "a\"b c\"@c.d",
            "a@\"b c\"",
            "a@b.c\r\nBcc: d@e.f",
            "a@b.c\n",
            "a\0@b.c",
            "Ada\r\nBcc: d@e.f\r\n <a@b.c>",
            "a@b.c\u{2028}d@e.f",
            "a@b.c\u{85}",
        ] {
            assert!(check(address).is_err(), "{address:?}");
        }
    }
}

//! Snake case: event types of resources, and field names for names on the wire.

use std::borrow::Cow;

/// A name in snake case, as Python's `inflection.underscore` writes it (for ASCII capitals and digits).
///
/// ```
/// use zc_events_protocol::resource::snake_case;
/// assert_eq!(snake_case("createdAt"), "created_at");
/// assert_eq!(snake_case("created-at"), "created_at");
/// assert_eq!(snake_case("HTTPServer2Name"), "http_server2_name");
/// ```
#[must_use]
pub fn snake_case(name: &str) -> Cow<'_, str> {
    if name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_') {
        return Cow::Borrowed(name);
    }
    let mut snake = String::with_capacity(name.len() + 4);
    let mut before = None;
    let mut chars = name.chars().peekable();
    while let Some(c) = chars.next() {
        if c.is_ascii_uppercase() {
            let word_ended = before.is_some_and(|b: char| b.is_ascii_lowercase() || b.is_ascii_digit());
            let acronym_ended = before.is_some_and(|b| b.is_ascii_uppercase())
                && chars.peek().is_some_and(|next| next.is_ascii_lowercase());
            if word_ended || acronym_ended {
                snake.push('_');
            }
        }
        snake.push(if c == '-' { '_' } else { c });
        before = Some(c);
    }
    Cow::Owned(snake.to_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    // The expected names are the output of inflection.underscore.
    #[test]
    fn agrees_with_inflection() {
        for (name, expected) in [
            ("", ""),
            ("name", "name"),
            ("totalCents", "total_cents"),
            ("TotalCents", "total_cents"),
            ("created-at", "created_at"),
            ("Created-At", "created_at"),
            ("created_at", "created_at"),
            ("Created_At", "created_at"),
            ("HTMLParser", "html_parser"),
            ("parseHTML", "parse_html"),
            ("HTTP2Server", "http2_server"),
            ("line1Address", "line1_address"),
            ("line1address", "line1address"),
            ("line1A", "line1_a"),
            ("ABC", "abc"),
            ("ABc", "a_bc"),
            ("AbC", "ab_c"),
            ("aBCd", "a_b_cd"),
            ("A1b", "a1b"),
            ("-a--B", "_a__b"),
            ("order items", "order items"),
            ("_Hidden", "_hidden"),
            ("caféBar", "cafébar"),
            ("ÉTÉ", "été"),
            ("Été", "été"),
            ("OrderLineItem", "order_line_item"),
            ("HTMLPage2Order", "html_page2_order"),
            ("IOError", "io_error"),
        ] {
            assert_eq!(snake_case(name), expected, "{name}");
        }
    }

    proptest! {
        #[test]
        fn a_snake_case_name_does_not_change(name in "[A-Za-z0-9_-]{0,24}") {
            let once = snake_case(&name).into_owned();
            prop_assert_eq!(snake_case(&once), once.as_str());
        }

        #[test]
        fn any_text_has_a_snake_case(name in any::<String>()) {
            prop_assert!(!snake_case(&name).contains('-'));
        }
    }
}

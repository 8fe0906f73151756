//! Which struct field a name on the wire belongs to.

use std::borrow::Cow;

use crate::snake_case::snake_case;

/// For each name on the wire: the name that the struct gets, the name on the wire, and the value. The struct gets its
/// field of exactly that name, or else the field that is the snake case of the name, unless another name on the wire is
/// exactly that field. A name without a field stays as it is.
pub(super) fn match_fields<'de, V>(
    wire: impl Iterator<Item = (&'de String, V)>,
    is_on_wire: impl Fn(&str) -> bool,
    fields: &'static [&'static str],
) -> Vec<(&'de str, &'de str, V)> {
    let mut taken: Vec<&'static str> = Vec::new();
    wire.map(|(name, value)| {
        if fields.contains(&name.as_str()) {
            return (name.as_str(), name.as_str(), value);
        }
        let snake = match snake_case(name) {
            Cow::Borrowed(_) => None,
            Cow::Owned(snake) => fields.iter().find(|&&field| field == snake),
        };
        match snake {
            Some(field) if !taken.contains(field) && !is_on_wire(field) => {
                taken.push(field);
                (*field, name.as_str(), value)
            }
            _ => (name.as_str(), name.as_str(), value),
        }
    })
    .collect()
}

/// The value of a name: that of exactly this key, or else of the first key whose snake case it is.
pub(super) fn lookup<'a, V: 'a>(
    exact: Option<&'a V>,
    all: impl Iterator<Item = (&'a String, &'a V)>,
    name: &str,
) -> Option<&'a V> {
    exact.or_else(|| all.into_iter().find(|(key, _)| snake_case(key) == name).map(|(_, value)| value))
}

//! What an item declares to its users, as a line of text: signatures and public fields, without bodies.

use quote::ToTokens;
use syn::{Fields, ImplItem, Item, ItemImpl, Signature, TraitItem, Visibility};

/// The lines of a public item: its own, and those of its public parts. Empty for an item that is not public.
pub(in crate::tidy) fn of_item(item: &Item) -> Vec<String> {
    match item {
        Item::Const(it) if is_public(&it.vis) => vec![format!("const {}: {}", it.ident, text(&it.ty))],
        Item::Static(it) if is_public(&it.vis) => vec![format!("static {}: {}", it.ident, text(&it.ty))],
        Item::Fn(it) if is_public(&it.vis) => vec![signature(&it.sig)],
        Item::Type(it) if is_public(&it.vis) => {
            vec![format!("type {}{} = {}", it.ident, text(&it.generics), text(&it.ty))]
        }
        Item::Struct(it) if is_public(&it.vis) => {
            let mut lines = vec![format!("struct {}{}", it.ident, text(&it.generics))];
            lines.extend(fields(&it.fields, true).into_iter().map(|field| format!("{}.{field}", it.ident)));
            lines
        }
        Item::Enum(it) if is_public(&it.vis) => {
            let open = it.attrs.iter().any(|attribute| attribute.path().is_ident("non_exhaustive"));
            let open = if open { " (non-exhaustive)" } else { "" };
            let mut lines = vec![format!("enum {}{}{open}", it.ident, text(&it.generics))];
            lines.extend(it.variants.iter().map(|variant| {
                let fields = fields(&variant.fields, false).join(", ");
                let fields = if fields.is_empty() { fields } else { format!(" ({fields})") };
                format!("{}::{}{fields}", it.ident, variant.ident)
            }));
            lines
        }
        Item::Trait(it) if is_public(&it.vis) => {
            let bounds = if it.supertraits.is_empty() { String::new() } else { format!(": {}", text(&it.supertraits)) };
            let mut lines = vec![format!("trait {}{}{bounds}", it.ident, text(&it.generics))];
            lines.extend(it.items.iter().filter_map(|part| match part {
                TraitItem::Fn(method) => {
                    let kind = if method.default.is_some() { " (provided)" } else { "" };
                    Some(format!("{}::{}{kind}", it.ident, signature(&method.sig)))
                }
                TraitItem::Const(part) => Some(format!("{}::const {}: {}", it.ident, part.ident, text(&part.ty))),
                TraitItem::Type(part) => Some(format!("{}::type {}", it.ident, part.ident)),
                _ => None,
            }));
            lines
        }
        Item::Macro(it) if it.attrs.iter().any(|attribute| attribute.path().is_ident("macro_export")) => {
            it.ident.iter().map(|name| format!("macro {name}!")).collect()
        }
        _ => Vec::new(),
    }
}

/// The path of the type that a block extends, and the lines of its public methods and constants. None for the block of a trait.
pub(in crate::tidy) fn of_block(block: &ItemImpl) -> Option<(Vec<String>, Vec<String>)> {
    let syn::Type::Path(of) = &*block.self_ty else { return None };
    let name = of.path.segments.last()?.ident.to_string();
    if block.trait_.is_some() {
        return None;
    }
    let lines = block.items.iter().filter_map(|part| match part {
        ImplItem::Fn(it) if is_public(&it.vis) => Some(format!("{name}::{}", signature(&it.sig))),
        ImplItem::Const(it) if is_public(&it.vis) => Some(format!("{name}::const {}: {}", it.ident, text(&it.ty))),
        _ => None,
    });
    let lines = lines.collect();
    Some((of.path.segments.iter().map(|part| part.ident.to_string()).collect(), lines))
}

fn is_public(visibility: &Visibility) -> bool {
    matches!(visibility, Visibility::Public(_))
}

/// The fields; of a structure only those that are public, of a variant all.
fn fields(fields: &Fields, only_public: bool) -> Vec<String> {
    let shown = fields.iter().enumerate().filter(|(_, field)| !only_public || is_public(&field.vis));
    let line = |(index, field): (usize, &syn::Field)| {
        let name = field.ident.as_ref().map_or_else(|| index.to_string(), ToString::to_string);
        format!("{name}: {}", text(&field.ty))
    };
    shown.map(line).collect()
}

fn signature(signature: &Signature) -> String {
    text(signature)
}

/// Tokens as people write them, more or less; what matters is that the same tokens give the same text.
fn text(tokens: &impl ToTokens) -> String {
    let mut text = tokens.to_token_stream().to_string();
    for (from, to) in [
        (" :: ", "::"),
        (":: ", "::"),
        (" ::", "::"),
        (" < ", "<"),
        ("< ", "<"),
        (" <", "<"),
        (" >", ">"),
        (" ,", ","),
        ("& ", "&"),
        (" (", "("),
        ("( ", "("),
        (" )", ")"),
        (" :", ":"),
        ("fn(", "fn ("),
        ("' ", "'"),
        ("- >", "->"),
        ("[ ", "["),
        (" ]", "]"),
        (",)", ")"),
        ("->", " -> "),
        ("  ", " "),
    ] {
        text = text.replace(from, to);
    }
    text.trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(code: &str) -> Vec<String> {
        let file = syn::parse_file(code).unwrap();
        file.items.iter().flat_map(of_item).collect()
    }

    #[test]
    fn an_item_shows_its_public_parts() {
        assert_eq!(lines("pub struct A<'a, T> { pub b: Vec<u8>, c: &'a T }"), ["struct A<'a, T>", "A.b: Vec<u8>"]);
        assert_eq!(
            lines("#[non_exhaustive] pub enum E { One, Two(u8), Three { x: String } }"),
            ["enum E (non-exhaustive)", "E::One", "E::Two (0: u8)", "E::Three (x: String)"]
        );
        assert_eq!(lines("pub fn f(a: &str) -> Result<(), E> { todo!() }"), ["fn f(a: &str) -> Result<(), E>"]);
        assert_eq!(
            lines("pub trait T: Send { fn must(&self); fn may(&self) {} }"),
            ["trait T: Send", "T::fn must(&self)", "T::fn may(&self) (provided)"]
        );
        assert!(lines("pub(crate) struct A; fn f() {} enum B {}").is_empty());
    }

    #[test]
    fn a_block_shows_its_public_methods() {
        let block = syn::parse_str("impl A { pub fn new() -> Self { A } fn hidden(&self) {} }").unwrap();
        assert_eq!(of_block(&block), Some((vec!["A".to_owned()], vec!["A::fn new() -> Self".to_owned()])));
        let of_trait = syn::parse_str("impl Default for A { fn default() -> Self { A } }").unwrap();
        assert_eq!(of_block(&of_trait), None);
    }
}

//! The paths and names that an item uses, read from its tokens: macros and attributes hold some that no syntax tree
//! shows.

use proc_macro2::{Delimiter, TokenStream, TokenTree};
use quote::ToTokens;
use syn::{ImplItem, Item, ItemUse, TraitItem};

use crate::tidy::imports::cfg::is_for_tests;

/// A path as it stands in code.
pub(super) type Name = Vec<String>;

/// Collects the names that `item` uses; `imported` gets each `use` within it.
pub(super) fn names(item: &Item, found: &mut Vec<Name>, imported: &mut dyn FnMut(ItemUse)) {
    let mut item = item.clone();
    match &mut item {
        Item::Impl(block) => block.items.retain(|it| match it {
            ImplItem::Const(it) => !it.attrs.iter().any(is_for_tests),
            ImplItem::Fn(it) => !it.attrs.iter().any(is_for_tests),
            _ => true,
        }),
        Item::Trait(block) => block.items.retain(|it| match it {
            TraitItem::Fn(it) => !it.attrs.iter().any(is_for_tests),
            _ => true,
        }),
        _ => {}
    }
    collect(item.into_token_stream(), found, imported);
}

fn collect(tokens: TokenStream, found: &mut Vec<Name>, imported: &mut dyn FnMut(ItemUse)) {
    let tokens: Vec<TokenTree> = tokens.into_iter().collect();
    let mut at = 0;
    while at < tokens.len() {
        let before = at.checked_sub(1).map(|before| &tokens[before]);
        match &tokens[at] {
            TokenTree::Group(group) => {
                collect(group.stream(), found, imported);
                at += 1;
            }
            TokenTree::Ident(word) if word == "use" => at = import(&tokens, at, imported),
            TokenTree::Ident(_) if is_sign(before, '.') || is_sign(before, '\'') => at += 1,
            TokenTree::Ident(_) => {
                let (path, next) = path(&tokens, at);
                // A single name in small letters may be a variable; it counts where it is called.
                let is_called = match tokens.get(next) {
                    Some(TokenTree::Group(group)) => group.delimiter() == Delimiter::Parenthesis,
                    after => is_sign(after, '!'),
                };
                let is_small = path[0].starts_with(|it: char| it.is_lowercase());
                // `::name` begins at another crate, and a path behind `>` is that of a type we have seen.
                let is_rest = is_sign(before, ':') && is_sign(at.checked_sub(2).map(|it| &tokens[it]), ':');
                if !is_rest && (path.len() > 1 || !is_small || is_called) {
                    found.push(path);
                }
                at = next;
            }
            _ => at += 1,
        }
    }
}

/// `a::b::c` from `at` on, and what follows it.
fn path(tokens: &[TokenTree], mut at: usize) -> (Name, usize) {
    let mut path = Vec::new();
    while let Some(TokenTree::Ident(word)) = tokens.get(at) {
        path.push(word.to_string());
        at += 1;
        let goes_on = is_sign(tokens.get(at), ':') && is_sign(tokens.get(at + 1), ':');
        if !goes_on || !matches!(tokens.get(at + 2), Some(TokenTree::Ident(_))) {
            break;
        }
        at += 2;
    }
    (path, at)
}

/// The `use` declaration at `at`. Skips only the word if it declares nothing, as in `use<'a>`.
fn import(tokens: &[TokenTree], at: usize, imported: &mut dyn FnMut(ItemUse)) -> usize {
    let Some(length) = tokens[at..].iter().position(|token| is_sign(Some(token), ';')) else { return at + 1 };
    let end = at + length + 1;
    match syn::parse2(tokens[at..end].iter().cloned().collect()) {
        Ok(import) => {
            imported(import);
            end
        }
        Err(_) => at + 1,
    }
}

fn is_sign(token: Option<&TokenTree>, sign: char) -> bool {
    matches!(token, Some(TokenTree::Punct(it)) if it.as_char() == sign)
}

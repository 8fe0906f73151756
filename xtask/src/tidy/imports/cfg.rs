//! Conditions of compilation: which code is for tests only.

use syn::Attribute;

/// Whether code with this attribute is compiled for tests only.
pub(super) fn is_for_tests(attribute: &Attribute) -> bool {
    let syn::Meta::List(list) = &attribute.meta else { return false };
    list.path.is_ident("cfg") && syn::parse2::<syn::Meta>(list.tokens.clone()).is_ok_and(|it| needs_test(&it))
}

fn needs_test(condition: &syn::Meta) -> bool {
    let syn::Meta::List(list) = condition else { return condition.path().is_ident("test") };
    let parts = syn::punctuated::Punctuated::<syn::Meta, syn::Token![,]>::parse_terminated;
    let parts = syn::parse::Parser::parse2(parts, list.tokens.clone()).unwrap_or_default();
    match () {
        () if list.path.is_ident("all") => parts.iter().any(needs_test),
        () if list.path.is_ident("any") => !parts.is_empty() && parts.iter().all(needs_test),
        () => false,
    }
}

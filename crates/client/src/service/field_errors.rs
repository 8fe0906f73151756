//! What is said of a value that does not fit a view's type: in the words of Django REST framework's fields. Where it stands
//! in the body is decided in `asked`.

use zc_events_protocol::resource::{DeserializeError, ErrorObject};

const REQUIRED: &str = "This field is required.";
const NULL: &str = "This field may not be null.";

/// The error for a value that does not have the view's type, without a pointer.
pub(super) fn error(is_missing: bool, problem: &str) -> ErrorObject {
    let (detail, code) = if is_missing { (REQUIRED.to_owned(), "required") } else { words(problem) };
    ErrorObject::new(400, detail).code(code)
}

/// The error for a body that is not a resource and does not have the view's type, with its pointer.
pub(super) fn of_value(mismatch: &DeserializeError) -> ErrorObject {
    error(mismatch.is_missing(), mismatch.problem()).pointer(mismatch.pointer())
}

/// What serde says, as a field of Django REST framework would. Neither quotes the value.
fn words(problem: &str) -> (String, &'static str) {
    let said = |detail: &str| (detail.to_owned(), "invalid");
    let kinds = ["invalid type: ", "invalid value: "].iter().find_map(|start| problem.strip_prefix(start));
    let Some((found, expected)) = kinds.and_then(|kinds| kinds.split_once(", expected ")) else {
        return if problem.starts_with("unknown variant") {
            ("Not a valid choice.".to_owned(), "invalid_choice")
        } else {
            said(problem)
        };
    };
    if found == "null" {
        return (NULL.to_owned(), "null");
    }
    match expected {
        "i8" | "i16" | "i32" | "i64" | "i128" | "isize" | "u8" | "u16" | "u32" | "u64" | "u128" | "usize" => {
            said("A valid integer is required.")
        }
        "f32" | "f64" => said("A valid number is required."),
        "a boolean" => said("Must be a valid boolean."),
        "a string" | "a borrowed string" => said("Not a valid string."),
        "a sequence" => (format!("Expected a list of items but got type \"{}\".", in_python(found)), "not_a_list"),
        "a map" => (format!("Expected a dictionary of items but got type \"{}\".", in_python(found)), "not_a_dict"),
        _ => said(problem),
    }
}

/// A kind of value, as Python calls it.
fn in_python(found: &str) -> &str {
    match found {
        "boolean" => "bool",
        "integer" => "int",
        "floating point number" => "float",
        "string" => "str",
        "object" => "dict",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde::de::DeserializeOwned;
    use serde_json::{Value, json};
    use zc_events_protocol::resource::deserialize;

    use super::*;

    fn said<T: DeserializeOwned>(value: Value) -> (String, String) {
        let mismatch = deserialize::<T>(&value).err().expect("a mismatch");
        let error = of_value(&mismatch);
        (error.detail.unwrap(), error.code.unwrap())
    }

    #[derive(serde::Deserialize)]
    enum Colour {
        Red,
    }

    #[test]
    fn fields_speak_as_in_django() {
        let pair = |detail: &str, code: &str| (detail.to_owned(), code.to_owned());
        assert_eq!(said::<u8>(json!(null)), pair(NULL, "null"));
        assert_eq!(said::<u8>(json!(-1)), pair("A valid integer is required.", "invalid"));
        assert_eq!(said::<i64>(json!("5")), pair("A valid integer is required.", "invalid"));
        assert_eq!(said::<f64>(json!("x")), pair("A valid number is required.", "invalid"));
        assert_eq!(said::<bool>(json!(1)), pair("Must be a valid boolean.", "invalid"));
        assert_eq!(said::<String>(json!(1)), pair("Not a valid string.", "invalid"));
        assert_eq!(said::<Vec<u8>>(json!("x")), pair("Expected a list of items but got type \"str\".", "not_a_list"));
        assert_eq!(
            said::<BTreeMap<String, u8>>(json!(5)),
            pair("Expected a dictionary of items but got type \"int\".", "not_a_dict")
        );
        assert!(matches!(deserialize(&json!("Red")), Ok(Colour::Red)));
        assert_eq!(said::<Colour>(json!("hush")), pair("Not a valid choice.", "invalid_choice"));
    }
}

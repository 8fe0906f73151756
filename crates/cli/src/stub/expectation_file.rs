//! The file of a stub: expectations in TOML or JSON, reloaded when it changes.

use std::path::PathBuf;
use std::time::SystemTime;

use serde_json::{Map, Value};
use zc_events_testing::Expectation;

use crate::exit::Exit;
use crate::failure::Failure;
use crate::value_parsers::{BYTE_ORDER_MARK, HAS_BYTE_ORDER_MARK};

/// The member that holds the expectations.
const EXPECT: &str = "expect";

/// The file, and its stamps at the last read and at the last check.
pub(super) struct ExpectationFile {
    path: PathBuf,
    read: Option<Stamp>,
    checked: Option<Stamp>,
}

/// Modification time and size: a change of them is a change of the file.
type Stamp = (SystemTime, u64);

impl ExpectationFile {
    pub(super) fn new(path: PathBuf) -> Self {
        Self { path, read: None, checked: None }
    }

    pub(super) fn name(&self) -> String {
        self.path.display().to_string()
    }

    /// Reads the file.
    pub(super) fn read(&mut self) -> Result<Vec<Expectation>, Failure> {
        self.checked = self.stamp();
        self.read = self.checked;
        let wrong = |why: String| Failure::new(Exit::Usage, format!("{}: {why}", self.path.display()));
        let text = std::fs::read_to_string(&self.path).map_err(|error| {
            wrong(format!("cannot be read: {error}")).hint("the file holds the expectations: see `zc-events help stub`")
        })?;
        let is_toml = self.path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("toml"));
        if !is_toml && text.starts_with(BYTE_ORDER_MARK) {
            return Err(wrong(format!("the file {HAS_BYTE_ORDER_MARK}")));
        }
        let value = if is_toml { toml(&text) } else { serde_json::from_str(&text).map_err(|error| error.to_string()) };
        let places = if is_toml { line_numbers(&text) } else { Vec::new() };
        value.and_then(|value| expectations(value, &places)).map_err(wrong)
    }

    /// Reads the file if it has changed. It must be the same at two checks, since a program may still be writing it. A missing or
    /// invalid file fails once.
    pub(super) fn read_if_changed(&mut self) -> Option<Result<Vec<Expectation>, Failure>> {
        let now = self.stamp();
        let is_done = std::mem::replace(&mut self.checked, now) == now;
        (is_done && now != self.read).then(|| self.read())
    }

    fn stamp(&self) -> Option<Stamp> {
        let metadata = std::fs::metadata(&self.path).ok()?;
        Some((metadata.modified().ok()?, metadata.len()))
    }
}

/// The lines on which the expectations of a TOML file begin.
fn line_numbers(text: &str) -> Vec<usize> {
    let head = |line: &str| line.split('#').next().unwrap_or_default().replace(char::is_whitespace, "");
    let lines = text.lines().enumerate().filter(|(_, line)| head(line) == format!("[[{EXPECT}]]"));
    lines.map(|(index, _)| index + 1).collect()
}

/// The resource or the function of an expectation, if it names one.
fn subject(value: &Value) -> String {
    let told = ["resource", "call"].into_iter().find_map(|name| Some((name, value.get(name)?.as_str()?)));
    told.map_or_else(String::new, |(name, text)| format!(" ({name} `{text}`)"))
}

fn expectations(value: Value, places: &[usize]) -> Result<Vec<Expectation>, String> {
    let list = match value {
        Value::Array(list) => list,
        Value::Object(mut file) => {
            let list = file.remove(EXPECT);
            if let Some(name) = file.keys().next() {
                return Err(format!("unknown field `{name}`; expected only `{EXPECT}`"));
            }
            match list {
                Some(Value::Array(list)) => list,
                _ => return Err(format!("the file must hold a list called `{EXPECT}` ([[{EXPECT}]] in TOML)")),
            }
        }
        _ => return Err("the file must hold a list of expectations".to_owned()),
    };
    // If the tables are written in another way, their lines are unknown.
    let places = if places.len() == list.len() { places } else { &[] };
    let read = |(index, value): (usize, Value)| {
        let line = places.get(index).map_or_else(String::new, |line| format!("line {line}: "));
        let subject = subject(&value);
        serde_json::from_value(value).map_err(|error| format!("{line}expectation {}{subject}: {error}", index + 1))
    };
    list.into_iter().enumerate().map(read).collect()
}

/// Converts TOML to JSON; dates become strings.
fn toml(text: &str) -> Result<Value, String> {
    let table: toml::Table = text.parse().map_err(|error: toml::de::Error| {
        let line = error.span().map_or(1, |span| text[..span.start.min(text.len())].lines().count().max(1));
        format!("line {line}: {}", error.message())
    })?;
    Ok(json(toml::Value::Table(table)))
}

fn json(value: toml::Value) -> Value {
    match value {
        toml::Value::String(text) => text.into(),
        toml::Value::Integer(number) => number.into(),
        toml::Value::Float(number) => number.into(),
        toml::Value::Boolean(it) => it.into(),
        toml::Value::Datetime(at) => at.to_string().into(),
        toml::Value::Array(list) => list.into_iter().map(json).collect(),
        toml::Value::Table(table) => table.into_iter().map(|(name, it)| (name, json(it))).collect::<Map<_, _>>().into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(name: &str, text: &str) -> Result<Vec<String>, String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        let read = ExpectationFile::new(path).read();
        let told = |expected: Vec<Expectation>| expected.iter().map(ToString::to_string).collect();
        read.map(told).map_err(|failure| failure.text().replace(&folder.path().display().to_string(), "."))
    }

    const TOML: &str = "
        [[expect]]
        resource = 'Order'
        pk = 5
        [expect.body.data]
        type = 'Order'
        id = '5'
        attributes = { at = 2024-05-01T10:00:00Z }

        [[expect]]
        call = 'add'
        result = 3
    ";

    #[test]
    fn toml_and_json_are_equivalent() {
        let both = ["GET Order \"5\"", "call of `add`"].map(str::to_owned).to_vec();
        assert_eq!(read("a.toml", TOML), Ok(both.clone()));
        let list = r#"[{"resource": "Order", "pk": 5, "status": 200}, {"call": "add", "result": 3}]"#;
        assert_eq!(read("a.json", list), Ok(both.clone()));
        assert_eq!(read("a.json", &format!("{{\"expect\": {list}}}")), Ok(both));
        assert_eq!(toml(TOML).unwrap()["expect"][0]["body"]["data"]["attributes"]["at"], "2024-05-01T10:00:00Z");
    }

    #[test]
    fn errors_name_the_place() {
        for (name, text, why) in [
            ("a.toml", "[[expect]]\nresource = 'Order\n", "./a.toml: line 2: "),
            ("a.toml", "[[expected]]\ncall = 'a'\n", "./a.toml: unknown field `expected`"),
            ("a.toml", "", "./a.toml: the file must hold a list called `expect`"),
            ("a.json", "[{}\n", "./a.json: EOF while parsing a list at line 2"),
            ("a.json", "3", "./a.json: the file must hold a list"),
            ("a.json", "\u{feff}[]", "./a.json: the file begins with a byte order mark"),
            (
                "a.json",
                r#"[{"call": "a"}, {"call": "b", "stats": 5}]"#,
                "./a.json: expectation 2 (call `b`): unknown field `stats`",
            ),
            (
                "a.toml",
                "# what there is\n[[expect]]\ncall = 'a'\n\n[[ expect ]] # and\nresource = 'Order'\nstatus = 99999\n",
                "./a.toml: line 5: expectation 2 (resource `Order`): `status` must be a number from 100 to 599",
            ),
        ] {
            let told = read(name, text).unwrap_err();
            assert!(told.starts_with(why), "{text}: {told}");
        }
        assert!(ExpectationFile::new("/no/such/file.toml".into()).read().is_err());
    }

    #[test]
    fn a_change_is_reported_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.json");
        std::fs::write(&path, "[]").unwrap();
        let mut file = ExpectationFile::new(path.clone());
        assert!(file.read().unwrap().is_empty() && file.read_if_changed().is_none());
        std::fs::write(&path, r#"[{"call": "a"}]"#).unwrap();
        assert!(file.read_if_changed().is_none(), "it may not be whole yet");
        assert_eq!(file.read_if_changed().unwrap().unwrap().len(), 1);
        let is_wrong_once = |file: &mut ExpectationFile| {
            assert!(file.read_if_changed().is_none());
            assert!(file.read_if_changed().unwrap().is_err() && file.read_if_changed().is_none());
        };
        std::fs::write(&path, "[{").unwrap();
        is_wrong_once(&mut file);
        std::fs::remove_file(&path).unwrap();
        is_wrong_once(&mut file);
    }
}

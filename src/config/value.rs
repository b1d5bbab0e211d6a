//! One written value with its place, and the ways to read it as a word of its own type.

use super::suggest::one_of;
use super::zones::Zones;
use crate::fileset::invalid::Invalid;
use crate::fileset::quantity::Span;
use std::ops::Range;
use std::path::PathBuf;
use std::str::FromStr;
use toml::Spanned;
use toml::de::DeValue;

/// What is written behind a key.
#[derive(Debug, Clone)]
pub struct Value {
    pub data: Data,
    /// Its bytes in the document.
    pub span: Range<usize>,
}

/// The shapes that a key of ours can have.
#[derive(Debug, Clone)]
pub enum Data {
    Text {
        text: String,
        /// Where the text begins in the document; absent where escapes make the two differ.
        start: Option<usize>,
    },
    Number(i64),
    Flag(bool),
    List(Vec<Value>),
    /// None of ours, in words.
    Other(&'static str),
}

/// Why a value cannot be read.
#[derive(Debug, Clone)]
pub enum Fault {
    /// It is not even of the right shape. The key knows how to say what would be.
    Shape { span: Range<usize>, wanted: &'static str, found: &'static str },
    /// It has the right shape and says something wrong.
    Word { span: Range<usize>, message: String },
}

pub type Read<T> = Result<T, Vec<Fault>>;

impl Value {
    /// From the parser's tree of `source`.
    pub fn new(source: &str, value: &Spanned<DeValue<'_>>) -> Self {
        let span = value.span();
        let data = match value.get_ref() {
            DeValue::String(text) => {
                let raw = source.get(span.clone()).unwrap_or_default();
                let quotes = if raw.starts_with("\"\"\"") || raw.starts_with("'''") { 3 } else { 1 };
                let inner = raw.get(quotes..raw.len().saturating_sub(quotes));
                let start = (inner == Some(text.as_ref())).then_some(span.start + quotes);
                Data::Text { text: text.clone().into_owned(), start }
            }
            DeValue::Integer(number) => i64::from_str_radix(number.as_str(), number.radix())
                .map_or(Data::Other("so large a number"), Data::Number),
            DeValue::Boolean(flag) => Data::Flag(*flag),
            DeValue::Array(items)
                if items.iter().all(|item| item.get_ref().is_table()) && !items.is_empty() =>
            {
                Data::Other("a list of tables")
            }
            DeValue::Array(items) => Data::List(items.iter().map(|item| Self::new(source, item)).collect()),
            DeValue::Float(_) => Data::Other("a number with a fraction"),
            DeValue::Datetime(_) => Data::Other("a date"),
            DeValue::Table(_) => Data::Other("a table"),
        };
        Self { data, span }
    }

    fn shape(&self) -> &'static str {
        match &self.data {
            Data::Text { .. } => "text",
            Data::Number(_) => "a bare number",
            Data::Flag(_) => "true or false",
            Data::List(_) => "a list",
            Data::Other(shape) => shape,
        }
    }

    fn wanted<T>(&self, wanted: &'static str) -> Read<T> {
        Err(vec![Fault::Shape { span: self.span.clone(), wanted, found: self.shape() }])
    }

    fn wrong<T>(&self, message: impl Into<String>) -> Read<T> {
        Err(vec![self.fault(&Invalid::new(message))])
    }

    /// Blames the part of this value that `invalid` blames, as narrowly as the document allows.
    pub fn fault(&self, invalid: &Invalid) -> Fault {
        let span = match (&self.data, &invalid.at) {
            (Data::Text { start: Some(start), .. }, Some(at)) => start + at.start..start + at.end,
            _ => self.span.clone(),
        };
        Fault::Word { span, message: invalid.message.clone() }
    }

    fn as_text(&self) -> Read<&str> {
        match &self.data {
            Data::Text { text, .. } => Ok(text),
            _ => self.wanted("text"),
        }
    }

    fn list(&self) -> Read<&[Self]> {
        match &self.data {
            Data::List(items) => Ok(items),
            _ => self.wanted("a list"),
        }
    }
}

/// Any text: whoever uses it checks it.
pub fn text(value: &Value, _: &Zones) -> Read<String> {
    value.as_text().map(str::to_owned)
}

/// A word that checks itself.
pub fn word<T: FromStr<Err = Invalid>>(value: &Value, _: &Zones) -> Read<T> {
    value.as_text()?.parse().map_err(|invalid| vec![value.fault(&invalid)])
}

/// A list of such words: every wrong one is found.
pub fn words<T: FromStr<Err = Invalid>>(value: &Value, zones: &Zones) -> Read<Vec<T>> {
    let (mut good, mut faults) = (Vec::new(), Vec::new());
    for item in value.list()? {
        match word(item, zones) {
            Ok(word) => good.push(word),
            Err(found) => faults.extend(found.into_iter().map(|fault| match fault {
                Fault::Shape { span, found, .. } => Fault::Shape { span, wanted: "a list of text", found },
                fault @ Fault::Word { .. } => fault,
            })),
        }
    }
    if faults.is_empty() { Ok(good) } else { Err(faults) }
}

/// A word, or `"none"`.
pub fn word_or_none<T: FromStr<Err = Invalid>>(value: &Value, zones: &Zones) -> Read<Option<T>> {
    if value.as_text()? == "none" { Ok(None) } else { word(value, zones).map(Some) }
}

pub fn flag(value: &Value, _: &Zones) -> Read<bool> {
    match value.data {
        Data::Flag(flag) => Ok(flag),
        _ => value.wanted("true or false"),
    }
}

/// A whole number of `least` and more.
pub fn number(value: &Value, least: u16) -> Read<u16> {
    let Data::Number(number) = value.data else { return value.wanted("a whole number") };
    match u16::try_from(number) {
        Ok(number) if number >= least => Ok(number),
        _ => value.wrong(format!("{number} is out of range: {least} to {}", u16::MAX)),
    }
}

/// One of a closed set of words.
pub fn choice<T: Copy>(value: &Value, choices: &[(&str, T)]) -> Read<T> {
    let text = value.as_text()?;
    if let Some((_, choice)) = choices.iter().find(|(word, _)| *word == text) {
        return Ok(*choice);
    }
    value.wrong(format!("{text:?} is not known here: use {}", one_of(choices.iter().map(|(word, _)| *word))))
}

/// A length of time of at least `least`.
pub fn span_from(value: &Value, zones: &Zones, least: Span) -> Read<Span> {
    let span: Span = word(value, zones)?;
    if span < least { value.wrong(format!("too short: at least \"{least}\"")) } else { Ok(span) }
}

/// An absolute path of this machine.
pub fn path(value: &Value, _: &Zones) -> Read<PathBuf> {
    let text = value.as_text()?;
    if !text.starts_with('/') {
        return value.wrong(format!("{text:?} is not an absolute path: it must begin with '/'"));
    }
    if text.chars().any(char::is_control) {
        return value.wrong("a control character cannot be in a path");
    }
    if text.split('/').any(|part| part == "..") {
        return value.wrong("\"..\" cannot be in a path");
    }
    // systemd 257 loses these on the way to a sandbox, and a transfer that has to name them there does not start.
    if let Some(odd) = text.chars().find(|c| matches!(c, ':' | '\\' | '"' | '\'')) {
        return value.wrong(format!("{odd:?} cannot be in a path here: systemd cannot name it in a sandbox"));
    }
    // Without doubled and trailing slashes: one path has one spelling.
    Ok(std::path::Path::new(text).components().collect())
}

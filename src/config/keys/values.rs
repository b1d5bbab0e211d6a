//! How the values of single keys are read, where they have a rule beside that of their word.

use crate::config::value::{self, Read, Value, word, word_or_none, words};
use crate::config::zones::Zones;
use crate::fileset::command::CommandLine;
use crate::fileset::hours::BlacklistHours;
use crate::fileset::invalid::Invalid;
use crate::fileset::key::KeyRule;
use crate::fileset::name::Tag;
use crate::fileset::quantity::Size;
use crate::fileset::zone::Zone;
use crate::transport::exec::settings::shown;
use crate::transport::rsync::words::Pattern;
use crate::transport::zfs::selection::Selected;
use crate::transport::zfs::settings::Raw;
use std::str::FromStr;

pub fn hours(value: &Value, zones: &Zones) -> Read<BlacklistHours> {
    if !matches!(value.data, value::Data::List(_)) {
        return word(value, zones);
    }
    let all: Vec<BlacklistHours> = words(value, zones)?;
    let union = all.iter().fold(BlacklistHours::default(), BlacklistHours::union);
    // Each may leave hours that another takes.
    union.check().map_err(|invalid| vec![value.fault(&invalid)])?;
    Ok(union)
}

pub fn zone(value: &Value, zones: &Zones) -> Read<Zone> {
    let name = value::text(value, zones)?;
    zones.named(&name).map_err(|invalid| vec![value.fault(&invalid)])
}

/// A list is a command and nothing but a list is one: no text becomes a program by a slip of the pen.
pub fn key_rule(value: &Value, zones: &Zones) -> Read<KeyRule> {
    if !matches!(value.data, value::Data::List(_)) {
        return word(value, zones);
    }
    command_line(value, zones).map(KeyRule::Command)
}

pub fn bwlimit(value: &Value, zones: &Zones) -> Read<Option<Size>> {
    let limit: Option<Size> = word_or_none(value, zones)?;
    if limit.is_some_and(|limit| limit < Size::from_bytes(1024)) {
        let message = "too little: at least \"1K\" a second, or \"none\" for no limit";
        return Err(vec![value.fault(&Invalid::new(message))]);
    }
    Ok(limit)
}

pub fn raw(value: &Value, zones: &Zones) -> Read<Raw> {
    match value.data {
        value::Data::Flag(true) => Ok(Raw::Always),
        value::Data::Flag(false) => Ok(Raw::Never),
        _ => match value::text(value, zones)?.as_str() {
            "auto" => Ok(Raw::Auto),
            text => Err(vec![value.fault(&Invalid::new(format!(
                "{text:?} is not known here: use \"auto\" (raw where the source is encrypted), true or false"
            )))]),
        },
    }
}

pub fn datasets(value: &Value, zones: &Zones) -> Read<Vec<Selected>> {
    let datasets: Vec<Selected> = words(value, zones)?;
    if datasets.is_empty() {
        let message = "nothing is backed up: name datasets of the source, as in [\"rpool/data\"]";
        return Err(vec![value.fault(&Invalid::new(message))]);
    }
    Ok(datasets)
}

/// A command that a sandbox can show.
pub fn command(value: &Value, zones: &Zones) -> Read<CommandLine> {
    shown(command_line(value, zones)?).map_err(|invalid| vec![value.fault(&invalid)])
}

fn command_line(value: &Value, zones: &Zones) -> Read<CommandLine> {
    let words: Vec<Word> = words(value, zones)?;
    let words: Vec<String> = words.into_iter().map(|Word(word)| word).collect();
    words.try_into().map_err(|invalid| vec![value.fault(&invalid)])
}

/// Any text.
struct Word(String);

impl FromStr for Word {
    type Err = Invalid;
    fn from_str(text: &str) -> Result<Self, Invalid> {
        Ok(Self(text.to_owned()))
    }
}

/// A pattern that begins at the source.
struct Include(Pattern);

impl FromStr for Include {
    type Err = Invalid;
    fn from_str(text: &str) -> Result<Self, Invalid> {
        let pattern: Pattern = text.parse()?;
        if !text.starts_with('/') {
            return Err(Invalid::new(format!(
                "an include begins with '/', at the source: write \"/{text}\""
            )));
        }
        Ok(Self(pattern))
    }
}

pub fn includes(value: &Value, zones: &Zones) -> Read<Vec<Pattern>> {
    let patterns: Vec<Include> = words(value, zones)?;
    if patterns.is_empty() {
        let message =
            "nothing is included: name what is backed up, as in [\"/etc\", \"/home\"], or all of it: [\"/\"]";
        return Err(vec![value.fault(&Invalid::new(message))]);
    }
    Ok(patterns.into_iter().map(|Include(pattern)| pattern).collect())
}

pub fn tagged(value: &Value, zones: &Zones) -> Read<Tag> {
    let text = value::text(value, zones)?;
    let Some(tag) = text.strip_prefix("tag:") else {
        let message = "another planb is asked by a tag: write it as \"tag:offsite\"";
        return Err(vec![value.fault(&Invalid::new(message))]);
    };
    let start = text.len() - tag.len();
    tag.parse().map_err(|invalid: Invalid| {
        let at = invalid.at.map(|at| at.start + start..at.end + start);
        vec![value.fault(&Invalid { at, ..invalid })]
    })
}

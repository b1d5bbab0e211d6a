//! Numbers with units, and never without: sizes, durations and shares.

use super::invalid::Invalid;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// A number of bytes, written `512K`, `10M`, `1.5G`, `2T` (powers of 1024, as rsync and zfs count) or `100B`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Size(u64);

impl Size {
    pub const fn from_bytes(bytes: u64) -> Self {
        Self(bytes)
    }

    pub const fn bytes(self) -> u64 {
        self.0
    }
}

/// A length of time, written `90s`, `15m`, `12h`, `2d`, `1w` or several of them (`1h 30m`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Span(Duration);

impl Span {
    pub const fn from_secs(secs: u64) -> Self {
        Self(Duration::from_secs(secs))
    }

    pub const fn duration(self) -> Duration {
        self.0
    }

    pub const fn secs(self) -> u64 {
        self.0.as_secs()
    }
}

/// A share of a whole from `0%` to `100%`, in steps of a thousandth of a percent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Percent(u32);

impl Percent {
    /// This share of `whole`, rounded down.
    pub fn of(self, whole: u64) -> u64 {
        let part = u128::from(whole) * u128::from(self.0) / 100_000;
        u64::try_from(part).unwrap_or(u64::MAX)
    }
}

/// `1 file`, `2 files`: for nouns that take an s.
pub fn counted(number: u64, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}

/// Splits `10.5M` into its number and its unit, and says what is missing.
fn number_and_unit<'t>(text: &'t str, what: &str, example: &str) -> Result<(f64, &'t str), Invalid> {
    let split = text.find(|c: char| !(c.is_ascii_digit() || c == '.')).unwrap_or(text.len());
    let (number, unit) = text.split_at(split);
    let number: f64 = number.parse().map_err(|_| {
        Invalid::new(format!("{text:?} is not a {what}: write a number and its unit, as in {example}"))
    })?;
    if unit.trim().is_empty() {
        return Err(Invalid::new(format!("{text:?} has no unit: write it as in {example}")));
    }
    Ok((number, unit.trim()))
}

impl FromStr for Size {
    type Err = Invalid;
    fn from_str(text: &str) -> Result<Self, Invalid> {
        let (number, unit) = number_and_unit(text, "size", "\"10M\"")?;
        let factor = match unit.strip_suffix("iB").unwrap_or(unit) {
            "B" => 1_u64,
            "K" => 1 << 10,
            "M" => 1 << 20,
            "G" => 1 << 30,
            "T" => 1 << 40,
            "P" => 1 << 50,
            _ => {
                let at = text.len() - unit.len()..text.len();
                return Err(Invalid::at(
                    at,
                    format!("{unit:?} is not a unit of size: use B, K, M, G, T or P"),
                ));
            }
        };
        #[expect(
            clippy::cast_precision_loss,
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "the number has no sign, the product is compared with the limit first"
        )]
        {
            let bytes = number * factor as f64;
            if bytes >= u64::MAX as f64 {
                return Err(Invalid::new(format!("{text:?} is more bytes than can be counted")));
            }
            Ok(Self(bytes as u64))
        }
    }
}

impl fmt::Display for Size {
    /// As people read it: `1.5 GiB`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const UNITS: [&str; 7] = ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
        #[expect(clippy::cast_precision_loss, reason = "shown with one digit after the point")]
        let mut number = self.0 as f64;
        let mut unit = 0;
        while number >= 1023.95 && unit < UNITS.len() - 1 {
            number /= 1024.0;
            unit += 1;
        }
        let digits = usize::from(unit > 0);
        f.pad(&format!("{number:.digits$} {}", UNITS[unit]))
    }
}

impl FromStr for Span {
    type Err = Invalid;
    fn from_str(text: &str) -> Result<Self, Invalid> {
        let mut total = Duration::ZERO;
        let mut rest = text.trim();
        if rest.is_empty() {
            return Err(Invalid::new(
                "a duration cannot be empty: write a number and its unit, as in \"12h\"",
            ));
        }
        while !rest.is_empty() {
            let number_end = rest.find(|c: char| !(c.is_ascii_digit() || c == '.')).unwrap_or(rest.len());
            let after = rest[number_end..].trim_start();
            let unit_end = after.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(after.len());
            let (number, unit) = number_and_unit(
                &format!("{}{}", &rest[..number_end], &after[..unit_end]),
                "duration",
                "\"12h\"",
            )
            .map(|(number, unit)| (number, unit.to_owned()))?;
            let secs: u32 = match unit.as_str() {
                "s" | "sec" => 1,
                "m" | "min" => 60,
                "h" => 3600,
                "d" => 86_400,
                "w" => 604_800,
                _ => {
                    let start = text.len() - after.len();
                    return Err(Invalid::at(
                        start..start + unit_end,
                        format!("{unit:?} is not a unit of time: use s, m, h, d or w"),
                    ));
                }
            };
            total = Duration::try_from_secs_f64(number * f64::from(secs))
                .ok()
                .and_then(|part| total.checked_add(part))
                .filter(|sum| *sum <= Duration::from_secs(10 * 366 * 86_400))
                .ok_or_else(|| Invalid::new(format!("{text:?} is longer than ten years")))?;
            rest = after[unit_end..].trim_start();
        }
        Ok(Self(total))
    }
}

impl fmt::Display for Span {
    /// As people read it, the two largest units: `2d 4h`, `3m 20s`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rest = self.0.as_secs();
        let mut parts = Vec::new();
        for (unit, secs) in [("d", 86_400), ("h", 3600), ("m", 60), ("s", 1)] {
            if rest >= secs || (unit == "s" && parts.is_empty()) {
                parts.push(format!("{}{unit}", rest / secs));
                rest %= secs;
            } else if !parts.is_empty() {
                break;
            }
            if parts.len() == 2 {
                break;
            }
        }
        f.pad(&parts.join(" "))
    }
}

impl FromStr for Percent {
    type Err = Invalid;
    fn from_str(text: &str) -> Result<Self, Invalid> {
        let (number, unit) = number_and_unit(text, "share", "\"50%\"")?;
        if unit != "%" {
            let at = text.len() - unit.len()..text.len();
            return Err(Invalid::at(at, format!("{unit:?} is not a unit of shares: write \"50%\"")));
        }
        if number > 100.0 {
            return Err(Invalid::new(format!("{text:?} is more than all of it: at most \"100%\"")));
        }
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "between 0 and 100,000, just checked"
        )]
        Ok(Self((number * 1000.0).round() as u32))
    }
}

impl fmt::Display for Percent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("{}%", f64::from(self.0) / 1000.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_units() {
        for (text, bytes) in
            [("0B", 0), ("100B", 100), ("10M", 10 << 20), ("1.5G", 3 << 29), ("2TiB", 2 << 40)]
        {
            assert_eq!(text.parse::<Size>().map(Size::bytes), Ok(bytes), "{text}");
        }
        for bad in ["10", "", "M", "10X", "-1M", "1e3M", "99999999P", "1.2.3M", "10 mb"] {
            assert!(bad.parse::<Size>().is_err(), "{bad:?}");
        }
        assert_eq!("10X".parse::<Size>().expect_err("bad").at, Some(2..3));
        assert_eq!(Size(0).to_string(), "0 B");
        assert_eq!(Size(1536).to_string(), "1.5 KiB");
        assert_eq!(Size((1 << 20) - 1).to_string(), "1.0 MiB");
    }

    #[test]
    fn spans_have_units_and_add_up() {
        for (text, secs) in [("90s", 90), ("15m", 900), ("1h 30m", 5400), ("1h30m", 5400), ("2w", 1_209_600)]
        {
            assert_eq!(text.parse::<Span>().map(Span::secs), Ok(secs), "{text}");
        }
        for bad in ["", "10", "h", "1y", "-1h", "1h 30", "99999999w"] {
            assert!(bad.parse::<Span>().is_err(), "{bad:?}");
        }
        assert_eq!("1h 3x".parse::<Span>().expect_err("bad").at, Some(4..5));
        for (secs, text) in
            [(0, "0s"), (59, "59s"), (200, "3m 20s"), (3600, "1h"), (3605, "1h"), (187_200, "2d 4h")]
        {
            assert_eq!(Span::from_secs(secs).to_string(), text);
        }
    }

    #[test]
    fn shares_are_between_none_and_all() {
        assert_eq!("50%".parse::<Percent>().map(|p| p.of(1001)), Ok(500));
        assert_eq!("0.5%".parse::<Percent>().map(|p| p.of(u64::MAX)), Ok(u64::MAX / 200));
        for bad in ["50", "101%", "-1%", "%", "5 percent"] {
            assert!(bad.parse::<Percent>().is_err(), "{bad:?}");
        }
    }
}

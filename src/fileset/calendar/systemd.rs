//! Asks the real systemd, in tests only.

use crate::host::process::{Captured, Error, Limits, Program};
use crate::host::signals::Stop;
use time::macros::format_description;
use time::{OffsetDateTime, PrimitiveDateTime};

/// What systemd makes of an expression.
#[derive(Debug, PartialEq, Eq)]
pub struct Reading {
    pub normalized: String,
    /// Whole seconds: it shows no fractions.
    pub elapses: Vec<OffsetDateTime>,
}

/// Whether `systemd-analyze calendar` can be asked; says so where not, and fails where nothing may be skipped.
pub fn installed() -> bool {
    let found = analyze("UTC", &["--version"]).is_ok_and(|done| done.ending.is_clean());
    #[expect(clippy::disallowed_methods, reason = "a test's own switch")]
    let strict = std::env::var_os("CI").is_some_and(|ci| ci == "true");
    if !found {
        println!("skipped: systemd-analyze is not installed (Debian: systemd)");
        assert!(!strict, "with CI=true nothing may be skipped");
    }
    found
}

/// Reads `expression` with the local zone `zone` and gives its next `count` elapses after `base`; nothing if systemd
/// refuses it.
///
/// Reads the output of `TZ=ZONE systemd-analyze calendar --base-time=@SECONDS --iterations=N -- EXPRESSION`.
pub fn read(expression: &str, zone: &str, base: OffsetDateTime, count: usize) -> Option<Reading> {
    let (base, count) = (format!("--base-time=@{}", base.unix_timestamp()), format!("--iterations={count}"));
    let out = analyze(&format!(":{zone}"), &["calendar", &base, &count, "--", expression])
        .expect("systemd-analyze");
    if !out.ending.is_clean() {
        let stderr = String::from_utf8_lossy(&out.stderr);
        assert!(stderr.contains("Failed to parse calendar specification"), "{expression:?}: {out:?}");
        return None;
    }
    let stdout = String::from_utf8(out.stdout).expect("text");
    let fields: Vec<_> = stdout.lines().filter_map(|line| line.trim().split_once(": ")).collect();
    let in_utc = fields.iter().any(|(key, _)| *key == "(in UTC)");
    let elapse = |(key, value): &(&str, &str)| {
        let wanted =
            if in_utc { *key == "(in UTC)" } else { *key == "Next elapse" || key.starts_with("Iter") };
        (wanted && *value != "never").then(|| {
            let format = format_description!("[year]-[month]-[day] [hour]:[minute]:[second] UTC");
            let (_weekday, value) = value.split_once(' ').expect("a weekday");
            PrimitiveDateTime::parse(value, format).unwrap_or_else(|e| panic!("{value:?}: {e}")).assume_utc()
        })
    };
    let normalized = fields.iter().find(|(key, _)| *key == "Normalized form").expect("the normalized form");
    Some(Reading { normalized: normalized.1.to_owned(), elapses: fields.iter().filter_map(elapse).collect() })
}

fn analyze(zone: &str, args: &[&str]) -> Result<Captured, Error> {
    let stop = Stop::new().expect("a socket pair");
    let limits = Limits { stop: &stop, deadline: None };
    Program::find("systemd-analyze")?.env("TZ", zone).args(args).capture(limits, 1 << 20)
}

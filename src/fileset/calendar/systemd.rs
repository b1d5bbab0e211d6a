//! Asks the real systemd, in tests only.

use std::process::Command;
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
    #[expect(clippy::disallowed_methods, reason = "a test that compares with the real program starts it")]
    let found =
        Command::new("systemd-analyze").arg("--version").output().is_ok_and(|out| out.status.success());
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
    #[expect(clippy::disallowed_methods, reason = "a test that compares with the real program starts it")]
    let out = Command::new("systemd-analyze")
        .env_clear()
        .env("PATH", "/usr/bin:/bin")
        .env("LC_ALL", "C.UTF-8")
        .env("TZ", format!(":{zone}"))
        .args(["calendar", &format!("--base-time=@{}", base.unix_timestamp())])
        .args([&format!("--iterations={count}"), "--", expression])
        .output()
        .expect("systemd-analyze");
    if !out.status.success() {
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

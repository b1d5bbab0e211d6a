//! The words of an `[rsync]` table. Each is checked once, so that none can become an option, a command or a second
//! argument on its way to rsync or the source's shell.

use crate::fileset::invalid::Invalid;
use crate::fileset::word::word;
use crate::transport::ssh::words::{no_control, no_dash, no_parent, only};

word!(
    /// The absolute path on the source that `data/` mirrors.
    SourcePath,
    source_path
);
word!(
    /// `module` or `module/path` of an rsync daemon.
    DaemonSource,
    daemon_source
);
word!(
    /// The rsync program on the source: a bare name or an absolute path.
    RemoteProgram,
    remote_program
);
word!(
    /// An rsync pattern of `include` or `exclude`.
    Pattern,
    pattern
);
word!(
    /// One long option for rsync, of those that cannot undo what PlanB promises.
    Flag,
    flag
);

fn source_path(text: &str) -> Result<(), Invalid> {
    no_control(text, "source")?;
    if !text.starts_with('/') {
        return Err(Invalid::at(0..1, format!("a source is an absolute path: write \"/{text}\"")));
    }
    no_parent(text, "source")
}

fn daemon_source(text: &str) -> Result<(), Invalid> {
    no_control(text, "source")?;
    no_dash(text, "source")?;
    if text.starts_with('/') {
        return Err(Invalid::at(
            0..1,
            "an rsync daemon's source is \"module\" or \"module/path\", without a leading '/'",
        ));
    }
    if let Some(at) = text.find(':') {
        return Err(Invalid::at(at..at + 1, "write the host as `host` and only \"module/path\" here"));
    }
    no_parent(text, "source")
}

fn remote_program(text: &str) -> Result<(), Invalid> {
    no_dash(text, "program")?;
    // The source's shell reads this word.
    only(text, "program", |c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | '/' | '+'))
        .map_err(|e| Invalid {
            message: format!("{}: it is one program, without arguments", e.message),
            at: e.at,
        })?;
    if text.contains('/') && !text.starts_with('/') {
        return Err(Invalid::new("a program on the source is a bare name or an absolute path"));
    }
    no_parent(text, "program")
}

/// rsync drops a longer rule from a file of rules and goes on.
const LONGEST_PATTERN: usize = 4000;

fn pattern(text: &str) -> Result<(), Invalid> {
    if text.len() > LONGEST_PATTERN {
        return Err(Invalid::new(format!("a pattern has at most {LONGEST_PATTERN} bytes")));
    }
    no_control(text, "pattern")?;
    no_parent(text, "pattern")
}

/// Options of rsync that change how it looks or speaks, never what is deleted, linked, executed or written where.
pub(super) const FLAGS: [&str; 36] = [
    "--8-bit-output",
    "--address",
    "--atimes",
    "--block-size",
    "--checksum",
    "--checksum-choice",
    "--checksum-seed",
    "--compress",
    "--compress-choice",
    "--compress-level",
    "--contimeout",
    "--copy-unsafe-links",
    "--crtimes",
    "--fuzzy",
    "--iconv",
    "--ignore-times",
    "--ipv4",
    "--ipv6",
    "--max-alloc",
    "--max-size",
    "--min-size",
    "--modify-window",
    "--munge-links",
    "--no-compress",
    "--no-hard-links",
    "--no-iconv",
    "--no-sparse",
    "--no-whole-file",
    "--omit-dir-times",
    "--omit-link-times",
    "--one-file-system",
    "--open-noatime",
    "--preallocate",
    "--safe-links",
    "--skip-compress",
    "--whole-file",
];

fn flag(text: &str) -> Result<(), Invalid> {
    no_control(text, "flag")?;
    let name = text.split_once('=').map_or(text, |(name, _)| name);
    if !text.starts_with("--") {
        return Err(Invalid::new(format!(
            "{text:?} is not a flag: write rsync's long option, as in \"--iconv=utf8,latin1\""
        )));
    }
    if FLAGS.contains(&name) {
        return Ok(());
    }
    Err(Invalid::at(0..name.len(), format!("{name} cannot be set here; these can: {}", FLAGS.join(", "))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::str::FromStr;

    fn refuses<T: FromStr<Err = Invalid> + std::fmt::Debug>(words: &[&str]) {
        for word in words {
            word.parse::<T>().expect_err(word);
        }
    }

    fn takes<T: FromStr<Err = Invalid>>(words: &[&str]) {
        for word in words {
            assert_eq!(word.parse::<T>().err(), None, "{word:?}");
        }
    }

    #[test]
    fn no_word_becomes_an_option_or_a_command() {
        refuses::<SourcePath>(&["", "etc", "/../etc", "/a/..", "/a\0b", "/a\nb"]);
        takes::<SourcePath>(&["/", "/srv/with space", "/..a", "/-x"]);
        refuses::<DaemonSource>(&["", "/module", "-m", "host::module", "m/../x"]);
        refuses::<RemoteProgram>(&[
            "",
            "rsync; id",
            "sudo rsync",
            "-e",
            "$(id)",
            "./rsync",
            "/../rsync",
            "`id`",
        ]);
        takes::<RemoteProgram>(&["rsync", "/usr/local/bin/rsync-3.2"]);
        refuses::<Pattern>(&[&"x".repeat(4001), "", "a\nb", "/etc/../root", ".."]);
        takes::<Pattern>(&["/etc", "*.cache", "- x", "/-rf", "/home/*/with space"]);
    }

    #[test]
    fn no_flag_undoes_what_is_promised() {
        refuses::<Flag>(&[
            "--rsh=id",
            "-e",
            "--remove-source-files",
            "--delete",
            "--inplace",
            "--rsync-path=x",
            "--checksu",
        ]);
        takes::<Flag>(&["--iconv=utf8,latin1", "--checksum", "--one-file-system"]);
    }
}

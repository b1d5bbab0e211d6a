//! What rsync's end means. The one place where a transfer becomes a success.

use super::output::Statistics;
use super::remote::{self, DO_NOT_RUN, NotNow};
use super::said::Said;
use super::settings::{Settings, Source, Vanished};
use crate::fileset::progress::Transferred;
use crate::host::process::Ending;
use crate::transport::{Failure, Verdict, ssh};

/// rsync(1), EXIT VALUES: the code, what it means in plain words, and what to do. 0 is not in it; 23, 24 and whatever
/// ssh explains are told in more detail below.
const CODES: [(i32, &str, &str); 24] = [
    (
        1,
        "rsync did not understand its arguments",
        "check `flags`: the source's rsync may be too old for one of them",
    ),
    (
        2,
        "the two rsyncs do not understand each other",
        "check that the login on the source prints nothing by itself",
    ),
    (3, "rsync could not use its directories", "check `source` and that the storage can be written to"),
    (
        4,
        "the source's rsync cannot do what was asked of it",
        "update rsync there, or set metadata = \"basic\"",
    ),
    (5, "the rsync daemon refused", "check its module's name, user and password"),
    (6, "the rsync daemon could not write its log", "see the daemon's log"),
    (10, "the connection failed", "check `host`, `port`, the network and the firewall"),
    (11, "reading or writing a file failed", "check the storage"),
    (
        12,
        "the connection ended before the transfer did",
        "see the journal; it will be resumed where it ended",
    ),
    (13, "rsync could not report", "see the journal"),
    (14, "rsync's own processes lost each other", "check this host's memory and process limits"),
    (15, "one of rsync's processes crashed", "see the journal and `coredumpctl`"),
    (16, "one of rsync's processes was killed", "check for the out-of-memory killer on both hosts"),
    (19, "rsync was told to end by its other half", "see the journal"),
    (20, "somebody ended rsync with a signal", "find out who, here or on the source"),
    (21, "rsync lost one of its processes", "see the journal"),
    (22, "rsync ran out of memory", "check both hosts' memory"),
    (25, "rsync stopped deleting at a limit", "remove the limit"),
    STALLED,
    (35, "the rsync daemon did not answer in time", "check `host`, `port` and the firewall"),
    (124, "the remote command failed on the source", "see the journal"),
    (125, "the remote command was killed on the source", "see the journal"),
    (126, "the remote command could not be started", "check `rsync-path` and its permissions on the source"),
    (127, "rsync is not installed on the source", "install it there, or set `rsync-path`"),
];

const STALLED: (i32, &str, &str) =
    (30, "no data came for longer than `stall-timeout`", "check the source's load and the network");

/// Turns the end into figures or a failure. `Ok` needs a clean end by itself *and* all statistics.
pub fn judge(
    ending: Ending,
    said: &Said,
    statistics: &Statistics,
    settings: &Settings,
    place: &ssh::Place<'_>,
) -> Result<Transferred, Failure> {
    let local = matches!(settings.source, Source::Local(_));
    let fail = |verdict, reason: String, exit_code| Err(Failure { verdict, reason, exit_code });
    match ending {
        Ending::Stopped => fail(Verdict::Interrupted, "the transfer was stopped".to_owned(), None),
        Ending::TimedOut => {
            let reason = "the transfer took longer than `timeout` and was stopped: the next run goes on from there; \
                          raise `timeout` or `bwlimit` if that is not enough";
            fail(Verdict::TimedOut, reason.to_owned(), None)
        }
        Ending::Stalled => {
            // The same thing, whether rsync or we were the first to lose patience.
            let (_, meaning, advice) = STALLED;
            fail(Verdict::Failed, format!("{meaning}: {advice}"), None)
        }
        Ending::Signalled(_) => {
            let reason = format!("rsync {ending}: check for the out-of-memory killer (journalctl -k)");
            fail(Verdict::Failed, reason, None)
        }
        Ending::Exited(code @ (0 | 24)) if code == 0 || settings.vanished == Vanished::Accept => {
            statistics.transferred(local).ok_or_else(|| {
                let reason = "rsync printed no statistics, so nothing shows that it did its work: \
                              check that /usr/bin/rsync is rsync 3.1 or later";
                Failure { verdict: Verdict::Failed, reason: reason.to_owned(), exit_code: Some(code) }
            })
        }
        Ending::Exited(code) => {
            let (verdict, reason) = explain(code, said, settings, place);
            fail(verdict, reason, Some(code))
        }
    }
}

/// The most telling reason first: what we know for sure, then what was said, then the code.
///
/// Which code comes out when ssh or the remote command fails is a race inside rsync between their exit code and its own
/// 12; so the lines decide wherever they can.
fn explain(code: i32, said: &Said, settings: &Settings, place: &ssh::Place<'_>) -> (Verdict, String) {
    if let (Some(not_now), Source::Ssh(_)) = (&said.not_now, &settings.source) {
        return match not_now {
            NotNow::Files(names) => {
                let host = settings.source.host().map_or("the source", |host| host.as_str());
                (Verdict::Deferred, deferral(host, names))
            }
            NotNow::Unreadable => (
                Verdict::Failed,
                format!(
                    "the login user cannot look into {DO_NOT_RUN} on the source, so it may mean \"not now\": \
                     let the user read it there, or set do-not-run = false"
                ),
            ),
        };
    }
    if let Some(reason) = &said.full {
        return (
            Verdict::Failed,
            format!("the backup storage is full ({reason}): make room, or shorten `retain` and prune"),
        );
    }
    match code {
        24 => {
            return (
                Verdict::Deferred,
                format!(
                    "files vanished while they were read: {}; exclude them, or set vanished = \"accept\" where \
                     that is normal",
                    said.vanished
                ),
            );
        }
        23 if !said.unread.is_empty() => {
            let advice = if said.denied {
                "; log in as a user who may read them (user = \"root\", or sudo = true), or exclude them"
            } else {
                ""
            };
            return (Verdict::Failed, format!("not everything could be copied: {}{advice}", said.unread));
        }
        23 => return (Verdict::Failed, format!("not everything could be copied: {}", said.ending())),
        _ => {}
    }
    if let Source::Ssh(ssh) = &settings.source
        && code != 30
        && let Some(reason) =
            ssh::explain(said.lines(), &ssh.login, place, |lines| remote::trouble(lines, ssh))
    {
        return (Verdict::Failed, reason);
    }
    let ending = said.ending();
    let reason = match CODES.iter().find(|(known, _, _)| *known == code) {
        Some((_, meaning, advice)) if ending.is_empty() => format!("{meaning} (exit code {code}): {advice}"),
        Some((_, meaning, advice)) => format!("{meaning} (exit code {code}): {advice}; rsync said: {ending}"),
        None => format!("rsync exited with {code}, which it does not document: {ending}"),
    };
    (Verdict::Failed, reason)
}

/// What is said when a source does not want to be backed up now.
pub fn deferral(host: &str, names: &str) -> String {
    format!("{host} does not want to be backed up now: {DO_NOT_RUN} there has {names}")
}

#[cfg(test)]
mod tests {
    use super::super::tests::{settings, ssh_settings};
    use super::*;
    use std::path::Path;

    const STATISTICS: &str = "Number of files: 3\nNumber of regular files transferred: 1\nTotal file size: 9 bytes\n\
                              Total bytes sent: 7\nTotal bytes received: 8";

    fn judged(
        ending: Ending,
        errors: &[&str],
        output: &str,
        vanished: Vanished,
    ) -> Result<Transferred, Failure> {
        let (mut said, mut statistics) = (Said::default(), Statistics::default());
        for line in errors {
            said.hear(line.as_bytes(), &mut |_| ());
        }
        for line in output.lines() {
            statistics.read(line);
        }
        let mut settings = settings(Source::Ssh(ssh_settings(22)));
        settings.vanished = vanished;
        let place = ssh::Place { known_hosts: Path::new("/kh"), home: Path::new("/home") };
        judge(ending, &said, &statistics, &settings, &place)
    }

    fn failed(ending: Ending, errors: &[&str]) -> Failure {
        judged(ending, errors, STATISTICS, Vanished::Retry).expect_err("a failure")
    }

    #[test]
    fn only_a_clean_end_with_all_figures_is_a_success() {
        for code in -1..=255 {
            for vanished in [Vanished::Retry, Vanished::Accept] {
                let good = code == 0 || (code == 24 && vanished == Vanished::Accept);
                let ending = Ending::Exited(code);
                assert_eq!(judged(ending, &[], STATISTICS, vanished).is_ok(), good, "{code} {vanished:?}");
                assert!(judged(ending, &[], "Number of files: 3", vanished).is_err(), "{code}");
            }
        }
        for ending in [Ending::Signalled(9), Ending::Stopped, Ending::TimedOut, Ending::Stalled] {
            assert!(judged(ending, &[], STATISTICS, Vanished::Accept).is_err(), "{ending:?}");
        }
    }

    #[test]
    fn every_code_has_plain_words() {
        for (code, meaning, advice) in CODES {
            let reason = failed(Ending::Exited(code), &["what rsync said"]).reason;
            for words in [meaning, advice, &format!("{code}"), "what rsync said"] {
                assert!(reason.contains(words), "{code}: {reason}");
            }
        }
        let unknown = failed(Ending::Exited(99), &["one", "two", "three", "four"]);
        assert_eq!(unknown.reason, "rsync exited with 99, which it does not document: two; three; four");
        assert_eq!((unknown.verdict, unknown.exit_code), (Verdict::Failed, Some(99)));
    }

    #[test]
    fn our_own_ends_come_before_what_rsync_said() {
        let line = "ssh: Could not resolve hostname web1: Name or service not known";
        assert_eq!(failed(Ending::Stopped, &[line]).verdict, Verdict::Interrupted);
        assert_eq!(failed(Ending::TimedOut, &[line]).verdict, Verdict::TimedOut);
        assert!(failed(Ending::Signalled(9), &[line]).reason.starts_with("rsync was ended by SIGKILL"));
    }

    #[test]
    fn a_deferral_needs_a_failed_rsync() {
        let line = "planb: do-not-run.d: upgrade";
        assert_eq!(failed(Ending::Exited(75), &[line]).verdict, Verdict::Deferred);
        assert_eq!(failed(Ending::Exited(12), &[line]).verdict, Verdict::Deferred);
        assert!(judged(Ending::Exited(0), &[line], STATISTICS, Vanished::Retry).is_ok());
        assert_eq!(failed(Ending::Exited(75), &[]).verdict, Verdict::Failed);
    }
}

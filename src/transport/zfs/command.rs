//! What is asked of the source, as the text that its login shell reads.
//!
//! Nothing in it is quoted: every word is made of characters that no shell takes for anything but themselves, but for the
//! semicolon between commands in a [`row`]. So the text is the same words to every shell, and a forced command can read it
//! without being one.
//!
//! A source that was set up by `planb authorize` lets exactly these through ([`admission`](super::admission)).

use super::settings::Settings;
use super::wire::{CopyId, Dataset, From, Mark, OURS, Send, Span, Token};
use std::collections::BTreeMap;
use std::fmt::Write;

/// zfs by its path: users who are not root do not have it in theirs.
pub const ZFS: &str = "/sbin/zfs";

/// Before what only root may do, and no permission of zfs's lets another do without letting them do more.
pub const SUDO: &str = "sudo -n ";

/// The columns of a listing.
pub const COLUMNS: &str =
    "name,type,guid,createtxg,encryption,encryptionroot,keystatus,referenced,written,userrefs,planb:copy";

/// Those of another: how much was written since the snapshot whose name stands behind it.
pub const WRITTEN: &str = "name,written";

/// The longest command. The kernel takes 128 KiB for one argument, and a login shell gets all of it as one.
const LONGEST: usize = 120_000;

/// The commands that list these datasets with their snapshots and bookmarks, each with as many as it has room for. Where
/// what is below is not wanted it is listed all the same, one level of it: zfs does not tell snapshots from children.
pub fn list(datasets: &[&Dataset], recursive: bool) -> Vec<String> {
    let depth = if recursive { "-r" } else { "-d 1" };
    let start = format!("{ZFS} list -Hp -o {COLUMNS} -t filesystem,volume,snapshot,bookmark {depth}");
    shared(&start, datasets.iter().map(ToString::to_string))
}

/// The commands that list snapshots of that name.
pub fn list_snapshots(datasets: &[Dataset], name: &Mark) -> Vec<String> {
    let start = format!("{ZFS} list -Hp -o {COLUMNS} -t snapshot");
    shared(&start, datasets.iter().map(|dataset| format!("{dataset}@{name}")))
}

/// The commands that say how much was written to these datasets between these snapshots of theirs. zfs looks at both at one
/// moment, and at whatever there was between them, whether it is still there or not.
pub fn written(spans: &[Span]) -> Vec<String> {
    let mut from: BTreeMap<&Mark, Vec<&Span>> = BTreeMap::new();
    for span in spans {
        from.entry(&span.from).or_default().push(span);
    }
    let of = |(from, spans): (&Mark, Vec<&Span>)| {
        let start = format!("{ZFS} list -Hp -o {WRITTEN}@{from} -t snapshot");
        shared(&start, spans.into_iter().map(|Span { dataset, to, .. }| format!("{dataset}@{to}")))
    };
    from.into_iter().flat_map(of).collect()
}

/// The command that makes snapshots at one moment, of datasets of one pool; `None` where it would be too long.
pub fn snapshot(datasets: &[&Dataset], name: &Mark, copy: CopyId) -> Option<String> {
    let mut command = format!("{ZFS} snapshot -o {OURS}={copy}");
    for dataset in datasets {
        let _ = write!(command, " {dataset}@{name}");
    }
    (command.len() <= LONGEST).then_some(command)
}

/// The command that sends, and says on its standard error how much it is going to be.
pub fn send(send: &Send, settings: &Settings) -> String {
    let Send { dataset, snapshot, raw, .. } = send;
    let mut command = format!("{ZFS} send -vP");
    for (letter, wanted) in [('w', *raw), ('c', settings.compressed), ('L', settings.large_block)] {
        if wanted {
            command.push(letter);
        }
    }
    // Writing to a String cannot fail.
    if let Some(base) = base(send) {
        let _ = write!(command, " -i {base}");
    }
    let _ = write!(command, " {dataset}@{snapshot}");
    command
}

/// What it builds on, as zfs calls it.
pub fn base(send: &Send) -> Option<String> {
    match &send.from {
        From::Nothing => None,
        From::Snapshot(base) => Some(format!("{}@{base}", send.dataset)),
        // Its short form would begin with what begins a comment.
        From::Bookmark(base) => Some(format!("{}#{base}", send.dataset)),
    }
}

/// The command that goes on where a stream broke off. What is sent and how is in the token.
pub fn resume(token: &Token) -> String {
    format!("{ZFS} send -vP -t {token}")
}

/// What we hold snapshots by.
pub fn tag(copy: CopyId) -> String {
    format!("planb-{copy}")
}

/// The commands that hold these snapshots.
pub fn hold<'a>(snapshots: impl Iterator<Item = (&'a Dataset, &'a Mark)>, copy: CopyId) -> Vec<String> {
    shared(&format!("{ZFS} hold {}", tag(copy)), snapshots.map(|(dataset, name)| format!("{dataset}@{name}")))
}

/// The commands that let these go.
pub fn release<'a>(snapshots: impl Iterator<Item = (&'a Dataset, &'a Mark)>, copy: CopyId) -> Vec<String> {
    shared(
        &format!("{ZFS} release {}", tag(copy)),
        snapshots.map(|(dataset, name)| format!("{dataset}@{name}")),
    )
}

/// The command that makes a bookmark of a snapshot, called as that is.
pub fn bookmark(dataset: &Dataset, snapshot: &Mark) -> String {
    format!("{ZFS} bookmark {dataset}@{snapshot} {dataset}#{snapshot}")
}

/// The command that destroys these snapshots of one dataset, and can name nothing else. All of them, or none.
pub fn destroy(dataset: &Dataset, snapshots: &[&Mark], sudo: bool) -> String {
    let names: Vec<&str> = snapshots.iter().map(|name| name.as_str()).collect();
    format!("{}{ZFS} destroy {dataset}@{}", if sudo { SUDO } else { "" }, names.join(","))
}

/// The command that destroys one bookmark.
pub fn forget(dataset: &Dataset, bookmark: &Mark, sudo: bool) -> String {
    format!("{}{ZFS} destroy {dataset}#{bookmark}", if sudo { SUDO } else { "" })
}

/// The most that is run in a row. A shell that takes them apart gets slow with more.
const ROW: usize = 16_000;

/// How many of these commands, from the first on, go into one row: each behind the other, whatever became of that.
pub fn row(commands: &[String]) -> (usize, String) {
    let mut row = String::new();
    for (number, command) in commands.iter().enumerate() {
        if number > 0 && row.len() + command.len() > ROW {
            return (number, row);
        }
        if number > 0 {
            row.push_str(" ; ");
        }
        row.push_str(command);
    }
    (commands.len(), row)
}

/// `start` with all of these words behind it, as often as it takes.
fn shared(start: &str, words: impl Iterator<Item = String>) -> Vec<String> {
    let mut commands: Vec<String> = Vec::new();
    for word in words {
        match commands.last_mut() {
            Some(last) if last.len() + 1 + word.len() <= LONGEST => {
                last.push(' ');
                last.push_str(&word);
            }
            _ => commands.push(format!("{start} {word}")),
        }
    }
    commands
}

#[cfg(test)]
pub(super) mod tests {
    use super::super::settings::tests::settings;
    use super::*;
    use crate::host::process::{Limits, Program};
    use crate::host::signals::Stop;

    pub fn dataset(text: &str) -> Dataset {
        text.parse().expect("a dataset")
    }

    pub fn mark(text: &str) -> Mark {
        text.parse().expect("a name")
    }

    pub fn span(dataset: &Dataset, from: &Mark, to: &Mark) -> Span {
        Span { dataset: dataset.clone(), from: from.clone(), to: to.clone() }
    }

    /// Every command there is, with names as odd as they can be.
    pub fn all() -> Vec<String> {
        let settings = settings(&["rpool/data"], &[], true);
        let (one, other) = (dataset("rpool/data/a.b:c_-"), dataset("rpool/data"));
        let (name, base) = (mark("planb-20260102T030405Z-0000000000000007"), mark("auto_2026.01:x-"));
        let of = |from, raw| Send { dataset: one.clone(), snapshot: name.clone(), from, raw };
        let copy = CopyId(7);
        let pairs = || [(&one, &name), (&other, &name)].into_iter();
        [
            list(&[&one, &other], true),
            list(&[&one], false),
            list_snapshots(&[one.clone(), other.clone()], &name),
            written(&[span(&one, &name, &name), span(&other, &name, &name)]),
            snapshot(&[&one, &other], &name, copy).into_iter().collect(),
            vec![
                send(&of(From::Nothing, false), &settings),
                send(&of(From::Snapshot(base.clone()), true), &settings),
                send(&of(From::Bookmark(base.clone()), false), &settings),
                resume(&"1-e604ea4bf-e0-789c63a2".parse().expect("a token")),
            ],
            hold(pairs(), copy),
            release(pairs(), copy),
            vec![bookmark(&one, &name), destroy(&one, &[&name, &name], false), forget(&one, &name, false)],
        ]
        .concat()
    }

    #[test]
    fn every_shell_reads_the_words_as_they_are() {
        let stop = Stop::new().expect("a socket pair");
        let shells = ["sh", "bash", "dash", "zsh", "ksh", "fish", "busybox"];
        let mut tried = 0;
        for command in all() {
            for shell in shells {
                let Ok(program) = Program::find(shell) else { continue };
                let program = if shell == "busybox" { program.arg("sh") } else { program };
                let script = format!("printf '%s\\n' {command}");
                let said = program
                    .args(["-c", &script])
                    .capture(Limits { stop: &stop, deadline: None }, 1 << 16)
                    .expect("it runs");
                let words = String::from_utf8(said.stdout).expect("text");
                assert_eq!(
                    words.lines().collect::<Vec<_>>(),
                    command.split(' ').collect::<Vec<_>>(),
                    "{shell}"
                );
                tried += 1;
            }
        }
        assert!(tried > 0);
    }

    #[test]
    fn what_is_sent_is_what_was_asked_for() {
        let mut settings = settings(&["rpool/data"], &[], true);
        let mut wish = Send {
            dataset: dataset("rpool/data"),
            snapshot: mark("b"),
            from: From::Bookmark(mark("a")),
            raw: true,
        };
        assert_eq!(send(&wish, &settings), "/sbin/zfs send -vPwcL -i rpool/data#a rpool/data@b");
        (settings.compressed, settings.large_block, wish.raw) = (false, false, false);
        wish.from = From::Snapshot(mark("a"));
        assert_eq!(send(&wish, &settings), "/sbin/zfs send -vP -i rpool/data@a rpool/data@b");
        wish.from = From::Nothing;
        assert_eq!(send(&wish, &settings), "/sbin/zfs send -vP rpool/data@b");
    }

    #[test]
    fn what_has_one_base_is_compared_with_it_by_one_command() {
        let (one, other, third) = (dataset("rpool/a"), dataset("rpool/b"), dataset("rpool/c"));
        let (old, new, now) = (mark("old"), mark("new"), mark("now"));
        let spans = [span(&one, &old, &now), span(&other, &new, &now), span(&third, &old, &now)];
        assert_eq!(
            written(&spans),
            [
                "/sbin/zfs list -Hp -o name,written@new -t snapshot rpool/b@now",
                "/sbin/zfs list -Hp -o name,written@old -t snapshot rpool/a@now rpool/c@now"
            ]
        );
    }

    #[test]
    fn many_datasets_are_a_few_commands_and_one_moment_is_one() {
        let many: Vec<Dataset> = (0..3000).map(|n| dataset(&format!("rpool/{n:050}"))).collect();
        let commands = list_snapshots(&many, &mark("x"));
        assert!(commands.len() == 2 && commands.iter().all(|command| command.len() <= LONGEST));
        let words: usize = commands.iter().map(|command| command.matches('@').count()).sum();
        assert_eq!(words, 3000);
        assert_eq!(snapshot(&many.iter().collect::<Vec<_>>(), &mark("x"), CopyId(7)), None);
        assert!(snapshot(&many.iter().take(1000).collect::<Vec<_>>(), &mark("x"), CopyId(7)).is_some());
        assert!(hold(std::iter::empty(), CopyId(7)).is_empty());
    }

    #[test]
    fn commands_go_in_rows_of_some_length() {
        let commands: Vec<String> = (0..500).map(|n| format!("/sbin/zfs destroy rpool/{n:050}@x")).collect();
        let (mut rest, mut rows, mut seen) = (&commands[..], 0, Vec::new());
        while !rest.is_empty() {
            let (number, text) = row(rest);
            assert!(number > 0 && text.len() <= ROW + 200);
            seen.extend(text.split(" ; ").map(str::to_owned));
            (rest, rows) = (&rest[number..], rows + 1);
        }
        assert!(seen == commands && (2..5).contains(&rows), "{rows}");
        let long = ["x".repeat(2 * ROW), "y".into()];
        assert_eq!(row(&long), (1, long[0].clone()));
    }

    #[test]
    fn only_what_stands_behind_a_dataset_is_ever_destroyed() {
        let (of, one, two) = (dataset("rpool/data"), mark("a"), mark("b"));
        assert_eq!(destroy(&of, &[&one, &two], true), "sudo -n /sbin/zfs destroy rpool/data@a,b");
        assert_eq!(forget(&of, &one, false), "/sbin/zfs destroy rpool/data#a");
    }
}

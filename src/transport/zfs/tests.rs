//! Hands over the real ssh and sshd. zfs itself is a script here that knows a few commands, and no other; the real one is
//! asked in tests/zfs.

use super::settings::tests::settings;
use super::wire::{Answer, CopyId, From, Order, Send, Why};
use super::*;
use crate::fileset::name::Name;
use crate::fileset::workspace::{Workspace, Writes};
use crate::host::signals::Stop;
use crate::transport::Verdict;
use crate::transport::rsync::tests::sshd::Sshd;
use nix::sys::signal::Signal;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::fd::OwnedFd;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};
use tempfile::TempDir;

const NAME: &str = "planb-20260102T030405Z-0000000000000007";

/// So much is sent where there is an end.
const SIZE: u64 = 300 << 20;

const ZFS: &str = r#"
row() { printf '%s\t%s\t%s\t5\toff\t-\t-\t98304\t0\t0\t%s\n' "$@"; }
case $SSH_ORIGINAL_COMMAND in
"/sbin/zfs list -Hp -o "*" -t filesystem,volume,snapshot,bookmark -d 1 rpool/data rpool/gone")
    row rpool/data filesystem 10 -
    row rpool/data@NAME snapshot 11 0000000000000007
    echo "cannot open 'rpool/gone': dataset does not exist" >&2
    exit 1 ;;
"/sbin/zfs snapshot -o planb:copy=0000000000000007 rpool/data@NAME") ;;
"/sbin/zfs list -Hp -o "*" -t snapshot rpool/data@NAME")
    row rpool/data@NAME snapshot 11 0000000000000007 ;;
"/sbin/zfs send -vPcL rpool/data@NAME")
    printf 'full\trpool/data@NAME\tSIZE\nsize\tSIZE\n10:00:00\t1\trpool/data@NAME\n' >&2
    head -c SIZE /dev/zero ;;
"/sbin/zfs send -vPcL -i rpool/data@none rpool/data@NAME")
    echo "cannot open 'rpool/data@none': dataset does not exist" >&2
    exit 1 ;;
"/sbin/zfs send -vPcL -i rpool/data#half rpool/data@NAME")
    head -c 1000 /dev/zero
    echo "internal error: zebra" >&2
    exit 134 ;;
"/sbin/zfs send -vP -t 1-0")
    cat /dev/zero ;;
*)
    echo "not expected: $SSH_ORIGINAL_COMMAND" >&2
    exit 99 ;;
esac
"#;

struct World {
    dir: TempDir,
    sshd: Sshd,
    stop: Stop,
    name: Name,
    workspace: Workspace,
    settings: Settings,
    deadline: Option<Instant>,
}

impl World {
    fn new() -> Self {
        let dir = tempfile::Builder::new().prefix("it's a world ").tempdir().expect("a directory");
        let sshd = Sshd::start();
        sshd.force(&ZFS.replace("NAME", NAME).replace("SIZE", &SIZE.to_string()));
        let mut settings = settings(&["rpool/data", "rpool/gone"], &[], false);
        let login = &mut settings.login;
        (login.host, login.port) = ("127.0.0.1".parse().expect("a host"), sshd.port());
        (login.user, login.identity) = (Sshd::user().parse().expect("a user"), Some(sshd.identity()));
        let workspace = Workspace::new("/nowhere".into(), Writes::InPlace);
        let (name, stop) = ("vms".parse().expect("a name"), Stop::new().expect("a socket pair"));
        Self { dir, sshd, stop, name, workspace, settings, deadline: None }
    }

    fn hands<T>(&self, act: impl FnOnce(&mut Hands<'_>) -> T) -> T {
        let known_hosts = self.dir.path().join("known_hosts.d");
        let job = Job {
            name: &self.name,
            workspace: &self.workspace,
            limits: Limits { stop: &self.stop, deadline: self.deadline },
            scratch: self.dir.path(),
            known_hosts: &known_hosts,
            home: self.dir.path(),
            variables: &[],
            hold: File::open("/dev/null").expect("it is always there"),
        };
        act(&mut Hands::reach(&self.settings, CopyId(7), &job).expect("ssh is there"))
    }
}

/// A receiver that counts, until so many bytes are there.
fn receiver(most: u64) -> (File, JoinHandle<u64>) {
    let (reader, writer) = io::pipe().expect("a pipe");
    let counting =
        thread::spawn(move || io::copy(&mut reader.take(most), &mut io::sink()).expect("a pipe can be read"));
    (OwnedFd::from(writer).into(), counting)
}

fn send(from: From) -> Order {
    let (dataset, snapshot) = ("rpool/data".parse().expect("a name"), NAME.parse().expect("a name"));
    Order::Send(Send { dataset, snapshot, from, raw: false })
}

fn endless() -> Order {
    Order::Resume { token: "1-0".parse().expect("a token") }
}

/// Obeys, into a receiver, and gives what that got beside the answer.
fn obeyed(hands: &mut Hands<'_>, order: &Order, most: u64) -> (Answer, Option<u64>, Vec<Event>) {
    let (mut counting, mut events) = (None, Vec::new());
    let mut open = || {
        let (writer, thread) = receiver(most);
        counting = Some(thread);
        Ok(writer)
    };
    let answer = hands.obey(order, &mut open, &mut |event| events.push(event));
    (answer, counting.map(|thread| thread.join().expect("no panic")), events)
}

#[test]
fn one_login_serves_all_orders_and_all_of_a_stream_arrives() {
    let world = World::new();
    world.hands(|hands| {
        let (listed, ..) = obeyed(hands, &Order::List, 0);
        let Answer::Listed(listing) = listed else { panic!("{listed:?}") };
        assert_eq!(listing.missing.iter().map(Dataset::as_str).collect::<Vec<_>>(), ["rpool/gone"]);
        assert_eq!(listing.datasets.len(), 1);
        assert!(listing.datasets[0].snapshots[0].is_ours);
        let name: Mark = NAME.parse().expect("a name");
        let order = Order::Snapshot { name, datasets: vec!["rpool/data".parse().expect("a name")] };
        let (made, ..) = obeyed(hands, &order, 0);
        assert!(matches!(&made, Answer::Snapshots(made) if made[0].guid == 11), "{made:?}");

        let started = Instant::now();
        let (sent, arrived, events) = obeyed(hands, &send(From::Nothing), u64::MAX);
        let took = started.elapsed();
        assert_eq!((sent, arrived), (Answer::Sent { bytes: SIZE }, Some(SIZE)));
        let told = events.iter().find_map(|event| match event {
            Event::Progress(progress) if progress.fraction.is_some() => Some(progress.fraction),
            _ => None,
        });
        assert!(told.flatten().is_some_and(|fraction| fraction > 0.0 && fraction <= 1.0), "{events:?}");
        assert!(
            !events.iter().any(|event| matches!(event, Event::Line { level: Level::Warn, .. })),
            "{events:?}"
        );
        // To be seen with --no-capture.
        eprintln!("{} MB/s", u128::from(SIZE) / 1000 / took.as_millis().max(1));
    });
    assert_eq!(world.sshd.log().matches("Accepted publickey").count(), 1, "{}", world.sshd.log());
}

#[test]
fn what_cannot_be_sent_opens_no_stream_and_half_of_one_is_no_success() {
    let world = World::new();
    world.hands(|hands| {
        let from = From::Snapshot("none".parse().expect("a name"));
        let (answer, arrived, _) = obeyed(hands, &send(from), u64::MAX);
        assert!(matches!(answer, Answer::Cannot { why: Why::BaseGone, .. }), "{answer:?}");
        assert_eq!(arrived, None);
        let from = From::Bookmark("half".parse().expect("a name"));
        let (answer, arrived, _) = obeyed(hands, &send(from), u64::MAX);
        assert!(
            matches!(&answer, Answer::Failed(f) if f.reason.contains("zebra") && f.exit_code == Some(134)),
            "{answer:?}"
        );
        assert_eq!(arrived, Some(1000));
        let from = From::Snapshot("unexpected".parse().expect("a name"));
        let (answer, ..) = obeyed(hands, &send(from), u64::MAX);
        assert!(matches!(&answer, Answer::Failed(f) if f.reason.contains("not expected")), "{answer:?}");
    });
}

#[test]
fn a_receiver_that_is_gone_ends_the_stream() {
    let world = World::new();
    world.hands(|hands| {
        let (answer, arrived, _) = obeyed(hands, &endless(), 10 << 20);
        assert!(matches!(answer, Answer::Cannot { why: Why::NotTaken, .. }), "{answer:?}");
        assert_eq!(arrived, Some(10 << 20));
        // And nothing else.
        assert!(matches!(obeyed(hands, &Order::List, 0).0, Answer::Listed(_)));
    });
}

#[test]
fn whoever_waits_is_stopped_by_a_wish_and_by_the_clock() {
    let mut world = World::new();
    let (mut reader, writer) = io::pipe().expect("a pipe");
    let mut writers = vec![writer.try_clone().expect("a copy"), writer];
    let mut ended = |world: &World, wish: bool| {
        world.hands(|hands| {
            let mut open = || {
                if wish {
                    world.stop.wish();
                }
                Ok(OwnedFd::from(writers.pop().expect("one more")).into())
            };
            // Nobody reads: the stream stands still.
            hands.obey(&endless(), &mut open, &mut |_| ())
        })
    };
    world.deadline = Some(Instant::now() + Duration::from_secs(2));
    let answer = ended(&world, false);
    assert!(matches!(&answer, Answer::Failed(f) if f.verdict == Verdict::TimedOut), "{answer:?}");
    world.deadline = None;
    let answer = ended(&world, true);
    assert!(matches!(&answer, Answer::Failed(f) if f.verdict == Verdict::Interrupted), "{answer:?}");
    // On a busy computer the time was up before there was a stream.
    drop(writers);
    io::copy(&mut reader, &mut io::sink()).expect("its writers are gone");
}

#[test]
fn a_connection_that_breaks_is_no_success_and_the_next_order_makes_another() {
    let world = World::new();
    world.hands(|hands| {
        let mut broken = false;
        let (writer, counting) = receiver(u64::MAX);
        let mut writer = Some(writer);
        let answer = hands.obey(&endless(), &mut || Ok(writer.take().expect("once")), &mut |event| {
            if matches!(event, Event::Progress(_)) && !broken {
                broken = true;
                world.sshd.signal(Signal::SIGKILL);
            }
        });
        assert!(matches!(&answer, Answer::Failed(f) if f.verdict == Verdict::Failed), "{answer:?}");
        assert!(counting.join().expect("no panic") > 0);
        assert!(matches!(obeyed(hands, &Order::List, 0).0, Answer::Listed(_)));
    });
    world.sshd.let_nobody_in();
    world.hands(|hands| {
        let (answer, ..) = obeyed(hands, &Order::List, 0);
        assert!(
            matches!(&answer, Answer::Failed(f) if f.reason.contains("planb authorize 127.0.0.1")),
            "{answer:?}"
        );
    });
}

#[test]
fn orders_come_and_answers_go_line_by_line() {
    let world = World::new();
    let (orders, mut give) = io::pipe().expect("a pipe");
    let (answers, mut answer) = io::pipe().expect("a pipe");
    let orders: File = OwnedFd::from(orders).into();
    thread::scope(|scope| {
        let asking = scope.spawn(move || {
            let mut answers = BufReader::new(answers).lines();
            let mut next = |order: &Order| {
                serde_json::to_writer(&give, order).expect("written");
                give.write_all(b"\n").expect("written");
                let line = answers.next().expect("an answer").expect("text");
                serde_json::from_str::<Answer>(&line).expect("an answer")
            };
            assert!(matches!(next(&Order::List), Answer::Listed(_)));
            assert_eq!(next(&send(From::Nothing)), Answer::Sent { bytes: SIZE });
            // Half an order is none.
            give.write_all(b"{\"list").expect("written");
        });
        let mut open = || File::options().write(true).open("/dev/null");
        let served = world.hands(|hands| serve(hands, orders, &mut answer, &mut open, &mut |_| ()));
        assert_eq!(served, Ok(()));
        asking.join().expect("no panic");
    });
    // And a wish ends the wait for the next.
    let (orders, _give) = io::pipe().expect("a pipe");
    world.stop.wish();
    let mut open = || Err(io::Error::other("not wanted"));
    let orders = OwnedFd::from(orders).into();
    let served = world.hands(|hands| serve(hands, orders, &mut io::sink(), &mut open, &mut |_| ()));
    assert_eq!(served.map_err(|failure| failure.verdict), Err(Verdict::Interrupted));
}

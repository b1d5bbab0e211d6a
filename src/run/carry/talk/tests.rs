use super::super::pipes::Ends;
use super::*;
use crate::host::account::Account;
use crate::host::signals::Stop;
use std::io::{BufRead, BufReader};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;

/// Hands whose presence is a flag.
struct There<'a> {
    there: &'a AtomicBool,
    looked: Sender<()>,
}

impl Hands for There<'_> {
    fn look(&mut self) -> bool {
        let _ = self.looked.send(());
        self.there.load(Ordering::SeqCst)
    }

    fn watch(&mut self, _: Event<'_>) {}
}

/// Who waits for the hands.
struct Waiting<'a> {
    stop: &'a Stop,
    /// That they looked after the hands.
    looks: &'a Receiver<()>,
}

/// Lets a conversation go on with hands that do as `serve` does with the first order.
fn with<T>(
    serve: impl FnOnce(&mut Ends, &str, Waiting<'_>) + Send,
    talk: impl FnOnce(&mut Talk<'_>) -> T,
) -> T {
    let place = tempfile::tempdir().expect("a directory");
    let directory = place.path().join("pipes");
    let pipes = Pipes::make(&directory, Account::own()).expect("made");
    let (stop, there) = (Stop::new().expect("a socket pair"), AtomicBool::new(true));
    let (looked, looks) = mpsc::channel();
    thread::scope(|scope| {
        scope.spawn(|| {
            let looks = looks;
            let mut ends = Ends::open(&directory).expect("opened");
            let mut order = String::new();
            let orders = ends.orders.try_clone().expect("a copy");
            BufReader::new(orders).read_line(&mut order).expect("an order");
            serve(&mut ends, &order, Waiting { stop: &stop, looks: &looks });
            there.store(false, Ordering::SeqCst);
        });
        let mut hands = There { there: &there, looked };
        let limits = Limits { stop: &stop, deadline: Some(Instant::now() + Duration::from_secs(60)) };
        talk(&mut Talk::new(pipes, &mut hands, limits))
    })
}

fn say(ends: &mut Ends, answer: &str) {
    ends.answers.write_all(answer.as_bytes()).expect("somebody listens");
}

const SENT: &str = "{\"sent\":{\"bytes\":5}}\n";

fn read(mut stream: File) -> String {
    let mut text = Vec::new();
    let mut buffer = [0; 100];
    loop {
        let mut watched = [PollFd::new(stream.as_fd(), PollFlags::POLLIN)];
        poll(&mut watched, PollTimeout::NONE).expect("it ends");
        match stream.read(&mut buffer) {
            Ok(0) => return String::from_utf8(text).expect("text"),
            Ok(n) => text.extend_from_slice(&buffer[..n]),
            Err(error) => assert_eq!(error.kind(), ErrorKind::WouldBlock),
        }
    }
}

#[test]
fn an_order_is_answered_with_or_without_a_stream() {
    let answer = with(
        |ends, order, _| {
            assert_eq!(order, "\"list\"\n");
            say(ends, "{\"listed\":{\"datasets\":[],\"missing\":[]}}\n");
        },
        |talk| talk.ask(&Order::List),
    );
    assert!(matches!(answer, Ok(Answer::Listed(_))), "{answer:?}");

    let send = Order::Resume { token: "1-ab".parse().expect("a token") };
    let fetched = with(
        |ends, _, waiting| {
            // Not before it was waited for in vain, and together with the answer.
            assert_eq!(waiting.looks.iter().take(3).count(), 3);
            let mut stream = ends.stream().expect("somebody takes it");
            stream.write_all(b"bytes").expect("there is room");
            drop(stream);
            say(ends, SENT);
        },
        |talk| talk.fetch(&send, |stream, _| read(stream)),
    );
    assert!(
        matches!(&fetched, Ok((Answer::Sent { bytes: 5 }, Some(text))) if text == "bytes"),
        "{fetched:?}"
    );

    let cannot = "{\"cannot\":{\"why\":\"token-gone\",\"reason\":\"x\"}}\n";
    let fetched = with(|ends, _, _| say(ends, cannot), |talk| talk.fetch(&send, |stream, _| read(stream)));
    assert!(matches!(fetched, Ok((Answer::Cannot { .. }, None))), "{fetched:?}");
}

#[test]
fn what_is_no_answer_is_a_failure() {
    for nonsense in ["x\n", "\n", "{\"sent\":{\"bytes\":5,\"more\":1}}\n", "\u{0}\n"] {
        let answer = with(|ends, _, _| say(ends, nonsense), |talk| talk.ask(&Order::List));
        let Err(Broken::Cut(cut)) = answer else { panic!("{nonsense:?}: {answer:?}") };
        assert_eq!(cut.outcome, Outcome::Failure);
    }
    let second = with(
        |ends, _, _| say(ends, &format!("{SENT}{SENT}")),
        |talk| {
            talk.ask(&Order::List).expect("the first is one");
            talk.ask(&Order::List)
        },
    );
    let Err(Broken::Cut(cut)) = second else { panic!("{second:?}") };
    assert!(cut.reason.contains("not asked"), "{}", cut.reason);
}

#[test]
fn nobody_waits_for_who_is_gone_nor_longer_than_wished() {
    let gone = with(|ends, _, _| say(ends, "{\"sent\""), |talk| talk.ask(&Order::List));
    assert!(matches!(gone, Err(Broken::Gone)), "{gone:?}");
    // Amid a stream: what came of it is handed over, and its end with it.
    let send = Order::Resume { token: "1-ab".parse().expect("a token") };
    let mut took = None;
    let gone = with(
        |ends, _, _| ends.stream().expect("taken").write_all(b"half").expect("there is room"),
        |talk| talk.fetch(&send, |stream, _| took = Some(read(stream))),
    );
    assert!(matches!(gone, Err(Broken::Gone)), "{gone:?}");
    assert_eq!(took.as_deref(), Some("half"));
    let stopped = with(|_, _, waiting| waiting.stop.wish(), |talk| talk.ask(&Order::List));
    assert!(
        matches!(&stopped, Err(Broken::Cut(Cut { outcome: Outcome::Interrupted, .. }) | Broken::Gone)),
        "{stopped:?}"
    );
}

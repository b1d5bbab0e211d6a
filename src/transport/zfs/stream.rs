//! The stream on its way from ssh to whoever receives it: counted, and held back where it may not go faster.

use crate::fileset::progress::Progress;
use crate::host::process::Limits;
use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use std::fs::File;
use std::io::{self, Write};
use std::ops::ControlFlow;
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

/// How much the pipe to the receiver may hold where the kernel allows it, so that neither waits for each of the other's breaths.
const ROOM: i32 = 1 << 20;

/// How much earlier than it may a stream that was slow for a while can catch up.
const BURST: Duration = Duration::from_millis(100);

/// How often progress is told.
const PACE: Duration = Duration::from_millis(250);

/// Opens the way to the receiver. Called at the first byte, and not at all where there is none: an order that cannot be
/// carried out leaves nobody with half a stream.
pub type Open<'a> = &'a mut dyn FnMut() -> io::Result<File>;

/// Why a stream goes no further, although the source would.
#[derive(Debug)]
pub enum Broken {
    /// Nobody takes it any more.
    Closed,
    /// It is to stop, or its time is over: whoever started the source's half knows which.
    Limits,
    Failed(io::Error),
}

pub struct Stream<'a> {
    open: Open<'a>,
    to: Option<File>,
    limits: Limits<'a>,
    /// Bytes a second.
    limit: Option<u64>,
    /// When the next byte may go.
    next: Instant,
    pub bytes: u64,
    pub broken: Option<Broken>,
    meter: Meter,
}

impl<'a> Stream<'a> {
    /// `before`: bytes of earlier streams of the same run.
    pub fn new(open: Open<'a>, limits: Limits<'a>, limit: Option<u64>, before: u64) -> Self {
        let now = Instant::now();
        let meter = Meter { before, total: None, started: now, told: None };
        Self { open, to: None, limits, limit, next: now, bytes: 0, broken: None, meter }
    }

    /// Passes a piece on, and waits where it has to.
    pub fn push(&mut self, piece: &[u8]) -> ControlFlow<()> {
        if self.broken.is_some() {
            return ControlFlow::Break(());
        }
        let passed = self.hold_back(piece.len()).and_then(|()| self.write(piece));
        match passed {
            Ok(()) => {
                self.bytes += piece.len() as u64;
                ControlFlow::Continue(())
            }
            Err(broken) => {
                self.broken = Some(broken);
                ControlFlow::Break(())
            }
        }
    }

    /// What the source says that it is going to be.
    pub fn expect(&mut self, total: u64) {
        self.meter.total = Some(total);
    }

    /// How far it is, not too often.
    pub fn progress(&mut self) -> Option<Progress> {
        self.meter.progress(self.bytes)
    }

    fn hold_back(&mut self, length: usize) -> Result<(), Broken> {
        let Some(limit) = self.limit else { return Ok(()) };
        let now = Instant::now();
        self.next = self.next.max(now.checked_sub(BURST).unwrap_or(now));
        while self.next > Instant::now() {
            self.wait(None, Some(self.next))?;
        }
        let nanoseconds = u128::from(length as u64) * 1_000_000_000 / u128::from(limit.max(1));
        self.next += Duration::from_nanos(u64::try_from(nanoseconds).unwrap_or(u64::MAX));
        Ok(())
    }

    fn write(&mut self, mut piece: &[u8]) -> Result<(), Broken> {
        let mut to = match self.to.take() {
            Some(to) => to,
            None => (self.open)().and_then(without_waiting).map_err(Broken::Failed)?,
        };
        while !piece.is_empty() {
            match to.write(piece) {
                Ok(0) => return Err(Broken::Closed),
                Ok(n) => piece = &piece[n..],
                Err(error) => match error.kind() {
                    io::ErrorKind::WouldBlock => self.wait(Some(&to), None)?,
                    io::ErrorKind::Interrupted => {}
                    io::ErrorKind::BrokenPipe => return Err(Broken::Closed),
                    _ => return Err(Broken::Failed(error)),
                },
            }
        }
        self.to = Some(to);
        Ok(())
    }

    /// Waits until there is room, or until `until`, and no longer than the limits let us.
    fn wait(&self, room: Option<&File>, until: Option<Instant>) -> Result<(), Broken> {
        let now = Instant::now();
        if self.limits.deadline.is_some_and(|deadline| deadline <= now) {
            return Err(Broken::Limits);
        }
        let until = until.into_iter().chain(self.limits.deadline).min();
        let patience = until.map_or(PollTimeout::NONE, |until| {
            let left = until.saturating_duration_since(now) + Duration::from_micros(500);
            PollTimeout::try_from(left).unwrap_or(PollTimeout::MAX)
        });
        let mut fds = vec![PollFd::new(self.limits.stop.as_fd(), PollFlags::POLLIN)];
        fds.extend(room.map(|to| PollFd::new(to.as_fd(), PollFlags::POLLOUT)));
        match poll(&mut fds, patience) {
            Ok(_) if fds[0].any().unwrap_or(true) => Err(Broken::Limits),
            Ok(_) | Err(Errno::EINTR) => Ok(()),
            Err(error) => Err(Broken::Failed(error.into())),
        }
    }
}

/// With as much room as it can have. A write that waited could not be told to stop.
fn without_waiting(file: File) -> io::Result<File> {
    // Who may not have more has less, and no pipe has none.
    let _ = fcntl(&file, FcntlArg::F_SETPIPE_SZ(ROOM));
    let flags = OFlag::from_bits_retain(fcntl(&file, FcntlArg::F_GETFL)?);
    fcntl(&file, FcntlArg::F_SETFL(flags | OFlag::O_NONBLOCK))?;
    Ok(file)
}

/// How far streams of a run are.
struct Meter {
    before: u64,
    total: Option<u64>,
    started: Instant,
    told: Option<Instant>,
}

impl Meter {
    fn progress(&mut self, bytes: u64) -> Option<Progress> {
        if self.told.is_some_and(|told| told.elapsed() < PACE) {
            return None;
        }
        self.told = Some(Instant::now());
        Some(progress(self.before, bytes, self.total, self.started.elapsed().as_secs_f64()))
    }
}

/// The estimate is the source's, and a stream may become longer than it said.
fn progress(before: u64, bytes: u64, total: Option<u64>, seconds: f64) -> Progress {
    #[expect(clippy::cast_precision_loss, reason = "shown to people")]
    let (so_far, all) = (bytes as f64, total.map(|total| total.max(bytes) as f64));
    let whole = |figure: f64| -> u64 {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "saturates; has no sign")]
        let figure = figure.max(0.0) as u64;
        figure
    };
    let rate = if seconds > 0.0 { so_far / seconds } else { 0.0 };
    let left = |all: f64| (rate > 0.0).then(|| whole((all - so_far) / rate));
    Progress {
        bytes: before + bytes,
        fraction: all.filter(|all| *all > 0.0).map(|all| so_far / all),
        rate: whole(rate),
        eta_s: all.and_then(left),
        files: 0,
        of_files: 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::signals::Stop;
    use std::io::Read;
    use std::os::fd::OwnedFd;
    use std::thread;

    fn pipe() -> (File, File) {
        let (reader, writer) = io::pipe().expect("a pipe");
        (OwnedFd::from(reader).into(), OwnedFd::from(writer).into())
    }

    #[test]
    fn all_of_it_arrives_and_nothing_is_opened_for_nothing() {
        let stop = Stop::new().expect("a socket pair");
        let limits = Limits { stop: &stop, deadline: None };
        let mut opened = 0;
        let mut never = || {
            opened += 1;
            Err(io::Error::other("not wanted"))
        };
        drop(Stream::new(&mut never, limits, None, 0));
        assert_eq!(opened, 0);

        let (mut reader, writer) = pipe();
        let reading = thread::spawn(move || {
            let mut all = Vec::new();
            reader.read_to_end(&mut all).map(|_| all)
        });
        let mut writer = Some(writer);
        let mut open = || writer.take().ok_or_else(|| io::Error::other("twice"));
        let mut stream = Stream::new(&mut open, limits, None, 0);
        // More than a pipe has room for.
        for n in 0..100_u8 {
            assert!(stream.push(&vec![n; 64 * 1024]).is_continue(), "{:?}", stream.broken);
        }
        assert_eq!(stream.bytes, 100 * 64 * 1024);
        drop(stream);
        let all = reading.join().expect("no panic").expect("read");
        assert_eq!(all.len(), 100 * 64 * 1024);
        assert!(all.chunks(64 * 1024).zip(0..).all(|(chunk, n)| chunk.iter().all(|&byte| byte == n)));
    }

    #[test]
    fn it_stops_when_nobody_reads_or_somebody_wishes_so() {
        let stop = Stop::new().expect("a socket pair");
        let soon = Some(Instant::now() + Duration::from_millis(50));
        let (reader, writer) = pipe();
        let mut writers =
            vec![writer.try_clone().expect("a copy"), writer.try_clone().expect("a copy"), writer];
        let mut push = |deadline| {
            let mut open = || writers.pop().ok_or_else(|| io::Error::other("no more"));
            let mut stream = Stream::new(&mut open, Limits { stop: &stop, deadline }, None, 0);
            while stream.push(&vec![0; 64 * 1024]).is_continue() {}
            (stream.broken, stream.bytes)
        };
        assert!(matches!(push(soon), (Some(Broken::Limits), 1..)));
        stop.wish();
        assert!(matches!(push(None), (Some(Broken::Limits), _)));
        drop(reader);
        assert!(matches!(push(None), (Some(Broken::Closed), 0)));
        assert!(matches!(push(None), (Some(Broken::Failed(_)), 0)));
    }

    #[test]
    fn it_goes_no_faster_than_it_may() {
        let stop = Stop::new().expect("a socket pair");
        let limits = Limits { stop: &stop, deadline: None };
        let mut open = || File::options().write(true).open("/dev/null");
        let mut stream = Stream::new(&mut open, limits, Some(1 << 20), 0);
        let started = Instant::now();
        for _ in 0..6 {
            assert!(stream.push(&vec![0; 64 * 1024]).is_continue());
        }
        // The last piece may go when the five before it are paid for.
        let took = started.elapsed();
        assert!(took >= Duration::from_millis(5 * 1000 / 16 - 101), "{took:?}");
    }

    #[test]
    fn an_estimate_that_was_too_small_is_not_more_than_all() {
        let told = progress(1000, 300, Some(200), 10.0);
        assert_eq!((told.bytes, told.fraction, told.rate, told.eta_s), (1300, Some(1.0), 30, Some(0)));
        let told = progress(0, 50, Some(200), 5.0);
        assert_eq!((told.fraction, told.eta_s), (Some(0.25), Some(15)));
        assert_eq!(progress(0, 0, None, 0.0), Progress::default());
    }
}

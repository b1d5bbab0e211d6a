//! The watch over a child: its outputs are drained until it has ended, by itself or because its time was up.

use super::{Ending, Limits, Stream};
use crate::host::headway::Headway;
use crate::host::stat::Stat;
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use std::io::{self, PipeReader, Read};
use std::ops::ControlFlow;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::{Duration, Instant};
use zeroize::Zeroizing;

/// How long a child that was asked to end may take before it is killed.
const GRACE: Duration = Duration::from_secs(10);

/// How long output may still come when the child has ended: what is in the pipe, not what a daemon it left behind says.
const DRAIN: Duration = Duration::from_secs(1);

/// How long what was killed may take to be gone. SIGKILL is sent in a moment and obeyed when the kernel gets to it: on a
/// loaded machine after milliseconds, behind a disk that does not answer perhaps never.
const LAST_BREATH: Duration = Duration::from_secs(5);

/// What the watch over a child came to.
pub enum Watched {
    /// It ended by itself.
    Ended,
    /// We ended it.
    Cut(Ending),
    /// We wanted to end it, and it is still there.
    Abandoned(Ending),
}

/// Drains the outputs until the child has ended.
///
/// Whatever happens, all of the process group has been sent SIGKILL afterwards.
pub fn watch(
    pid: Pid,
    limits: Limits<'_>,
    mut headway: Option<Headway>,
    outputs: &[(PipeReader, Stream)],
    ended: &PipeReader,
    sink: &mut impl FnMut(Stream, &[u8]) -> ControlFlow<()>,
) -> io::Result<Watched> {
    let mut watched: Vec<(Under, BorrowedFd<'_>)> =
        vec![(Under::Child, ended.as_fd()), (Under::Stop, limits.stop.as_fd())];
    for (pipe, stream) in outputs {
        watched.push((Under::Output(pipe, *stream), pipe.as_fd()));
    }
    let (mut cut, mut killed) = (None, false);
    // When the present patience ends: the deadline, then the grace after SIGTERM, then the last breath, or the drain.
    let mut until = limits.deadline;
    // What comes through here may be nobody else's business.
    let mut buffer = Zeroizing::new(vec![0; 64 * 1024]);

    let result = loop {
        let running = watched.iter().any(|(what, _)| matches!(what, Under::Child));
        let printing = watched.iter().any(|(what, _)| matches!(what, Under::Output(..)));
        if !running && !printing {
            break Ok(cut.map_or(Watched::Ended, Watched::Cut));
        }
        if until.is_some_and(|until| until <= Instant::now()) {
            if !running {
                break Ok(cut.map_or(Watched::Ended, Watched::Cut));
            }
            if let Some(cut) = cut {
                if killed {
                    break Ok(Watched::Abandoned(cut));
                }
                // It was asked to end and did not.
                let _ = killpg(pid, Signal::SIGKILL);
                killed = true;
                until = Some(Instant::now() + LAST_BREATH);
            } else {
                cut = Some(Ending::TimedOut);
                let _ = killpg(pid, Signal::SIGTERM);
                until = Some(Instant::now() + GRACE);
            }
        }
        if running
            && cut.is_none()
            && let Some(headway) = &mut headway
            && headway.is_over()
        {
            cut = Some(Ending::Stalled);
            let _ = killpg(pid, Signal::SIGTERM);
            until = Some(Instant::now() + GRACE);
        }
        let next_look =
            headway.as_ref().filter(|_| running && cut.is_none()).map(|headway| headway.next_look);
        let ready = match wait(&watched, until.into_iter().chain(next_look).min()) {
            Ok(ready) => ready,
            Err(error) => break Err(error),
        };
        for index in ready.into_iter().rev() {
            match watched[index].0 {
                Under::Output(pipe, stream) => match (&mut &*pipe).read(&mut buffer) {
                    Ok(0) => drop(watched.remove(index)),
                    Ok(n) => {
                        if sink(stream, &buffer[..n]).is_break() && running && cut.is_none() {
                            cut = Some(Ending::Stopped);
                            let _ = killpg(pid, Signal::SIGTERM);
                            until = Some(Instant::now() + GRACE);
                        }
                    }
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    Err(_) => drop(watched.remove(index)),
                },
                Under::Child => {
                    watched.remove(index);
                    until = Some(Instant::now() + DRAIN);
                }
                Under::Stop => {
                    watched.remove(index);
                    if running && cut.is_none() {
                        cut = Some(Ending::Stopped);
                        let _ = killpg(pid, Signal::SIGTERM);
                        until = Some(Instant::now() + GRACE);
                    }
                }
            }
        }
    };
    let _ = killpg(pid, Signal::SIGKILL);
    result
}

/// What a descriptor under watch stands for.
#[derive(Clone, Copy)]
enum Under<'a> {
    /// Readable (at its end) when the child has ended.
    Child,
    Stop,
    Output(&'a PipeReader, Stream),
}

/// Waits for something to happen, at the longest until `until`. Returns the places in `watched`, in their order.
fn wait(watched: &[(Under<'_>, BorrowedFd<'_>)], until: Option<Instant>) -> io::Result<Vec<usize>> {
    let patience = until.map_or(PollTimeout::NONE, |until| {
        // One more millisecond: woken just before its time, the loop would spin until it comes.
        let left = until.saturating_duration_since(Instant::now()) + Duration::from_millis(1);
        PollTimeout::try_from(left).unwrap_or(PollTimeout::MAX)
    });
    let mut fds: Vec<PollFd<'_>> =
        watched.iter().map(|(_, fd)| PollFd::new(*fd, PollFlags::POLLIN)).collect();
    match poll(&mut fds, patience) {
        Ok(_) | Err(Errno::EINTR) => {}
        Err(error) => return Err(error.into()),
    }
    let happened = |fd: &PollFd<'_>| fd.revents().is_some_and(|events| !events.is_empty());
    Ok(fds.iter().enumerate().filter(|(_, fd)| happened(fd)).map(|(index, _)| index).collect())
}

/// Waits until nobody of a group that was killed lives. Whoever inherits orphans may let them lie for a while: the dead do
/// not count.
pub fn wait_until_gone(group: Pid) {
    let until = Instant::now() + LAST_BREATH;
    // Asked first because it is quick: nearly always nobody is left, dead or alive.
    while killpg(group, None).is_ok()
        && Stat::of_group(group).any(|process| !process.is_dead())
        && Instant::now() < until
    {
        // Nobody tells of the end of others' children: look again shortly.
        let _ = poll(&mut [], PollTimeout::from(5_u8));
    }
}

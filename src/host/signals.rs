//! SIGINT and SIGTERM as a thing one can wait for.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::sync::Arc;

/// The wish to stop. Cloned into everything that waits; once wished, it stays so.
///
/// The descriptor becomes readable when the wish is there and is never read, so any number of waits can poll it.
#[derive(Debug, Clone)]
pub struct Stop(Arc<Ends>);

#[derive(Debug)]
struct Ends {
    readable: UnixStream,
    /// Kept open: were it closed, the other end would read as stopped.
    writable: UnixStream,
}

impl Stop {
    /// One that only `wish` can set.
    pub fn new() -> io::Result<Self> {
        let (readable, writable) = UnixStream::pair()?;
        writable.set_nonblocking(true)?;
        Ok(Self(Arc::new(Ends { readable, writable })))
    }

    /// One that SIGINT, SIGTERM and SIGHUP set.
    pub fn on_signals() -> io::Result<Self> {
        let stop = Self::new()?;
        for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM, signal_hook::consts::SIGHUP]
        {
            signal_hook::low_level::pipe::register(signal, stop.0.writable.try_clone()?)?;
        }
        Ok(stop)
    }

    /// Asks everybody to stop.
    pub fn wish(&self) {
        use std::io::Write;
        // A full pipe is a wish already made.
        let _ = (&self.0.writable).write(&[0]);
    }

    /// Whether somebody wants us to stop.
    pub fn wished(&self) -> bool {
        use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
        let mut fds = [PollFd::new(self.as_fd(), PollFlags::POLLIN)];
        poll(&mut fds, PollTimeout::ZERO).is_ok_and(|ready| ready > 0)
    }
}

impl AsFd for Stop {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.readable.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wish_stays() {
        let stop = Stop::new().expect("a socket pair");
        let seen_elsewhere = stop.clone();
        assert!(!seen_elsewhere.wished());
        stop.wish();
        assert!(seen_elsewhere.wished() && seen_elsewhere.wished());
    }
}

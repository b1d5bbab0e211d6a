//! Orders from a pipe, answers into another.

use super::Hands;
use super::stream::Open;
use super::wire::{LONGEST, Order};
use crate::transport::{Event, Failure};
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::fd::AsFd;
use std::time::Instant;

/// Carries orders out until there are no more. What is wrong with one is in its answer; an `Err` is the end of all.
pub fn serve(
    hands: &mut Hands<'_>,
    orders: File,
    answers: &mut dyn Write,
    open: Open<'_>,
    tell: &mut dyn FnMut(Event),
) -> Result<(), Failure> {
    let broken = |error: io::Error| Failure::because("failed to talk to the run", &error);
    let mut orders = BufReader::new(orders);
    loop {
        if orders.buffer().is_empty() {
            wait(orders.get_ref(), hands)?;
        }
        let mut line = Vec::new();
        Read::by_ref(&mut orders).take(LONGEST).read_until(b'\n', &mut line).map_err(broken)?;
        if line.is_empty() {
            return Ok(());
        }
        // Half an order is none: whoever gave it died over it.
        let Some(order) = line.strip_suffix(b"\n") else { return Ok(()) };
        let order: Order = serde_json::from_slice(order).map_err(|e| broken(e.into()))?;
        let answer = hands.obey(&order, open, tell);
        let mut line = serde_json::to_vec(&answer).map_err(|e| broken(e.into()))?;
        line.push(b'\n');
        answers.write_all(&line).and_then(|()| answers.flush()).map_err(broken)?;
    }
}

/// Waits for an order, or for a reason to wait no longer.
fn wait(orders: &File, hands: &Hands<'_>) -> Result<(), Failure> {
    let limits = hands.limits;
    loop {
        let now = Instant::now();
        if limits.deadline.is_some_and(|deadline| deadline <= now) {
            return Err(super::trouble::ended(false));
        }
        let patience = limits.deadline.map_or(PollTimeout::NONE, |deadline| {
            PollTimeout::try_from(deadline.saturating_duration_since(now)).unwrap_or(PollTimeout::MAX)
        });
        let mut fds = [limits.stop.as_fd(), orders.as_fd()].map(|fd| PollFd::new(fd, PollFlags::POLLIN));
        match poll(&mut fds, patience) {
            Ok(_) if fds[0].any().unwrap_or(true) => return Err(super::trouble::ended(true)),
            Ok(0) | Err(Errno::EINTR) => {}
            Ok(_) => return Ok(()),
            Err(error) => {
                return Err(Failure::because("failed to wait for an order", &io::Error::from(error)));
            }
        }
    }
}

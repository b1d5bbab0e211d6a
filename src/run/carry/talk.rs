//! A run in conversation with its hands at the source: one order, one answer, and with some a stream.
//!
//! The answers come from who talks to the network. They have a longest, mean nothing unless all of one is understood, and
//! none is taken for the answer to an order that was not given. Every wait ends with the run's limits, with a wish to stop,
//! or with the hands.

use super::pipes::Pipes;
use crate::fileset::record::Outcome;
use crate::host::process::Limits;
use crate::run::Event;
use crate::run::attempt::Cut;
use crate::transport::zfs::wire::{Answer, LONGEST, Order};
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use std::fs::File;
use std::io::{self, ErrorKind, Read, Write};
use std::os::fd::AsFd;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

/// How often it is looked after the hands.
const PACE: Duration = Duration::from_millis(500);

/// Where the hands are.
pub trait Hands {
    /// Passes on what they said of themselves since; whether they are still there.
    fn look(&mut self) -> bool;
    /// Tells how far the run is.
    fn watch(&mut self, event: Event<'_>);
}

/// Why a conversation comes to no end.
#[derive(Debug)]
pub enum Broken {
    /// The hands are gone, and what they came to says why.
    Gone,
    Cut(Cut),
}

impl<E: Into<Cut>> From<E> for Broken {
    fn from(error: E) -> Self {
        Self::Cut(error.into())
    }
}

pub struct Talk<'a> {
    pipes: Pipes,
    hands: &'a mut dyn Hands,
    limits: Limits<'a>,
    /// Of an answer that is not yet whole.
    heard: Vec<u8>,
}

impl<'a> Talk<'a> {
    pub fn new(pipes: Pipes, hands: &'a mut dyn Hands, limits: Limits<'a>) -> Self {
        Self { pipes, hands, limits, heard: Vec::new() }
    }

    pub fn watch(&mut self, event: Event<'_>) {
        self.hands.watch(event);
    }

    /// Waits a second for what is a matter of moments.
    pub fn pause(&mut self) -> Result<(), Broken> {
        let until = Instant::now() + Duration::from_secs(1);
        while Instant::now() < until {
            self.wait(None, PollFlags::POLLIN)?;
        }
        Ok(())
    }

    /// Gives an order that makes no stream.
    pub fn ask(&mut self, order: &Order) -> Result<Answer, Broken> {
        self.give(order)?;
        loop {
            if let Some(answer) = self.hear()? {
                return Ok(answer);
            }
            self.wait(None, PollFlags::POLLIN)?;
        }
    }

    /// Gives an order that makes a stream, which is handed over where there is one.
    pub fn fetch<T: Send>(
        &mut self,
        order: &Order,
        take: impl FnOnce(File, Limits<'_>) -> T + Send,
    ) -> Result<(Answer, Option<T>), Broken> {
        let mut stream = Some(self.pipes.stream().map_err(|e| broken("open the stream", &e))?);
        let (mut take, limits) = (Some(take), self.limits);
        self.give(order)?;
        thread::scope(|scope| {
            let (mut taking, (tell, taken)) = (None, mpsc::channel::<()>());
            let mut tell = Some(tell);
            let mut begin = |stream: &mut Option<File>| {
                if let Some(file) = stream.take_if(|stream| is_ready(stream))
                    && let Some(take) = take.take()
                {
                    let tell = tell.take();
                    taking = Some(scope.spawn(move || {
                        let took = take(file, limits);
                        drop(tell);
                        took
                    }));
                }
            };
            let answer = loop {
                match self.hear() {
                    Ok(Some(answer)) => break Ok(answer),
                    Ok(None) => {}
                    Err(broken) => break Err(broken),
                }
                if let Err(broken) = self.wait(stream.as_ref(), PollFlags::POLLIN) {
                    break Err(broken);
                }
                begin(&mut stream);
            };
            // It may have been so short that its end came together with the answer.
            begin(&mut stream);
            let took = taking.map(|taking| {
                // What is left to do is with the disks, or was ended by the same limits.
                while taken.recv_timeout(PACE) == Err(RecvTimeoutError::Timeout) {
                    self.hands.look();
                }
                taking.join()
            });
            match (answer, took) {
                (_, Some(Err(_))) => {
                    Err(Cut::new(Outcome::Failure, "receiving panicked: see the journal").into())
                }
                (answer, took) => Ok((answer?, took.and_then(Result::ok))),
            }
        })
    }

    fn give(&mut self, order: &Order) -> Result<(), Broken> {
        if !self.heard.is_empty() {
            return Err(Cut::new(Outcome::Failure, "the transfer answers what it was not asked").into());
        }
        let mut line = serde_json::to_vec(order).map_err(|e| broken("write an order", &e.into()))?;
        line.push(b'\n');
        let mut left = line.as_slice();
        while !left.is_empty() {
            match self.pipes.orders.write(left) {
                Ok(n) => left = &left[n..],
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    self.wait(None, PollFlags::POLLOUT)?;
                }
                Err(error) => return Err(broken("give an order", &error)),
            }
        }
        Ok(())
    }

    /// The answer, if all of it is there.
    fn hear(&mut self) -> Result<Option<Answer>, Broken> {
        let mut buffer = vec![0; 64 * 1024];
        loop {
            if self.heard.len() as u64 > LONGEST {
                return Err(Cut::new(Outcome::Failure, "the transfer's answer has no end").into());
            }
            match self.pipes.answers.read(&mut buffer) {
                Ok(n) => {
                    let (piece, end) = (&buffer[..n], buffer[..n].iter().position(|byte| *byte == b'\n'));
                    let Some(end) = end else {
                        self.heard.extend_from_slice(piece);
                        continue;
                    };
                    self.heard.extend_from_slice(&piece[..end]);
                    let answer = serde_json::from_slice(&self.heard);
                    self.heard = piece[end + 1..].to_vec();
                    let not_understood =
                        |e: serde_json::Error| broken("understand the transfer's answer", &e.into());
                    return answer.map(Some).map_err(not_understood);
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(None),
                Err(error) => return Err(broken("hear the transfer's answer", &error)),
            }
        }
    }

    /// Waits a moment for an answer, room for an order or a stream.
    fn wait(&mut self, stream: Option<&File>, what: PollFlags) -> Result<(), Broken> {
        let now = Instant::now();
        if self.limits.stop.wished() {
            return Err(Cut::interrupted().into());
        }
        if self.limits.deadline.is_some_and(|deadline| deadline <= now) {
            let reason = "the transfer took longer than `timeout`, did not end by itself and was stopped";
            return Err(Cut::new(Outcome::Timeout, reason).into());
        }
        // Looked at before the wait: an answer that they gave before they went is heard after it.
        let there = self.hands.look();
        let pipe = if what == PollFlags::POLLOUT { &self.pipes.orders } else { &self.pipes.answers };
        let mut watched =
            vec![PollFd::new(pipe.as_fd(), what), PollFd::new(self.limits.stop.as_fd(), PollFlags::POLLIN)];
        watched.extend(stream.map(|stream| PollFd::new(stream.as_fd(), PollFlags::POLLIN)));
        let patience = if there { PACE } else { Duration::ZERO };
        match poll(&mut watched, PollTimeout::try_from(patience).unwrap_or(PollTimeout::ZERO)) {
            Ok(0) if !there => Err(Broken::Gone),
            Ok(_) | Err(Errno::EINTR) => Ok(()),
            Err(error) => Err(broken("wait for the transfer", &error.into())),
        }
    }
}

fn is_ready(stream: &File) -> bool {
    let mut watched = [PollFd::new(stream.as_fd(), PollFlags::POLLIN)];
    poll(&mut watched, PollTimeout::ZERO).is_ok_and(|ready| ready > 0)
}

fn broken(what: &str, error: &io::Error) -> Broken {
    Cut::new(Outcome::Failure, format!("failed to {what}: {error}")).into()
}

#[cfg(test)]
mod tests;

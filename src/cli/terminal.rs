//! The whole screen of a terminal, for as long as somebody looks at it.

use crate::host::signals::Stop;
use crate::report::screen::Line;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::termios::{LocalFlags, SetArg, Termios, tcgetattr, tcsetattr};
use std::io::{self, IsTerminal, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::time::Duration;

/// Another screen, without cursor; and back.
const ENTER: &str = "\x1b[?1049h\x1b[?25l";
const LEAVE: &str = "\x1b[?25h\x1b[?1049l";

/// A terminal that is ours. Dropping it gives it back as it was.
pub struct Terminal {
    /// How its input was, where we read from it.
    before: Option<Termios>,
    /// Becomes readable when its size changes.
    resized: UnixStream,
}

/// Columns and lines.
pub fn size() -> (usize, usize) {
    let usual = (terminal_size::Width(80), terminal_size::Height(24));
    let (width, height) = terminal_size::terminal_size().unwrap_or(usual);
    (width.0.into(), height.0.into())
}

impl Terminal {
    pub fn enter() -> io::Result<Self> {
        let (resized, tell) = UnixStream::pair()?;
        resized.set_nonblocking(true)?;
        signal_hook::low_level::pipe::register(signal_hook::consts::SIGWINCH, tell)?;
        let stdin = io::stdin();
        let before = if stdin.is_terminal() { Some(tcgetattr(&stdin)?) } else { None };
        if let Some(before) = &before {
            let mut keys = before.clone();
            // Each key at once and unseen. Ctrl-C stays the signal that it is.
            keys.local_flags.remove(LocalFlags::ICANON | LocalFlags::ECHO);
            tcsetattr(&stdin, SetArg::TCSANOW, &keys)?;
        }
        let terminal = Self { before, resized };
        terminal.write(ENTER)?;
        Ok(terminal)
    }

    /// Shows these lines and nothing else. Written over what is there, in one go: nothing is ever blank in between.
    pub fn draw(&self, lines: &[Line]) -> io::Result<()> {
        let mut text = String::from("\x1b[H");
        for (number, line) in lines.iter().enumerate() {
            let line = if line.is_title { format!("\x1b[1m{}\x1b[0m", line.text) } else { line.text.clone() };
            if number > 0 {
                text.push_str("\r\n");
            }
            text.push_str(&line);
            text.push_str("\x1b[K");
        }
        text.push_str("\x1b[J");
        self.write(&text)
    }

    /// Waits for so long, for another size or for a key. Returns whether somebody wants to leave.
    pub fn wait(&self, stop: &Stop, pace: Duration) -> bool {
        let stdin = io::stdin();
        let mut fds = vec![
            PollFd::new(stop.as_fd(), PollFlags::POLLIN),
            PollFd::new(self.resized.as_fd(), PollFlags::POLLIN),
        ];
        if self.before.is_some() {
            fds.push(PollFd::new(stdin.as_fd(), PollFlags::POLLIN));
        }
        let _ = poll(&mut fds, PollTimeout::try_from(pace).unwrap_or(PollTimeout::MAX));
        let keys = fds.get(2).and_then(PollFd::any).unwrap_or(false);
        let _ = (&self.resized).read(&mut [0; 64]);
        if !keys {
            return false;
        }
        let mut typed = [0; 64];
        match stdin.lock().read(&mut typed) {
            // Nobody is there any more.
            Ok(0) | Err(_) => true,
            // Ctrl-D is the end of what is typed elsewhere.
            Ok(n) => typed[..n].iter().any(|key| matches!(key, b'q' | b'Q' | 4)),
        }
    }

    #[expect(clippy::unused_self, reason = "only who has the terminal writes on it")]
    fn write(&self, text: &str) -> io::Result<()> {
        let mut stdout = io::stdout().lock();
        stdout.write_all(text.as_bytes())?;
        stdout.flush()
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.write(LEAVE);
        if let Some(before) = &self.before {
            let _ = tcsetattr(io::stdin(), SetArg::TCSANOW, before);
        }
    }
}

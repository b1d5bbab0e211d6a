//! What goes to stdout: data, and nothing else.

use serde_json::Value;
use std::io::{self, Write};

/// Prints a piece of data. A reader that went away (`planb list | head`) is no error; a full disk is.
pub fn print(text: &str) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        other => other,
    }
}

/// Prints a JSON document that people can read as well.
pub fn json(value: &Value) -> io::Result<()> {
    print(&format!("{value:#}\n"))
}

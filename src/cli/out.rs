//! What goes to stdout: data, and nothing else.

use serde::Serialize;
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::AsFd;

/// Prints a piece of data. A reader that went away (`planb list | head`) is no error; a full disk is.
pub fn print(text: &str) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        other => other,
    }
}

/// Prints what nobody else may see: past the standard library's buffer, where it would stay. Nobody reading is an error.
pub fn secret(bytes: &[u8]) -> io::Result<()> {
    File::from(io::stdout().as_fd().try_clone_to_owned()?).write_all(bytes)
}

/// One version of what is printed for programs.
#[derive(Debug, Serialize)]
pub struct Document<T> {
    version: u32,
    #[serde(flatten)]
    content: T,
}

/// Prints a JSON document that people can read as well: its version first, then the fields in the order of their types.
pub fn json(content: impl Serialize) -> io::Result<()> {
    bare_json(&Document { version: 1, content })
}

/// The same without a version, for a format that is somebody else's.
pub fn bare_json(content: &impl Serialize) -> io::Result<()> {
    let mut text = serde_json::to_string_pretty(content)?;
    text.push('\n');
    print(&text)
}

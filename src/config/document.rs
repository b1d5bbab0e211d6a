//! The text of one configuration file, as it was read.

use super::diagnostic::{Diagnostic, Place, Severity};
use std::ops::Range;
use std::path::PathBuf;

/// A file's path and text: what a complaint cites.
#[derive(Debug)]
pub struct Document {
    pub path: PathBuf,
    pub text: String,
}

impl Document {
    /// An error at the bytes `span` of the text.
    pub fn cite(&self, span: Range<usize>, message: impl Into<String>) -> Diagnostic {
        Diagnostic {
            path: self.path.clone(),
            place: Some(Place::new(&self.text, span)),
            severity: Severity::Error,
            message: message.into(),
        }
    }

    /// The number of the line that has byte `at`, from 1.
    pub fn line(&self, at: usize) -> usize {
        self.text.bytes().take(at).filter(|&byte| byte == b'\n').count() + 1
    }
}

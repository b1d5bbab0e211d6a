//! Why a word is not what it should be.

use std::ops::Range;

/// A value that its type refused.
///
/// The message is a lowercase fragment without a final stop that says what is wrong and, where one exists, what would
/// be right. `at` is the range of bytes of the *value* that is to blame, where it is less than all of it: the
/// configuration reader puts the caret there.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Invalid {
    pub message: String,
    pub at: Option<Range<usize>>,
}

impl Invalid {
    /// The whole value is wrong.
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), at: None }
    }

    /// Only the bytes `at` of the value are wrong.
    pub fn at(at: Range<usize>, message: impl Into<String>) -> Self {
        Self { message: message.into(), at: Some(at) }
    }
}

//! How a reason is written where there is one line for it.

use std::error::Error;
use std::iter::successors;

/// An error and all its causes, outermost first: `failed to open /srv: permission denied`.
pub fn chain(error: &dyn Error) -> String {
    let causes = successors(error.source(), |cause: &&dyn Error| (*cause).source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}

#[cfg(test)]
mod tests {
    use super::chain;

    #[test]
    fn causes_follow_what_they_caused() {
        #[derive(Debug, thiserror::Error)]
        #[error("failed to open /srv")]
        struct Outer(#[source] std::fmt::Error);
        let text = chain(&Outer(std::fmt::Error));
        assert_eq!(text, format!("failed to open /srv: {}", std::fmt::Error));
    }
}

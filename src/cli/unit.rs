//! What the units call. People need none of these: each is one unit's command line.

mod ask_key;
mod hooks;
mod retry;
mod run;
mod settle;
mod transfer;
mod trash;

pub use ask_key::ask_key;
pub use hooks::Hooks;
pub use retry::Retry;
pub use run::run;
pub use settle::Settle;
pub use transfer::Transfer;
pub use trash::Trash;

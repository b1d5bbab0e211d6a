//! Transfers with the real rsync, over the real sshd and the real rsync daemon.

use super::settings::*;
use crate::fileset::quantity::Span;

/// Settings that ask for nothing special.
pub fn settings(source: Source) -> Settings {
    Settings {
        source,
        include: vec!["/".parse().expect("a pattern")],
        exclude: Vec::new(),
        bwlimit: None,
        vanished: Vanished::Retry,
        metadata: Metadata::Full,
        stall_timeout: Span::from_secs(600),
        flags: Vec::new(),
    }
}

pub fn ssh_settings(port: u16) -> Ssh {
    Ssh {
        host: "127.0.0.1".parse().expect("a host"),
        path: "/".parse().expect("a path"),
        user: "root".parse().expect("a user"),
        port,
        identity: None,
        jump: None,
        options: Vec::new(),
        sudo: false,
        ionice: Ionice::None,
        rsync_path: "rsync".parse().expect("a program"),
        do_not_run: false,
    }
}

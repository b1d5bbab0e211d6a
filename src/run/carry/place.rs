//! Where a source is that is a path of this machine. Inside the transfer's sandbox it is not at its own place, where the
//! sandbox has other things; outside, nobody wants to hear of the other place.

use crate::host::paths::LOCAL_SOURCE;
use crate::transport::Transport;
use crate::transport::rsync::settings::Source;

/// The transport as the unit has it.
pub fn inside(transport: &Transport) -> Transport {
    let mut inside = transport.clone();
    if let Transport::Rsync(settings) = &mut inside
        && let (Source::Local(path), Ok(there)) = (&mut settings.source, LOCAL_SOURCE.parse())
    {
        *path = there;
    }
    inside
}

/// What the unit said, with the source's own path in it.
pub fn outside(transport: &Transport, said: &str) -> String {
    match transport {
        Transport::Rsync(settings) => match &settings.source {
            Source::Local(path) => moved(said, LOCAL_SOURCE, path.as_str()),
            Source::Ssh(_) | Source::Daemon(_) => said.to_owned(),
        },
        Transport::Zfs(_) | Transport::Exec(_) => said.to_owned(),
    }
}

/// With `to` in the place of `from`, where that is a path or the beginning of one. Of a path only the beginning is: the
/// source may have a directory of that very name.
fn moved(text: &str, from: &str, to: &str) -> String {
    let mut moved = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(from) {
        let (before, after) = (&rest[..at], &rest[at + from.len()..]);
        moved.push_str(before);
        let begins = !moved.ends_with(|c: char| c == '/' || c.is_alphanumeric());
        let ends = !after.starts_with(|c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.'));
        moved.push_str(match (begins && ends, after.starts_with('/')) {
            (false, _) => from,
            // The root's own slash is there already.
            (true, true) => to.trim_end_matches('/'),
            (true, false) => to,
        });
        rest = after;
    }
    moved + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_path_is_the_sources_own() {
        let at = |text: &str, to: &str| moved(text, "/run/x", to);
        assert_eq!(at("opendir \"/run/x/a\" failed", "/home"), "opendir \"/home/a\" failed");
        assert_eq!(at("opendir \"/run/x/a\" failed", "/"), "opendir \"/a\" failed");
        assert_eq!(at("change_dir \"/run/x\" failed", "/"), "change_dir \"/\" failed");
        assert_eq!(at("/run/x and /run/x/run/x/y", "/home/"), "/home/ and /home/run/x/y");
        for other in ["/run/xy", "/run/x-y/z", "/srv/run/x", "/run/x.bak", "nothing"] {
            assert_eq!(at(other, "/home"), other);
        }
    }
}

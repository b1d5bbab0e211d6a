//! Names as parts of object paths.

use super::ROOT;
use std::fmt::Write;

/// The object of a fileset. As `sd_bus_path_encode(3)` does it: what is no letter or digit, and a digit in front, becomes
/// an underscore and its two hexadecimal digits.
pub fn path(fileset: &str) -> String {
    let mut path = format!("{ROOT}/fileset/");
    if fileset.is_empty() {
        path.push('_');
    }
    for (at, byte) in fileset.bytes().enumerate() {
        if byte.is_ascii_alphabetic() || (at > 0 && byte.is_ascii_digit()) {
            path.push(byte.into());
        } else {
            let _ = write!(path, "_{byte:02x}");
        }
    }
    path
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_has_a_path_of_its_own() {
        for (name, last) in [
            ("web1", "web1"),
            ("acme-web.1", "acme_2dweb_2e1"),
            ("1st", "_31st"),
            ("a_b", "a_5fb"),
            ("", "_"),
        ] {
            assert_eq!(path(name), format!("/org/planb/PlanB1/fileset/{last}"));
        }
    }
}

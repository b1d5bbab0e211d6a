//! Fresh ids.

use std::{fs, io};

/// A fresh 128-bit id as systemd writes its own: 32 hexadecimal digits.
pub fn id() -> io::Result<String> {
    Ok(uuid()?.replace('-', ""))
}

/// A fresh UUID. From the kernel, random(4).
pub fn uuid() -> io::Result<String> {
    Ok(fs::read_to_string("/proc/sys/kernel/random/uuid")?.trim().to_owned())
}

#[cfg(test)]
mod tests {
    #[test]
    fn ids_are_fresh_and_hexadecimal() {
        let (one, other) = (super::id().expect("/proc"), super::id().expect("/proc"));
        assert_ne!(one, other);
        assert!(one.len() == 32 && one.bytes().all(|b| b.is_ascii_hexdigit()), "{one}");
    }
}

//! Zone files of the system (Debian: tzdata).

use crate::fileset::invalid::Invalid;
use crate::fileset::zone::Zone;
use std::fs;
use std::path::Path;

const ZONEINFO: &str = "/usr/share/zoneinfo";

/// The zone of that name.
pub fn load(name: &str) -> Result<Zone, Invalid> {
    let known =
        || Invalid::new(format!("unknown time zone {name:?}: `timedatectl list-timezones` lists them"));
    // Such a name cannot leave the directory, and a directory or another kind of file in there is no zone.
    let plain = name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '/' | '_' | '-' | '+'));
    if name == "UTC" {
        return Ok(Zone::utc());
    }
    // systemd reads these as "only while the machine's own clock is called so": such a timer sleeps half of the year.
    if ["CET", "EET", "EST", "HST", "MET", "MST", "WET"].contains(&name) {
        let message = format!("{name:?} is an abbreviation: write a place, as in \"Europe/Amsterdam\"");
        return Err(Invalid::new(message));
    }
    if name.is_empty() || !plain || name.starts_with('/') || name.contains("//") {
        return Err(known());
    }
    let tzif = fs::read(Path::new(ZONEINFO).join(name)).map_err(|_| known())?;
    if !tzif.starts_with(b"TZif") {
        return Err(known());
    }
    Zone::from_tzif(name, &tzif)
}

/// The zone this machine lives in: the target of /etc/localtime, or UTC where there is none.
pub fn local() -> Zone {
    fs::read_link("/etc/localtime")
        .ok()
        .and_then(|target| {
            let text = target.to_str()?;
            let name = text.split_once("zoneinfo/")?.1;
            load(name).ok()
        })
        .unwrap_or_else(Zone::utc)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_real_zones_load() {
        assert_eq!(load("Europe/Amsterdam").expect("a zone").name(), "Europe/Amsterdam");
        for bad in [
            "Europe/Amsterdm",
            "",
            "/etc/passwd",
            "../../etc/passwd",
            "Europe",
            "tzdata.zi",
            "Europe//Paris",
            "CET",
        ] {
            assert!(load(bad).is_err(), "{bad:?}");
        }
    }
}

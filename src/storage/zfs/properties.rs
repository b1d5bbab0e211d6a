//! Properties of file systems, as zfs(8) prints them.

use std::collections::HashMap;

/// What is said of some file systems.
#[derive(Debug, Default)]
pub struct Properties(HashMap<(String, String), (String, String)>);

/// What is said of one of them.
#[derive(Debug, Clone, Copy)]
pub struct Of<'a> {
    all: &'a Properties,
    filesystem: &'a str,
}

impl Properties {
    /// The columns that [`Properties::parse`] reads, for `-o`.
    pub const COLUMNS: &str = "name,property,value,source";

    /// The output of `zfs get -Hp -o name,property,value,source PROPERTIES NAMES`. Of what is said twice the first counts:
    /// ask for properties last whose values are anybody's, since those can look like lines.
    pub fn parse(text: &str) -> Self {
        let mut all = HashMap::new();
        for line in text.lines() {
            let mut fields = line.split('\t').map(str::to_owned);
            if let (Some(name), Some(property), Some(value), Some(source)) =
                (fields.next(), fields.next(), fields.next(), fields.next())
            {
                all.entry((name, property)).or_insert((value, source));
            }
        }
        Self(all)
    }

    /// Of a file system; `None` where it is not there.
    pub fn of<'a>(&'a self, filesystem: &'a str) -> Option<Of<'a>> {
        self.0.keys().any(|(name, _)| name == filesystem).then_some(Of { all: self, filesystem })
    }
}

impl<'a> Of<'a> {
    fn said(self, property: &str) -> Option<&'a (String, String)> {
        self.all.0.get(&(self.filesystem.to_owned(), property.to_owned()))
    }

    /// The value; `None` where it has none.
    pub fn value(self, property: &str) -> Option<&'a str> {
        self.said(property).map(|(value, _)| value.as_str()).filter(|value| *value != "-")
    }

    pub fn is(self, property: &str, value: &str) -> bool {
        self.value(property) == Some(value)
    }

    pub fn number(self, property: &str) -> Option<u64> {
        self.value(property)?.parse().ok()
    }

    /// Who said so: `local`, `default`, `received`, `inherited from NAME`, `temporary`.
    pub fn source(self, property: &str) -> &'a str {
        self.said(property).map_or("", |(_, source)| source.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// OpenZFS 2.1 and 2.3 print the same.
    const PRINTED: &str = "\
tank/BACKUP/recv	mountpoint	/	received
tank/BACKUP/recv	canmount	noauto	received
tank/BACKUP/web1	mountpoint	/tank/BACKUP/web1	inherited from tank/BACKUP
tank/BACKUP/web1	used	38400	-
tank/BACKUP/web1	encryptionroot	-	-
tank/BACKUP/web1	planb:fileset	web1	local
";

    #[test]
    fn values_and_who_said_them() {
        let all = Properties::parse(PRINTED);
        let web1 = all.of("tank/BACKUP/web1").expect("there");
        assert_eq!(web1.value("mountpoint"), Some("/tank/BACKUP/web1"));
        assert_eq!(web1.source("mountpoint"), "inherited from tank/BACKUP");
        assert_eq!((web1.number("used"), web1.value("encryptionroot")), (Some(38400), None));
        assert_eq!(all.of("tank/BACKUP/recv").map(|of| of.source("mountpoint")), Some("received"));
        assert!(all.of("tank/BACKUP/nope").is_none());
    }

    #[test]
    fn a_value_cannot_speak_for_others() {
        let text = format!("{PRINTED}tank/BACKUP/web1\tplanb:fileset\tx\ntank/BACKUP/web1\tmountpoint\t/\tlocal\n");
        assert_eq!(
            Properties::parse(&text).of("tank/BACKUP/web1").and_then(|of| of.value("mountpoint")),
            Some("/tank/BACKUP/web1")
        );
    }
}

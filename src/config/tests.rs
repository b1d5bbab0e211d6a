//! Whatever the files say, everything is either valid or told.

use super::{effective, keys, load};
use crate::host::paths::Paths;
use proptest::prelude::*;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// Lines that make sense, lines that nearly do, and noise.
fn line() -> impl Strategy<Value = String> {
    let key = prop::sample::select(keys::KEYS.iter().map(|key| key.id().1).collect::<Vec<_>>());
    let value = prop_oneof![
        Just("\"16d\"".to_owned()),
        Just("\"none\"".to_owned()),
        Just("\"/srv/b\"".to_owned()),
        Just("['/', 'é\u{202e}', \"\\u001b\"]".to_owned()),
        Just("true".to_owned()),
        Just("22".to_owned()),
        Just("\"\"\"\r\n9-17\"\"\"".to_owned()),
        "\"\\PC{0,12}\"",
        "[a-z0-9\"'\\[{=, .#-]{0,8}",
    ];
    let table = prop::sample::select(vec![
        "[rsync]",
        "[guard]",
        "[defaults]",
        "[defaults.rsync]",
        "[group.a]",
        "[group.a.guard]",
        "[storage.main]",
        "[zfs]",
        "[[rsync]]",
        "[rsync",
    ]);
    prop_oneof![
        6 => (key, value).prop_map(|(key, value)| format!("{key} = {value}")),
        2 => table.prop_map(str::to_owned),
        1 => "\\PC{0,20}",
    ]
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        8 => prop::collection::vec(line(), 0..12).prop_map(|lines| lines.join("\n")),
        1 => prop::collection::vec(line(), 0..6).prop_map(|lines| lines.join("\r\n")),
        1 => any::<String>(),
    ]
}

/// A valid file with at most a little around it.
fn nearly(valid: &'static str) -> impl Strategy<Value = String> {
    let few = || prop::collection::vec(line(), 0..2).prop_map(|lines| lines.join("\n"));
    (few(), few()).prop_map(move |(before, after)| format!("{before}\n{valid}{after}\n"))
}

fn host() -> impl Strategy<Value = String> {
    prop_oneof![
        nearly("[storage.main]\ntype = 'directory'\npath = '/srv/b'\n[group.a]\n[defaults]\n"),
        text()
    ]
}

fn drop_in() -> impl Strategy<Value = String> {
    prop_oneof![nearly("[rsync]\nhost = 'web1'\ninclude = ['/']\n"), text()]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_file_is_valid_or_told(host in host(), drop_ins in prop::collection::vec(drop_in(), 1..4)) {
        let root = tempfile::tempdir().expect("a directory");
        let paths = Paths::new(Some(root.path().to_owned()));
        let write = |path: &Path, text: &str| {
            fs::write(path, text).expect("a file");
            fs::set_permissions(path, fs::Permissions::from_mode(0o644)).expect("a mode");
        };
        let directory = paths.drop_ins()[0].clone();
        fs::create_dir_all(&directory).expect("directories");
        for directory in [&directory, paths.settings().parent().expect("a parent")] {
            fs::set_permissions(directory, fs::Permissions::from_mode(0o755)).expect("a mode");
        }
        write(&paths.settings(), &host);
        for (number, text) in drop_ins.iter().enumerate() {
            write(&directory.join(format!("{number}.toml")), text);
        }

        let user = nix::unistd::geteuid();
        let all = load(&paths, user);
        prop_assert_eq!(all.filesets.len() + all.invalid.len(), drop_ins.len());
        prop_assert!(all.diagnostics.is_sorted_by(|one, next| one < next));
        for invalid in &all.invalid {
            prop_assert!(!invalid.diagnostics.is_empty());
            prop_assert!(invalid.diagnostics.iter().all(|told| all.diagnostics.contains(told)));
        }
        for told in &all.diagnostics {
            let shown = told.to_string();
            prop_assert!(!shown.chars().any(|c| c.is_control() && c != '\n' && c != '\t'), "{}", shown);
        }
        for fileset in &all.filesets {
            prop_assert!(effective(&paths, user, fileset).is_some());
        }
    }
}

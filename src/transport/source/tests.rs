use super::super::rsync::settings::{Ionice, Metadata, Settings, Source, Ssh, Vanished};
use super::super::zfs;
use super::super::zfs::settings::Datasets;
use super::*;
use crate::fileset::quantity::Span;
use crate::host::process::{Ending, Input, Limits, Program};
use crate::host::signals::Stop;

fn settings(path: &str, user: &str) -> Settings {
    Settings {
        source: Source::Ssh(Ssh {
            login: login::Login {
                host: "web1.example".parse().expect("a host"),
                user: user.parse().expect("a user"),
                port: 22,
                identity: None,
                jump: None,
                options: Vec::new(),
            },
            path: path.parse().expect("a path"),
            sudo: user != "root",
            ionice: Ionice::Idle,
            rsync_path: "rsync".parse().expect("a program"),
            do_not_run: true,
        }),
        include: vec!["/".parse().expect("a pattern")],
        exclude: Vec::new(),
        bwlimit: None,
        vanished: Vanished::Retry,
        metadata: Metadata::Full,
        stall_timeout: Span::from_secs(600),
        flags: Vec::new(),
    }
}

fn of(settings: &[Settings]) -> Result<String, Error> {
    let key = "ssh-ed25519 AAAAC3Nza+/= somebody@somewhere; id".parse().expect("a key");
    let name: Name = "web1".parse().expect("a name");
    let transports: Vec<Transport> = settings.iter().cloned().map(Transport::Rsync).collect();
    let filesets = transports.iter().map(|transport| (&name, transport)).collect();
    script(&Alike { asked: "web1", key: &key, filesets })
}

#[test]
fn the_script_is_whole_and_a_shell_has_nothing_to_say_about_it() {
    for (settings, has_rules) in [
        (vec![settings("/", "remotebackup"), settings("/srv/a.b", "remotebackup")], true),
        (vec![settings("/", "root")], false),
    ] {
        let text = of(&settings).expect("a script");
        assert_eq!(text.contains("sudoers.d"), has_rules);
        assert_eq!(text.contains("useradd"), has_rules);
        assert_eq!(text.matches("NOPASSWD").count(), if has_rules { 2 } else { 0 });
        assert!(!text.contains("somebody"), "nothing of a key's comment is a word of the script");
        no_shell_complains(&text);
    }
}

fn zfs_settings(user: &str) -> zfs::settings::Settings {
    let mut settings = zfs::settings::tests::settings(&["rpool/data", "rpool/vm/a.b"], &[], true);
    settings.login.host = "web1.example".parse().expect("a host");
    settings.login.user = user.parse().expect("a user");
    settings.sudo = user != "root";
    settings
}

#[test]
fn datasets_and_files_of_one_login_have_one_script() {
    let (web, vms): (Name, Name) = ("web1".parse().expect("a name"), "vms".parse().expect("a name"));
    let key = "ssh-ed25519 AAAA".parse().expect("a key");
    for user in ["remotebackup", "root"] {
        let files = Transport::Rsync(settings("/srv", user));
        let datasets = Transport::Zfs(zfs_settings(user));
        let filesets = vec![(&web, &files), (&vms, &datasets)];
        let text = script(&Alike { asked: "web1.example", key: &key, filesets }).expect("a script");
        let is_root = user == "root";
        assert_eq!(text.matches("NOPASSWD").count(), if is_root { 0 } else { 2 }, "{text}");
        assert_eq!(text.matches("/sbin/zfs allow -u").count(), if is_root { 0 } else { 2 });
        assert!(text.contains("--server --sender") && text.contains("toname") && !text.contains(",destroy"));
        no_shell_complains(&text);
    }
    let mut alone = zfs_settings("remotebackup");
    alone.sudo = false;
    let alone = Transport::Zfs(alone);
    let text = script(&Alike { asked: "vms", key: &key, filesets: vec![(&vms, &alone)] }).expect("a script");
    assert!(text.contains(",destroy,mount rpool/data") && !text.contains("sudoers.d"), "{text}");
}

#[test]
fn every_command_of_a_row_is_allowed_or_none_is_run() {
    let (name, key): (Name, _) = ("vms".parse().expect("a name"), "ssh-ed25519 AAAA".parse().expect("a key"));
    let datasets = Transport::Zfs(zfs_settings("remotebackup"));
    let text =
        script(&Alike { asked: "vms", key: &key, filesets: vec![(&name, &datasets)] }).expect("a script");
    let asked = |command: &str| run(served(&text), command);
    let mark = "planb-20260102T030405Z-0000000000000007";
    let one = format!("/sbin/zfs hold planb-0000000000000007 rpool/data@{mark}");
    let other = format!("/sbin/zfs bookmark rpool/data@{mark} rpool/data#{mark}");
    let said = |command: &str| format!("{}\n", command.trim_start_matches("/sbin/zfs "));
    assert_eq!(asked(&one), (Ending::Exited(0), said(&one)));
    assert_eq!(asked(&format!("{one} ; {other}")), (Ending::Exited(0), said(&one) + &said(&other)));
    for bad in [
        "",
        " ",
        ";",
        "id",
        &format!("{one} ; id"),
        &format!("id ; {one}"),
        &format!("{one};id"),
        &format!("{one} ; ; {other}"),
        &format!("{one} & id"),
        &format!("{one} | id"),
        &format!("{one}\nid"),
        &format!("{one} $(id)"),
        &format!("{one} ; /sbin/zfs send -vP -t 1-0"),
        &format!("{one} *"),
    ] {
        assert_eq!(asked(bad), (Ending::Exited(126), String::new()), "{bad:?}");
    }
}

/// The script and the forced command in it are whole: nothing was left to be filled in, and shellcheck has nothing to say.
fn no_shell_complains(script: &str) {
    let stop = Stop::new().expect("a socket pair");
    let is_left = |word: &&str| !word.is_empty() && word.chars().all(|c| c.is_ascii_uppercase() || c == '_');
    assert_eq!(script.split('@').skip(1).step_by(2).find(is_left), None, "{script}");
    for part in [script, served(script)] {
        let shellcheck = Program::find("shellcheck").expect("shellcheck").args(["-s", "sh", "-"]);
        let checked = shellcheck
            .stdin(Input::Bytes(part.as_bytes().to_vec()))
            .capture(Limits { stop: &stop, deadline: None }, 1 << 16)
            .expect("it runs");
        assert!(checked.ending.is_clean(), "{}\n{part}", String::from_utf8_lossy(&checked.stdout));
    }
}

/// What the forced command makes of a command, where zfs says which words it got.
fn run(served: &str, command: &str) -> (Ending, String) {
    let stop = Stop::new().expect("a socket pair");
    let sh = Program::find("sh").expect("sh").args(["-c", &served.replace("/sbin/zfs", "echo")]);
    let said = sh
        .env("SSH_ORIGINAL_COMMAND", command.replace("/sbin/zfs", "echo"))
        .capture(Limits { stop: &stop, deadline: None }, 1 << 16)
        .expect("it runs");
    (said.ending, String::from_utf8(said.stdout).expect("text"))
}

/// The forced command.
fn served(script: &str) -> &str {
    let (_, from) = script.split_once("<<'END_OF_SERVE'\n").expect("a here-document");
    from.split_once("END_OF_SERVE\n").expect("its end").0
}

/// A source that is another backup host.
fn second(user: &str, tag: &str) -> Transport {
    let mut settings = zfs_settings(user);
    settings.datasets = Datasets::Tagged { tag: tag.parse().expect("a tag"), exclude: Vec::new() };
    Transport::Zfs(settings)
}

#[test]
fn of_another_backup_host_what_has_the_tag_at_that_moment_is_let_out() {
    let (name, key): (Name, _) =
        ("second".parse().expect("a name"), "ssh-ed25519 AAAA".parse().expect("a key"));
    for user in ["remotebackup", "root"] {
        let transport = second(user, "offsite");
        let text = script(&Alike { asked: "second", key: &key, filesets: vec![(&name, &transport)] })
            .expect("a script");
        assert_eq!(text.contains("zfs allow -u remotebackup"), user != "root", "{text}");
        no_shell_complains(&text);
        // A planb that knows of two datasets.
        let planb =
            "planb() { [ \"$*\" = 'list --tag offsite --datasets' ] && printf 't/B/web.1\\nt/B/db1\\n'; }\n";
        let served = served(&text).replacen("\n\n", &format!("\n{planb}\n"), 1);
        for (dataset, ending) in [
            ("t/B/web.1", 0),
            ("t/B/db1/below/it", 0),
            ("t/B/web11", 126),
            ("t/B/webx1", 126),
            ("t/B", 126),
            ("t/B/other", 126),
            ("-", 126),
        ] {
            let send = format!("/sbin/zfs send -vPwcL {dataset}@planb-20260102T0304Z");
            assert_eq!(run(&served, &send).0, Ending::Exited(ending), "{send}");
        }
    }
}

#[test]
fn what_no_rule_can_say_gets_no_script() {
    let mut two = [settings("/", "remotebackup"), settings("/srv", "remotebackup")];
    if let Source::Ssh(ssh) = &mut two[1].source {
        ssh.rsync_path = "/opt/rsync".parse().expect("a program");
    }
    assert!(matches!(of(&two), Err(Error::TwoPrograms { .. })));
    assert!(matches!(of(&[settings("/with space", "remotebackup")]), Err(Error::Odd { .. })));
    let mut local = settings("/", "remotebackup");
    local.source = Source::Local("/".parse().expect("a path"));
    assert!(matches!(of(&[local]), Err(Error::NotSsh { .. })));
}

#[test]
fn a_public_key_is_one_line_of_two_words() {
    for bad in
        ["", "ssh-ed25519", "ssh-ed25519 AA'A", "a b\nc d", "-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA"]
    {
        bad.parse::<PublicKey>().expect_err(bad);
    }
    let key: PublicKey = "ssh-ed25519 AAAA== me@here\n".parse().expect("a key");
    assert_eq!(key.0, "ssh-ed25519 AAAA==");
}

#[test]
fn no_manual_has_rules_of_its_own() {
    for text in [include_str!("../../../README.md"), include_str!("../../../man/planb.8")] {
        assert!(text.contains("planb authorize") && !text.contains("NOPASSWD"));
    }
}

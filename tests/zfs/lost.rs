//! What is left of a key, and of a host: of the one nothing that is not encrypted, of the other enough to come back.

use crate::encrypted::{CLOSED, CREDENTIAL, WEB1};
use crate::lab::on_each_release;
use crate::planb::{SOURCE, vm_with_disk_of};
use std::path::Path;
use std::process::Command;

const SETTINGS: &str = r#"
[storage.tank]
type = "zfs"
parent = "tank/BACKUP"
encryption = true
[defaults.rsync]
bwlimit = "none"
"#;

/// In front of programs that get or give keys: what everybody could read of them and of who called them.
const OVERHEARD: &str = "cat /proc/$$/cmdline /proc/$$/environ /proc/$PPID/cmdline /proc/$PPID/environ >>/srv/overheard 2>/dev/null
exec $real \"$@\"";

/// Cores are written, as large as they are, also of who shall not leave any.
const CORES: &str = "sysctl -q -w kernel.core_pattern=/srv/core-%e
mkdir -p /etc/systemd/system/planb@.service.d
printf '[Service]\\nLimitCORE=infinity\\n' >/etc/systemd/system/planb@.service.d/cores.conf; systemctl daemon-reload
ulimit -c unlimited; sh -c 'kill -ABRT $$'";

/// What README.md says of this, and planb(8) as well: what to keep, and how to come back.
fn losing_the_host() -> [Vec<&'static str>; 2] {
    let section = include_str!("../../README.md").split("\n## Losing the host").nth(1).expect("a section");
    let section = section.split("\n## ").next().expect("its text");
    let blocks = section.split("```sh\n").skip(1).filter_map(|block| block.split("```").next());
    let blocks: Vec<Vec<&str>> = blocks.map(|block| block.lines().collect()).collect();
    for command in blocks.iter().flatten() {
        let command = command.split("  #").next().unwrap_or_default().trim_end();
        let page = include_str!("../../man/planb.8");
        assert!(page.lines().any(|line| line == command), "planb(8) has no line {command}");
    }
    blocks.try_into().expect("two blocks of commands")
}

/// What a person types of a recovery sheet where there is no PlanB: the digits of its rows, and its commands.
fn without_planb(sheet: &str, snapshot: &str) -> String {
    let rows = sheet.lines().filter(|line| line.starts_with("key "));
    let rows: Vec<String> = rows.map(|row| row.split_whitespace().skip(2).take(4).collect()).collect();
    let commands =
        sheet.lines().filter(|line| line.starts_with("    ") && !line.contains("planb key import"));
    let commands: Vec<&str> = commands.collect();
    let commands = commands.join("\n").replace("import -N", "import -f -N").replace("SNAPSHOT", snapshot);
    format!("set -e\necho '{}' >/run/key\n{commands}", rows.join("\n"))
}

on_each_release! {
    fn a_key_is_nowhere_in_clear_and_a_lost_host_comes_back(vm: &Vm, "enc-lost") {
        let [keep, back] = losing_the_host();
        vm.make_pool();
        vm.write("/etc/planb/planb.toml", SETTINGS);
        // What nobody else has: to be found on a disk, or not to be.
        vm.ok("mkdir /srv/source/etc; for file in /srv/source/etc/fstab /root/open; do head -c 64K /dev/urandom >$file; done; cp /root/open /tank");
        let file = vm.bytes("cat /srv/source/etc/fstab");
        let open = vm.bytes("cat /root/open");
        vm.drop_in("web1", &format!("schedule = \"yearly\"\n{SOURCE}"));
        vm.reload();
        for program in ["zfs", "systemd-creds"] {
            vm.put_before(program, OVERHEARD);
        }

        // All that is done with a key, while somebody listens.
        vm.exits(0, "planb run web1");
        let digits = || vm.ok(&format!("/usr/bin/systemd-creds decrypt --name=planb.key.web1 {CREDENTIAL} - | od -An -vtx1 | tr -d ' \\n'"));
        let mut keys = vec![digits()];
        vm.exits(0, "planb key rotate web1");
        keys.push(digits());
        assert!(keys[0] != keys[1] && keys.iter().all(|key| key.len() == 64));
        vm.ok("{ planb key export web1 | planb -v key import web1; planb -v key check; planb key list --json; } >>/srv/overheard 2>&1");
        vm.run(CORES);
        vm.ok("mv /srv/core-sh* /root");
        vm.begin_long_run("web1");
        vm.ok("cat /proc/[0-9]*/cmdline /proc/[0-9]*/environ >>/srv/overheard 2>/dev/null || true");
        vm.ok("systemctl kill --kill-whom=main -s ABRT planb@web1.service");
        vm.wait(60, "[ $(systemctl is-active planb@web1.service) = failed ]");
        vm.ok("journalctl --sync; journalctl -o cat _PID=1 | grep -q 'planb@web1.service: Main process exited, code=killed, status=6/ABRT'");
        vm.exits(2, "ls /srv/core*");
        assert_eq!(vm.state(WEB1), CLOSED);
        vm.end_long_runs("web1");
        vm.exits(0, "planb run --keep last web1");
        for program in ["zfs", "systemd-creds"] {
            vm.put_away(program);
        }
        let snapshot = vm.last("web1")["snapshot"].as_str().expect("a snapshot").to_owned();
        assert!(vm.ok("tr '\\0' '\\n' </srv/overheard").contains("\nload-key\n"), "somebody listened");
        vm.ok("journalctl --sync; journalctl -o export >/srv/journal; planb history --json >/srv/history; sync");

        // What is kept elsewhere. The source is another machine, and is not lost.
        vm.ok(&format!("set -e\n{}", keep.join("\n")));
        let [sheets, kept] = ["sheets", "tar.gz"].map(|end| vm.bytes(&format!("cat /run/planb.{end}")));
        let source = vm.bytes("tar --format=posix -cf - /etc/ssh /root/.ssh /srv/source");
        vm.power_off();
        let [system, pool] = vm.disks().try_into().expect("two disks");
        for disk in [&system, &pool] {
            assert!(is_on(disk, &bytes(&open[..32])), "what is in clear is found");
            for key in &keys {
                absent(disk, key);
            }
        }
        assert!(is_on(&system, &bytes(&file[..32])) && !is_on(&pool, &bytes(&file[..32])), "files are encrypted, too");

        let Some(other) = vm_with_disk_of("enc-found", vm.release(), vm) else { return };
        for (command, input) in [
            ("tar -C / -xpf - && systemctl restart ssh", &source),
            ("cat >/run/planb.sheets", &sheets),
            ("cat >/run/planb.tar.gz", &kept),
        ] {
            assert_eq!(other.fed(command, input).code, Some(0), "{command}");
        }

        // With no more than the disks and the sheet.
        other.ok(&without_planb(&String::from_utf8(sheets).expect("text"), &snapshot));
        other.ok("cmp /srv/restored/etc/fstab /srv/source/etc/fstab && [ ! -e /run/key ]");
        other.ok(&format!("umount -R /mnt/backup && zfs unload-key {WEB1} && zpool export tank"));
        // With PlanB.
        other.ok("echo new >/srv/source/new");
        for command in back {
            if command.starts_with("planb key import") {
                let why = other.refused("web1");
                assert!(why.contains(&format!("the key of {WEB1} is missing")) && why.contains("planb key import web1"), "{why}");
            }
            other.ok(&format!("cd /run && {}", command.replace("planb-20260102T0304Z", &snapshot)));
        }
        other.ok("cmp /tmp/fstab /srv/source/etc/fstab");
        // It goes on where it was, and what came is what was new.
        let run = other.last("web1");
        assert_eq!((&run["result"], &run["files_transferred"], &run["error"]), (&"success".into(), &1.into(), &serde_json::Value::Null), "{run}");
        assert!(other.ok("planb history web1").contains(&snapshot));
        assert_eq!(other.state(WEB1), CLOSED);
        assert_eq!(other.ok("systemctl is-active planb@web1.timer"), "active");
    }
}

/// A key is on no disk in any of the ways in which it could be written.
fn absent(disk: &Path, digits: &str) {
    let key: Vec<u8> =
        (0..64).step_by(2).map(|at| u8::from_str_radix(&digits[at..at + 2], 16).expect("digits")).collect();
    let debugged: Vec<String> = key[..12].iter().map(u8::to_string).collect();
    let grouped: Vec<&str> = (0..16).step_by(4).map(|at| &digits[at..at + 4]).collect();
    for written in
        [bytes(&key), format!("(?i){digits}"), format!("(?i){}", grouped.join(" ")), debugged.join(", ")]
    {
        assert!(!is_on(disk, &written), "a key is in clear on {} as {written}", disk.display());
    }
}

/// A pattern for these bytes. grep looks at lines: of the bytes it is the longest part that is in one.
fn bytes(these: &[u8]) -> String {
    let part = these.split(|&byte| byte == b'\n').max_by_key(|part| part.len()).expect("a part");
    part.iter().map(|byte| format!("\\x{byte:02x}")).collect::<Vec<_>>().concat()
}

fn is_on(disk: &Path, pattern: &str) -> bool {
    let mut grep = Command::new("grep");
    let found = grep.env("LC_ALL", "C").args(["-qaP", pattern]).arg(disk).status().expect("grep");
    assert!(matches!(found.code(), Some(0 | 1)), "grep failed: {found}");
    found.success()
}

//! A source that is set up by `planb authorize`: real sshd, real sudo.

use crate::lab::{Machine, on_each_release};

/// Everything as it is where nobody says otherwise: user remotebackup, sudo, ionice, do-not-run. And flags that sudo's
/// rules have to spell.
const WEB1: &str = r#"[rsync]
host = "localhost"
source = "/srv/source"
include = ["/"]
bwlimit = "50M"
flags = ["--checksum-choice=md5,md4", "--iconv=utf8,utf8", "--block-size=8192", "--open-noatime", "--max-alloc=1g"]
"#;

const OTHER: &str = "[rsync]\nhost = \"localhost\"\nsource = \"/srv/other+more\"\ninclude = [\"/\"]\n";

/// Whatever is tried and must not be possible.
const TEMPTATIONS: [&str; 10] = [
    "write: rsync's receiving side",
    "read beside that",
    "write a log file",
    "delete",
    "hide arguments",
    "run a shell",
    "run a second command",
    "use SFTP",
    "have a terminal",
    "forward ports",
];

/// What of it is possible, as `planb check --connect` sees it.
fn possible(machine: &Machine) -> Vec<&'static str> {
    let said = machine.run("planb check --connect web1");
    let lines: Vec<&str> = said.out.lines().collect();
    assert_eq!(lines.len(), 1 + TEMPTATIONS.len(), "{said:?}");
    assert_eq!(lines[0], "web1: ok: remotebackup may read /srv/source, as root");
    let mut found = Vec::new();
    for (line, what) in lines[1..].iter().zip(TEMPTATIONS) {
        let expected = format!("remotebackup may not {what}");
        assert!(line.contains(&expected), "{line} is not about {what}");
        if line.starts_with("web1: WRONG: ") {
            assert!(line.ends_with(": it is allowed"), "{line}");
            found.push(what);
        } else {
            assert!(line.starts_with("web1: ok: "), "{line}");
        }
    }
    assert_eq!(said.code, Some(i32::from(!found.is_empty())), "{said:?}");
    found
}

on_each_release! {
    fn a_source_that_was_set_up_allows_what_is_needed_and_nothing_more(machine: &Machine, "authorize") {
        // This backup host is its own source, whose logins may look for do-not-run.d.
        machine.ok("chmod 755 /var/lib/planb");
        machine.ok("chmod 600 /srv/source/one && mkdir /srv/other+more && echo x >/srv/other+more/x");
        machine.drop_in("web1", WEB1);
        machine.reload();
        machine.exits(1, "planb run web1");
        let said = machine.exits(1, "planb check --connect web1");
        assert!(said.out.starts_with("web1: WRONG: remotebackup may read /srv/source, as root: "), "{said:?}");
        assert_eq!(said.out.lines().count(), 1, "where nothing can be read nothing else is proven: {said:?}");

        // As the manual has it.
        let authorize = "planb authorize web1 | ssh -o StrictHostKeyChecking=no -i /var/lib/planb/.ssh/id_ed25519 root@localhost sh";
        machine.ok(authorize);
        machine.exits(0, "planb run web1");
        let path = machine.last("web1")["path"].as_str().expect("a snapshot").to_owned();
        machine.ok(&format!("cmp /srv/source/one {path}/one"));
        assert_eq!(possible(machine), [""; 0]);
        machine.exits(0, "planb run --dry-run web1");

        // Its own administrator can still say "not now", and an agreement is about this source only.
        machine.ok("install -d -m 755 /var/lib/planb/do-not-run.d");
        machine.ok("touch /var/lib/planb/do-not-run.d/upgrade");
        machine.exits(75, "planb run web1");
        assert!(machine.last("web1")["error"].as_str().is_some_and(|error| error.contains("upgrade")));
        machine.ok("rm /var/lib/planb/do-not-run.d/upgrade");
        machine.drop_in("other", OTHER);
        machine.reload();
        machine.exits(1, "planb run other");
        let error = machine.last("other")["error"].as_str().expect("an error").to_owned();
        assert!(error.contains("planb authorize localhost"), "{error}");

        // Once more, for all filesets of the host; what else is there stays.
        machine.ok("echo 'ssh-ed25519 AAAAtheirs somebody' >>~remotebackup/.ssh/authorized_keys");
        machine.ok("planb authorize localhost | sh");
        machine.exits(0, "planb run web1 other");
        assert_eq!(possible(machine), [""; 0]);
        let keys = machine.ok("cat ~remotebackup/.ssh/authorized_keys; stat -c %U:%a ~remotebackup/.ssh/authorized_keys");
        assert!(keys.lines().count() == 3 && keys.contains("AAAAtheirs") && keys.ends_with("root:644"), "{keys}");

        // Each lock holds alone: without ours at the door, sudo still lets nothing but the sending side be root.
        machine.ok("sed -i 's/^restrict,command=\"[^\"]*\" //' ~remotebackup/.ssh/authorized_keys");
        let shell = ["run a shell", "run a second command", "use SFTP", "have a terminal", "forward ports"];
        assert_eq!(possible(machine), shell);
        // A rule that lets any letter in lets everything in, and one that is often seen is none at all.
        machine.ok("sed -i 's/-\\[[A-Za-z]*]+e/-[A-Za-z]+e/' /etc/sudoers.d/planb-remotebackup");
        machine.ok("grep -qF -e '--sender -[A-Za-z]+e' /etc/sudoers.d/planb-remotebackup");
        assert_eq!(possible(machine), [&["hide arguments"][..], &shell].concat());
        machine.ok("echo 'remotebackup ALL=(root) NOPASSWD: /usr/bin/rsync --server --sender *' >/etc/sudoers.d/planb-remotebackup");
        let mut all = TEMPTATIONS.to_vec();
        all.remove(0);
        assert_eq!(possible(machine), all);
        machine.ok(authorize);
        assert_eq!(possible(machine), [""; 0]);
        let said = machine.exits(2, "planb authorize nobody");
        assert!(said.err.contains("nobody"), "{said:?}");
    }
}

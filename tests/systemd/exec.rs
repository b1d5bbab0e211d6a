//! A program of the administrator's, in the sandbox of its unit.

use crate::lab::on_each_release;

/// Says what it can do there, and then what it is told to do.
const PROGRAM: &str = r#"#!/bin/bash
try() { what=$1; shift; if "$@" >/dev/null 2>&1; then echo "could $what"; else echo "could not $what"; fi; }
into() { : >"$1"; }
echo "as $(id -un) in $PWD on $planb_storage_name at $HOME"
try "write its workspace" into "$PLANB_WORKSPACE/file"
try "read a path that was named" cat /home/me/config
try "write a path that was named to be read" into /home/me/config
try "write a path that was named to be written" into /srv/cache/x
try "read beside it" cat /home/me/secret
try "read a secret that was named" cat /etc/planb/secrets/web1
try "read the configuration" cat /etc/planb/planb.toml
try "write the system" into /etc/x
try "see another dataset" ls /srv/backups/other
try "become root" sudo -n true
try "reach its sources" bash -c ": </dev/tcp/127.0.0.1/22"
echo "total-files 2" >&3
echo "total-bytes 7" >&3
exit "$1"
"#;

const PREPARE: &str = r#"
mkdir -p /home/me /srv/cache /srv/backups/other /etc/planb/secrets /opt
echo config >/home/me/config; echo secret >/home/me/secret; echo secret >/etc/planb/secrets/web1
echo "planb ALL=(ALL) NOPASSWD: ALL" >/etc/sudoers.d/planb
chown planb: /srv/cache /home/me/* /etc/planb/secrets/web1
"#;

fn fileset(code: u8) -> String {
    format!(
        "[exec]\ncommand = [\"/opt/my-transfer\", \"{code}\"]\n\
         extra-paths = [\"/home/me/config\", \"/srv/cache:rw\", \"/etc/planb/secrets/web1\", \"/srv/none\"]\n"
    )
}

on_each_release! {
    fn a_program_has_its_workspace_and_what_was_named_and_nothing_else(machine: &Machine, "exec") {
        machine.write("/opt/my-transfer", PROGRAM);
        machine.ok(&format!("chmod 755 /opt/my-transfer\n{PREPARE}"));
        machine.drop_in("web1", &fileset(0));
        machine.reload();
        machine.exits(0, "planb run web1");
        let last = machine.last("web1");
        assert_eq!((&last["result"], &last["bytes_total"]), (&"success".into(), &7.into()), "{last:#}");
        let journal = machine.ok("journalctl --no-pager -o cat PLANB_FILESET=web1");
        let path = last["path"].as_str().expect("a snapshot");
        machine.ok(&format!("test -f {path}/file"));
        for said in [
            "as planb in /srv/backups/web1/.new/data on /srv/backups/web1 at /var/lib/planb",
            "could write its workspace",
            "could read a path that was named",
            "could not write a path that was named to be read",
            "could write a path that was named to be written",
            "could not read beside it",
            "could read a secret that was named",
            "could not read the configuration",
            "could not write the system",
            "could not see another dataset",
            "could not become root",
            "could reach its sources",
        ] {
            assert!(journal.contains(said), "{said}: {journal}");
        }
        machine.drop_in("web1", &fileset(75));
        machine.reload();
        machine.exits(75, "planb run web1");
        assert_eq!(machine.last("web1")["result"], "deferred");
    }
}

//! What `planb monitor` says where systemd starts the runs, and to whom.

use crate::lab::{Machine, on_each_release};
use crate::planb::SOURCE;

/// What it says to somebody, which has to begin so and have these words.
#[track_caller]
fn says(machine: &Machine, who: &str, filesets: &str, code: i32, words: &str) {
    let said = machine.exits(code, &format!("runuser -u {who} -- planb monitor {filesets}"));
    let status = ["OK", "WARNING", "CRITICAL", "UNKNOWN"][usize::try_from(code).expect("a code")];
    assert!(
        said.out.starts_with(&format!("PLANB {status} - ")) && said.out.contains(words),
        "{words:?} is not in {said:?}"
    );
}

on_each_release! {
    fn what_would_not_start_by_itself_is_critical(machine: &Machine, "monitor") {
        machine.ok("useradd alice; usermod -aG planb alice; useradd bob");
        machine.drop_in("web1", SOURCE);
        machine.drop_in("off", &format!("enabled = false\n{SOURCE}"));
        machine.reload();
        machine.exits(0, "planb run web1");
        says(machine, "root", "", 0, "2 filesets, no newest snapshot older than ");
        // The group reads the records and sees the timers; who may not is told so, and hears neither good news nor an alarm.
        says(machine, "alice", "", 0, "2 filesets");
        says(machine, "bob", "", 3, "");
        let bob = machine.exits(3, "runuser -u bob -- planb monitor web1");
        assert!(!bob.out.contains("critical:") && !bob.out.contains("warning:"), "{bob:?}");

        // Somebody stopped it, and somebody has a file that nobody was told of.
        machine.ok("systemctl stop planb@web1.timer");
        says(machine, "root", "web1", 2, "web1: planb@web1.timer is not active, so nothing starts by itself: planb reload");
        says(machine, "alice", "web1", 2, "is not active");
        machine.reload();
        says(machine, "root", "", 0, "");
        machine.ok("systemctl stop planb-reload.path");
        machine.drop_in("web2", SOURCE);
        says(machine, "root", "", 2, "web2: planb@web2.timer is not active");
        machine.reload();
        says(machine, "root", "", 0, "3 filesets");

        // A file that is wrong costs its own fileset, also where it was right before; one that is masked is no fileset.
        machine.drop_in("web2", &format!("retain = \"often\"\n{SOURCE}"));
        says(machine, "root", "", 2, "web2: it is not backed up: /etc/planb/conf.d/web2.toml:1:");
        says(machine, "root", "web1", 0, "");
        machine.ok("ln -sf /dev/null /etc/planb/conf.d/web2.toml");
        machine.reload();
        says(machine, "root", "", 0, "2 filesets");

        // systemd itself does not answer: then it is not known whether anything would start.
        machine.ok("mv /usr/bin/systemctl /usr/bin/systemctl.away");
        says(machine, "root", "", 3, "the timers cannot be seen: ");
        machine.ok("mv /usr/bin/systemctl.away /usr/bin/systemctl");

        // On a directory that root alone may look into, others learn nothing.
        machine.ok("chmod 700 /srv/backups/web1");
        says(machine, "alice", "web1", 3, "web1: failed to open the dataset /srv/backups/web1");
        says(machine, "root", "web1", 0, "web1: its newest snapshot is ");
    }

    fn what_root_made_by_hand_the_agent_sees(machine: &Machine, "by-hand") {
        machine.drop_in("web1", SOURCE);
        machine.reload();
        machine.exits(0, "HOME=/var/lib/planb planb run --direct web1");
        // Its names are for who may read the records; what is in it is not.
        assert_eq!(machine.ok("stat -c %U:%G:%a /srv/backups/web1"), "root:planb:740");
        machine.exits(2, "runuser -u planb -- ls /srv/backups/web1/$(ls /srv/backups/web1 | grep ^planb-)");
        let ask = |what: &str| machine.ok(&format!("busctl {what}"));
        let object = "org.planb.PlanB1 /org/planb/PlanB1/fileset/web1 org.planb.PlanB1.Fileset";
        assert_eq!(ask(&format!("get-property {object} SnapshotCount")), "x 1");
        assert!(ask(&format!("call {object} Snapshots")).starts_with("a(stsastts) 1 \"planb-"));
        let storages = ask("call org.planb.PlanB1 /org/planb/PlanB1 org.planb.PlanB1.Manager Storages");
        assert!(storages.starts_with("a(sssastt) 1 \"main\" \"directory\" \"ok\" 0 "), "{storages}");
        // The next run as a unit goes on from there, and the other way round.
        machine.exits(0, "planb run --keep second web1");
        assert_eq!(machine.last("web1")["files_transferred"], 0, "linked from what root made");
        machine.exits(0, "HOME=/var/lib/planb planb run --direct --keep third web1");
        machine.wait(20, &format!("[ \"$(busctl get-property {object} SnapshotCount)\" = 'x 3' ]"));
    }
}

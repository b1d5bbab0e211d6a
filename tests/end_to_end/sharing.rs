//! Runs side by side: one of a fileset, as many as there are slots, the longest waiting first.

use crate::sshd::Sshd;
use crate::world::{Running, World, quoted, wait_for};
use std::fs;
use time::Duration;

/// A source that begins nothing before it is told to, and writes down who came and how many were there at once.
struct Gate<'a> {
    world: &'a World,
    sshd: Sshd,
}

impl<'a> Gate<'a> {
    fn new(world: &'a World) -> Self {
        let sshd = Sshd::start();
        fs::create_dir(world.at("inside")).expect("a directory");
        let dir = world.at("");
        let dir = dir.to_str().expect("utf-8").replace('\'', r"'\''");
        sshd.force(&format!(
            "cd '{dir}' && mkdir inside/$$ && ls inside | wc -l >>counts && echo \"$SSH_ORIGINAL_COMMAND\" >>came\n\
             until [ -e go ]; do sleep 0.02; done\nsh -c \"$SSH_ORIGINAL_COMMAND\"; code=$?\nrmdir inside/$$; exit $code"
        ));
        Self { world, sshd }
    }

    /// A fileset whose source is a directory of its name.
    fn fileset(&self, name: &str) {
        self.world.write(format!("{name}/f"), name);
        self.world.over(&self.sshd, name, "", "");
        let file = self.world.at(format!("root/etc/planb/conf.d/{name}.toml"));
        let source = self.world.source();
        let (from, to) = (quoted(&source), quoted(&source.join(name)));
        let text = fs::read_to_string(&file).expect("read");
        fs::write(file, text.replace(&format!("source = {from}"), &format!("source = {to}")))
            .expect("written");
    }

    fn inside(&self) -> usize {
        fs::read_dir(self.world.at("inside")).expect("listed").count()
    }

    fn open(&self) {
        fs::write(self.world.at("go"), "").expect("written");
    }

    fn shut(&self) {
        fs::remove_file(self.world.at("go")).expect("it was open");
    }

    /// How many were ever there at once.
    fn most(&self) -> usize {
        let counts = fs::read_to_string(self.world.at("counts")).expect("read");
        counts.lines().map(|line| line.trim().parse().expect("a number")).max().expect("somebody came")
    }

    /// The filesets in the order in which they came, of these.
    fn order(&self, of: &[&str]) -> Vec<String> {
        let came = fs::read_to_string(self.world.at("came")).expect("read");
        let who =
            |line: &str| of.iter().find(|name| line.contains(&format!("/{name}/"))).map(ToString::to_string);
        came.lines().filter_map(who).collect()
    }
}

#[test]
fn a_second_run_of_a_fileset_is_refused_at_once_and_told_who_has_it() {
    let world = World::new();
    let gate = Gate::new(&world);
    gate.fileset("web1");
    let first = world.start(&["run", "web1"]);
    wait_for("the first run", || gate.inside() == 1);
    let second = world.planb(&["run", "web1"]);
    assert_eq!(second.code, 4, "{}", second.stderr);
    assert_eq!(second.stderr, format!("planb: web1 is being backed up already by process {}\n", first.pid()));
    let prune = world.planb(&["prune", "web1"]);
    assert_eq!(prune.code, 4, "{}", prune.stderr);
    assert_eq!(world.planb(&["prune", "--dry-run", "web1"]).code, 0, "who only looks is in nobody's way");
    gate.open();
    assert_eq!(first.wait().code, 0);
    assert_eq!(world.runs("web1").len(), 1, "who was refused is no run");
}

#[test]
fn one_source_serves_one_run_at_a_time_and_holds_up_no_other() {
    let world = World::new();
    let gate = Gate::new(&world);
    gate.fileset("web1");
    gate.fileset("web2");
    world.local("here", "", "");
    let first = world.start(&["run", "web1"]);
    wait_for("the first run", || gate.inside() == 1);
    let second = world.start(&["run", "web2"]);
    second.wait_until_queued();
    world.good_run("here");
    let refused = world.planb(&["run", "--no-wait", "web2"]);
    assert_eq!(refused.code, 4, "{}", refused.stderr);
    assert_eq!(gate.inside(), 1);
    gate.open();
    assert_eq!((first.wait().code, second.wait().code), (0, 0));
    assert_eq!(gate.most(), 1);
}

#[test]
fn who_will_not_wait_is_refused_and_nothing_is_written_down() {
    let world = World::with("slots = 1");
    let gate = Gate::new(&world);
    gate.fileset("web1");
    world.local("here", "", "");
    let first = world.start(&["run", "web1"]);
    wait_for("the first run", || gate.inside() == 1);
    let refused = world.planb(&["run", "--no-wait", "here"]);
    assert_eq!((refused.code, refused.stderr.as_str()), (4, "planb: here: no free slot\n"));
    assert!(world.runs("here").is_empty());
    gate.open();
    assert_eq!(first.wait().code, 0);
    world.later(Duration::MINUTE);
    assert_eq!(world.planb(&["run", "--no-wait", "here"]).code, 0);
}

#[test]
fn slots_hold_within_one_process_and_across_many() {
    let world = World::with("slots = 2\nslots-per-source = 9");
    let gate = Gate::new(&world);
    for name in ["a", "b", "c", "d"] {
        gate.fileset(name);
    }
    let all = world.start(&["run", "--all"]);
    wait_for("two runs", || gate.inside() == 2);
    world.local("here", "", "");
    let one = world.start(&["run", "here"]);
    one.wait_until_queued();
    let states = ["a", "b", "c", "d"].map(|name| world.listed(name)["state"].clone());
    assert_eq!(states.iter().filter(|state| *state == "running").count(), 2, "{states:?}");
    gate.open();
    let all = all.wait();
    assert_eq!((all.code, one.wait().code), (0, 0), "{}", all.stderr);
    assert_eq!(gate.most(), 2);
    for name in ["a", "b", "c", "d", "here"] {
        assert_eq!(world.last(name)["result"], "success");
    }
}

#[test]
fn sources_hold_within_one_process() {
    let world = World::with("slots = 9\nslots-per-source = 2");
    let gate = Gate::new(&world);
    for name in ["a", "b", "c", "d"] {
        gate.fileset(name);
    }
    world.local("here", "", "");
    let all = world.start(&["run", "--all"]);
    wait_for("two runs", || gate.inside() == 2);
    wait_for("the one that needs no host", || world.listed("here")["last_result"] == "success");
    gate.open();
    assert_eq!(all.wait().code, 0);
    assert_eq!(gate.most(), 2);
}

#[test]
fn the_longest_without_a_backup_goes_first() {
    let world = World::with("slots = 1");
    let gate = Gate::new(&world);
    let names = ["first", "new", "never", "old"];
    for name in names {
        gate.fileset(name);
    }
    gate.open();
    for name in ["old", "new"] {
        world.later(Duration::DAY);
        world.good_run(name);
    }
    gate.shut();
    world.later(Duration::DAY);
    let first = world.start(&["run", "first"]);
    wait_for("the first run", || gate.inside() == 1);
    let waiting: Vec<Running> = ["new", "never", "old"]
        .map(|name| {
            let running = world.start(&["run", name]);
            running.wait_until_queued();
            running
        })
        .into();
    gate.open();
    assert_eq!(first.wait().code, 0);
    for running in waiting {
        assert_eq!(running.wait().code, 0);
    }
    assert_eq!(gate.order(&names)[2..], ["first", "never", "old", "new"]);

    // And so within one process.
    for name in ["new", "first", "old"] {
        world.later(Duration::DAY);
        world.good_run(name);
    }
    world.later(Duration::DAY);
    assert_eq!(world.planb(&["run", "--all"]).code, 0);
    assert_eq!(gate.order(&names)[9..], ["never", "new", "first", "old"]);
}

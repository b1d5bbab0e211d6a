//! From what is configured and what systemd has to what is to be done. Pure: both come in as arguments.

use crate::config::Configuration;
use crate::generator::Content;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

/// What systemd has, by the filesets' names.
#[derive(Debug, Default)]
pub struct Seen {
    /// Timers that are active.
    pub active: BTreeSet<String>,
    /// What the generator wrote when systemd last looked.
    pub generated: BTreeMap<PathBuf, Content>,
    /// Invalid filesets whose old schedule is kept already.
    pub kept: BTreeSet<String>,
}

/// What is to be done, by the filesets' names.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Plan {
    pub start: BTreeSet<String>,
    /// Those whose schedule changed.
    pub restart: BTreeSet<String>,
    /// Those of no fileset, or of a disabled one.
    pub stop: BTreeSet<String>,
    /// Those of invalid filesets, which go on as they were.
    pub keep: BTreeSet<String>,
    /// Whether systemd must look at the generator's files again.
    pub differs: bool,
    /// How many timers are active when all is done.
    pub timers: usize,
}

impl Plan {
    pub fn new(configuration: &Configuration, files: &BTreeMap<PathBuf, Content>, seen: &Seen) -> Self {
        let enabled = configuration.filesets.iter().filter(|fileset| fileset.enabled);
        let wanted: BTreeSet<String> = enabled.map(|fileset| fileset.name.to_string()).collect();
        let invalid: BTreeSet<String> = configuration
            .invalid
            .iter()
            .filter_map(|invalid| invalid.name.as_ref().map(ToString::to_string))
            .filter(|name| !wanted.contains(name))
            .collect();
        // Only who had a schedule can keep one.
        let had = |name: &String| seen.active.contains(name) || seen.kept.contains(name);
        let keep: BTreeSet<String> = invalid.iter().filter(|name| had(name)).cloned().collect();
        let start = wanted.iter().filter(|name| !seen.active.contains(*name));
        let start = start.chain(keep.iter().filter(|name| !seen.active.contains(*name))).cloned().collect();
        let restart = wanted.iter().filter(|name| seen.active.contains(*name) && changed(files, seen, name));
        let stop = seen.active.iter().filter(|name| !wanted.contains(*name) && !keep.contains(*name));
        let timers = wanted.union(&keep).count();
        Self {
            restart: restart.cloned().collect(),
            stop: stop.cloned().collect(),
            differs: *files != seen.generated || seen.kept != keep,
            start,
            keep,
            timers,
        }
    }

    /// Whether no timer is to be touched.
    pub fn is_empty(&self) -> bool {
        self.start.is_empty() && self.restart.is_empty() && self.stop.is_empty()
    }

    /// This, and then that.
    pub fn then(mut self, later: Self) -> Self {
        for name in &later.stop {
            self.start.remove(name);
            self.restart.remove(name);
        }
        for name in &later.start {
            self.stop.remove(name);
        }
        self.start.extend(later.start);
        self.restart.extend(later.restart);
        self.stop.extend(later.stop);
        Self { keep: later.keep, differs: self.differs || later.differs, timers: later.timers, ..self }
    }
}

/// Whether the fileset's timer has another text than the one that is in force. Where the file came from does not count.
fn changed(files: &BTreeMap<PathBuf, Content>, seen: &Seen, name: &str) -> bool {
    let path = drop_in(name);
    let schedule = |files: &BTreeMap<PathBuf, Content>| match files.get(&path) {
        Some(Content::Text(text)) => {
            text.lines().filter(|line| line.starts_with("On")).map(str::to_owned).collect()
        }
        _ => Vec::new(),
    };
    // One that was invalid had its old schedule until now, whatever that was.
    seen.kept.contains(name) || schedule(files) != schedule(&seen.generated)
}

pub fn by_path(files: Vec<(String, Content)>) -> BTreeMap<PathBuf, Content> {
    files.into_iter().map(|(path, content)| (path.into(), content)).collect()
}

/// Where the schedule of a fileset is, below the directories of units.
pub fn drop_in(name: &str) -> PathBuf {
    format!("planb@{name}.timer.d/50-planb.conf").into()
}

/// The timers of these filesets.
pub fn units(names: &BTreeSet<String>) -> Vec<String> {
    names.iter().map(|name| format!("planb@{name}.timer")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config;
    use crate::generator;
    use crate::host::paths::Paths;
    use nix::unistd::Uid;
    use std::fs;

    struct Machine {
        root: tempfile::TempDir,
        seen: Seen,
    }

    impl Machine {
        fn new() -> Self {
            let root = tempfile::tempdir().expect("a directory");
            fs::create_dir_all(root.path().join("etc/planb/conf.d")).expect("a directory");
            let settings = "[storage.main]\ntype = \"directory\"\npath = \"/srv\"\n";
            fs::write(root.path().join("etc/planb/planb.toml"), settings).expect("written");
            Self { root, seen: Seen::default() }
        }

        fn file(&self, name: &str) -> PathBuf {
            self.root.path().join("etc/planb/conf.d").join(name)
        }

        fn put(&self, name: &str, schedule: &str) {
            let text = format!("schedule = \"{schedule}\"\n[rsync]\ninclude = [\"/etc\"]\n");
            fs::write(self.file(&format!("{name}.toml")), text).expect("written");
        }

        /// Plans, and does what it says as systemd would.
        fn plan(&mut self) -> Plan {
            let paths = Paths::new(Some(self.root.path().into()));
            let configuration = config::load(&paths, Uid::effective());
            let files = by_path(generator::files(&configuration));
            let plan = Plan::new(&configuration, &files, &self.seen);
            self.seen.active.retain(|name| !plan.stop.contains(name));
            self.seen.active.extend(plan.start.iter().cloned());
            self.seen.generated = files;
            self.seen.kept = plan.keep.clone();
            plan
        }
    }

    fn names(names: &BTreeSet<String>) -> Vec<&str> {
        names.iter().map(String::as_str).collect()
    }

    #[test]
    fn new_ones_start_changed_ones_restart_orphans_stop() {
        let mut machine = Machine::new();
        machine.put("a", "02:00");
        machine.put("b", "03:00");
        let plan = machine.plan();
        assert_eq!((names(&plan.start), plan.differs, plan.timers), (vec!["a", "b"], true, 2));
        let plan = machine.plan();
        assert!(plan.is_empty() && !plan.differs, "{plan:?}");
        machine.put("a", "02:30");
        fs::rename(machine.file("b.toml"), machine.file("c.toml")).expect("renamed");
        let plan = machine.plan();
        assert_eq!(
            (names(&plan.start), names(&plan.restart), names(&plan.stop)),
            (vec!["c"], vec!["a"], vec!["b"])
        );
    }

    #[test]
    fn an_invalid_one_keeps_its_timer_until_it_is_valid_or_gone() {
        let mut machine = Machine::new();
        machine.put("a", "02:00");
        machine.put("b", "03:00");
        machine.plan();
        machine.put("a", "whenever");
        machine.put("new", "whenever");
        let plan = machine.plan();
        assert_eq!(
            (names(&plan.keep), plan.is_empty(), plan.differs, plan.timers),
            (vec!["a"], true, true, 2)
        );
        let plan = machine.plan();
        assert!(plan.is_empty() && !plan.differs && names(&plan.keep) == ["a"], "{plan:?}");
        // After a reboot nothing of it is active, but what was kept is still known.
        machine.seen.active.remove("a");
        assert_eq!(names(&machine.plan().start), ["a"]);
        machine.put("a", "04:00");
        let plan = machine.plan();
        assert!(names(&plan.restart) == ["a"] && plan.keep.is_empty() && plan.differs, "{plan:?}");
        machine.put("a", "whenever");
        machine.plan();
        fs::remove_file(machine.file("a.toml")).expect("removed");
        let plan = machine.plan();
        assert_eq!((names(&plan.stop), plan.keep.len(), plan.timers), (vec!["a"], 0, 1));
    }

    #[test]
    fn a_broken_planb_toml_stops_nothing() {
        let mut machine = Machine::new();
        machine.put("a", "02:00");
        machine.plan();
        fs::write(machine.root.path().join("etc/planb/planb.toml"), "[storage").expect("written");
        let plan = machine.plan();
        assert!(plan.stop.is_empty() && names(&plan.keep) == ["a"], "{plan:?}");
    }
}

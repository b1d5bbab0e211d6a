//! Computers of the lab (tests/lab/README.md): to install PlanB on, to crash, and to forget.
//!
//! A test says which kind it needs and is run once for each supported release. A [`Machine`] shares this computer's kernel
//! and starts in a second; a [`Vm`] has a kernel of its own, and with it ZFS, btrfs, limits of memory, real power cuts
//! and moments to go back to, and everything takes ten times as long: give it few and long tests.
//!
//! ```ignore
//! #[path = "support/lab.rs"]
//! mod lab;
//! #[path = "support/planb.rs"]
//! mod planb;
//! use lab::on_each_release;
//!
//! on_each_release! {
//!     fn a_timer_starts_it(machine: &Machine, "timer") {
//!         machine.drop_in("web1", planb::SOURCE);
//!         machine.reload();
//!         machine.exits(0, "planb run web1");
//!     }
//! }
//!
//! on_each_release! {
//!     fn a_pool_is_there(vm: &Vm, "pool") {
//!         vm.ok("zpool create tank /dev/disk/by-id/virtio-zpool");
//!         vm.mark();
//!         vm.ok("zfs destroy -r tank");
//!         vm.back();
//!         vm.crash();
//!         vm.boot();
//!     }
//! }
//! ```
//!
//! The word in quotes is the computer's name: short, and no other test's. The test is called
//! `bookworm::a_timer_starts_it`, that of a virtual machine `vm::bookworm::a_pool_is_there` (.config/nextest.toml gives
//! those more time, and one after the other). Before it begins PlanB is there as `make install` installs it, with a storage
//! at /srv/backups, a source and a hook (`planb.rs`).
//! Afterwards, come what may, the computer is forgotten. Where this computer can have none the test is skipped and says so,
//! and fails where `CI=true`.

use std::fs;
use std::io::Write;
use std::mem::{ManuallyDrop, forget};
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// Exit status of the lab's programs where such a computer cannot be.
const CANNOT: i32 = 77;

/// A running computer. It is stopped and forgotten when dropped.
pub struct Machine {
    name: String,
    release: String,
    /// The lab's program for computers of this kind.
    lab: &'static str,
}

/// A computer with a kernel of its own, and a second disk of 4 GB: /dev/disk/by-id/virtio-zpool.
pub struct Vm(Machine);

/// What a command printed, without white space at the end, and how it ended.
#[derive(Debug)]
pub struct Said {
    pub code: Option<i32>,
    pub out: String,
    pub err: String,
}

impl Said {
    fn of(done: &Output) -> Self {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim_end().to_owned();
        Self { code: done.status.code(), out: text(&done.stdout), err: text(&done.stderr) }
    }
}

impl Machine {
    /// A new one, with these trees copied over its root before it boots. `None` where it cannot be, which is said.
    pub fn start(test: &str, release: &str, trees: &[&Path]) -> Option<Self> {
        Self::new("machine", test, release, trees)
    }

    fn new(lab: &'static str, test: &str, release: &str, trees: &[&Path]) -> Option<Self> {
        let trees = trees.iter().map(|tree| tree.to_str().expect("utf-8"));
        let arguments: Vec<&str> = [release].into_iter().chain(trees).collect();
        Self::made(lab, "start", test, release, &arguments)
    }

    /// What one of the lab's verbs makes.
    fn made(lab: &'static str, verb: &str, test: &str, release: &str, arguments: &[&str]) -> Option<Self> {
        let machine = Self::called(lab, test, release);
        let started = machine.lab(verb, arguments, b"");
        let said = String::from_utf8_lossy(&started.stderr);
        if started.status.code() == Some(CANNOT) {
            skip(&format!("{test}: {}", said.trim()));
            return None;
        }
        assert!(started.status.success(), "{} does not start: {said}", machine.name);
        Some(machine)
    }

    fn called(lab: &'static str, test: &str, release: &str) -> Self {
        Self { name: format!("{test}-{}", &release[..1]), release: release.to_owned(), lab }
    }

    /// Of Debian.
    pub fn release(&self) -> &str {
        &self.release
    }

    /// Runs a script for bash, as root.
    pub fn run(&self, script: &str) -> Said {
        self.fed(script, b"")
    }

    /// Runs a script that must succeed, and returns what it printed.
    #[track_caller]
    pub fn ok(&self, script: &str) -> String {
        self.exits(0, script).out
    }

    /// Runs a script that must end with this code.
    #[track_caller]
    pub fn exits(&self, code: i32, script: &str) -> Said {
        let said = self.run(script);
        assert_eq!(said.code, Some(code), "{script}\n{said:?}\n{}", self.journal());
        said
    }

    /// The same of one that reads this on its standard input.
    pub fn fed(&self, script: &str, input: &[u8]) -> Said {
        Said::of(&self.lab("run", &["bash", "-c", script], input))
    }

    /// What a script prints, as it is.
    #[track_caller]
    pub fn bytes(&self, script: &str) -> Vec<u8> {
        let done = self.lab("run", &["bash", "-c", script], b"");
        assert!(done.status.success(), "{script}: {}", String::from_utf8_lossy(&done.stderr));
        done.stdout
    }

    /// Waits until a condition of the shell is true (of the journal: ask it without `-u`, since journald no longer knows
    /// the unit of who had ended by the time it looked), at the longest so many seconds.
    #[track_caller]
    pub fn wait(&self, seconds: u32, condition: &str) {
        let script = format!(
            "end=$((SECONDS + {seconds})); until {condition}; do [ $SECONDS -lt $end ] || exit 1; sleep 0.1; done"
        );
        let said = self.run(&script);
        assert_eq!(said.code, Some(0), "never so: {condition}\n{said:?}\n{}", self.journal());
    }

    /// Writes a file, 0644.
    #[track_caller]
    pub fn write(&self, path: &str, text: &str) {
        let written = self.lab("run", &["install", "-D", "-m", "644", "/dev/stdin", path], text.as_bytes());
        assert!(written.status.success(), "{path}: {}", String::from_utf8_lossy(&written.stderr));
    }

    /// A file to the path `to`, or what is in a directory into the directory `to`.
    #[track_caller]
    pub fn push(&self, from: &Path, to: &str) {
        let pushed = self.lab("push", &[from.to_str().expect("utf-8"), to], b"");
        assert!(pushed.status.success(), "{to}: {}", String::from_utf8_lossy(&pushed.stderr));
    }

    /// A power cut. The disks stay: `boot` comes next.
    #[track_caller]
    pub fn crash(&self) {
        self.must("crash");
    }

    /// An orderly shutdown. The disks stay: `boot` comes next.
    #[track_caller]
    pub fn power_off(&self) {
        self.must("poweroff");
    }

    /// Boots what was crashed or shut down.
    #[track_caller]
    pub fn boot(&self) {
        self.must("start");
    }

    /// The end of the journal, for a test that failed.
    pub fn journal(&self) -> String {
        self.run("journalctl --no-pager -o short-precise -n 120 -u 'planb*' 2>&1").out
    }

    #[track_caller]
    fn must(&self, verb: &str) {
        let done = self.lab(verb, &[], b"");
        assert!(done.status.success(), "{verb}: {}", String::from_utf8_lossy(&done.stderr));
    }

    fn lab(&self, verb: &str, arguments: &[&str], input: &[u8]) -> Output {
        let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/lab").join(self.lab);
        let mut lab = Command::new(program);
        lab.arg(verb).arg(&self.name).args(arguments);
        lab.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut lab = lab.spawn().expect("the lab's program runs");
        // A command that reads nothing may be gone already.
        let _ = lab.stdin.take().expect("it was piped").write_all(input);
        lab.wait_with_output().expect("it ends")
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        self.lab("stop", &[], b"");
    }
}

impl Vm {
    /// A new one. `None` where it cannot be, which is said.
    pub fn start(test: &str, release: &str) -> Option<Self> {
        Machine::new("vm", test, release, &[]).map(Self)
    }

    /// A new one that goes on where another one stood when it had been prepared, which `key` is told of: who asks first makes
    /// and freezes that, the others get theirs in a moment. `None` where it cannot be, which is said.
    pub fn prepared(test: &str, release: &str, key: &str, prepare: impl FnOnce(&Self)) -> Option<Self> {
        let lock = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("frozen-{release}.lock"));
        let lock = fs::File::create(lock).expect("a file to lock");
        lock.lock().expect("locked");
        // They stay when this test is over.
        let frozen = ManuallyDrop::new(Machine::called("vm", "frozen", release));
        let is_it =
            |disk: &PathBuf| fs::read_to_string(disk.with_file_name("key")).is_ok_and(|text| text == key);
        if !disks(&frozen).first().is_some_and(is_it) {
            let made = Self::start("frozen", release)?;
            prepare(&made);
            made.must("freeze");
            fs::write(disks(&made)[0].with_file_name("key"), key).expect("written");
            forget(made);
        }
        Machine::made("vm", "thaw", test, release, &[&frozen.name]).map(Self)
    }

    /// A new one that has the other's second disk; the other is off, and is dropped later.
    pub fn start_with_disk_of(test: &str, release: &str, other: &Self) -> Option<Self> {
        Machine::new("vm", test, release, &[Path::new(&other.name)]).map(Self)
    }

    /// The files that hold what it has written to its two disks.
    #[track_caller]
    pub fn disks(&self) -> Vec<PathBuf> {
        disks(&self.0)
    }

    /// Remembers this moment: its processes, memory, disks, clock. There is one such moment, the last.
    #[track_caller]
    pub fn mark(&self) {
        self.must("mark");
    }

    /// Goes back to the moment that was marked. The clock is that of then, and behind from now on.
    #[track_caller]
    pub fn back(&self) {
        self.must("back");
    }
}

impl Deref for Vm {
    type Target = Machine;

    fn deref(&self) -> &Machine {
        &self.0
    }
}

fn disks(vm: &Machine) -> Vec<PathBuf> {
    let printed = vm.lab("disks", &[], b"").stdout;
    String::from_utf8_lossy(&printed).lines().map(PathBuf::from).collect()
}

fn skip(why: &str) {
    assert_ne!(std::env::var("CI").as_deref(), Ok("true"), "in CI every test must run: {why}");
    eprintln!("skipped: {why}");
    if let Ok(file) = std::env::var("PLANB_TEST_SKIPS") {
        let mut file =
            fs::File::options().append(true).create(true).open(file).expect("a file to note skips in");
        writeln!(file, "{why}").expect("written");
    }
}

/// A test of each release: see the top of this file.
macro_rules! on_each_release {
    ($($(#[$doc:meta])* fn $test:ident($machine:ident: &Machine, $name:literal) $body:block)*) => {
        $($(#[$doc])* fn $test($machine: &$crate::lab::Machine) $body)*
        $crate::lab::on_each_release! { @machine bookworm: $($test $name)* }
        $crate::lab::on_each_release! { @machine trixie: $($test $name)* }
    };
    ($($(#[$doc:meta])* fn $test:ident($machine:ident: &Vm, $name:literal) $body:block)*) => {
        $($(#[$doc])* fn $test($machine: &$crate::lab::Vm) $body)*
        mod vm {
            $(use super::$test;)*
            $crate::lab::on_each_release! { @vm bookworm: $($test $name)* }
            $crate::lab::on_each_release! { @vm trixie: $($test $name)* }
        }
    };
    (@$kind:ident $release:ident: $($test:ident $name:literal)*) => {
        mod $release {
            $(#[test]
            fn $test() {
                if let Some(computer) = $crate::planb::$kind($name, stringify!($release)) {
                    super::$test(&computer);
                }
            })*
        }
    };
}
pub(crate) use on_each_release;

//! Real programs, most of them small scripts.

use super::*;
use std::fs;

fn shell(script: &str) -> Program {
    Program::find("sh").expect("a shell").args(["-c", script])
}

fn capture(program: Program, deadline: Option<Duration>) -> Captured {
    let stop = Stop::new().expect("a socket pair");
    let deadline = deadline.map(|d| Instant::now() + d);
    program.capture(Limits { stop: &stop, deadline }, 1 << 20).expect("it runs")
}

#[test]
fn both_outputs_are_drained_and_the_code_comes_back() {
    let script =
        "i=0; while [ $i -lt 20000 ]; do echo 0123456789; echo abcdefghij >&2; i=$((i+1)); done; exit 3";
    let done = capture(shell(script), None);
    assert_eq!(done.ending, Ending::Exited(3));
    assert_eq!((done.stdout.len(), done.stderr.len()), (220_000, 220_000));
}

#[test]
fn the_environment_is_clean() {
    let done = capture(Program::find("env").expect("coreutils").env("A", "b"), None);
    let text = String::from_utf8(done.stdout).expect("utf-8");
    let mut names: Vec<&str> = text.lines().filter_map(|l| l.split('=').next()).collect();
    names.sort_unstable();
    assert_eq!(names, ["A", "LC_ALL", "PATH"]);
}

#[test]
fn who_reports_has_one_more_output() {
    let stop = Stop::new().expect("a socket pair");
    let mut heard = [String::new(), String::new(), String::new()];
    let ending = shell("echo out; echo err >&2; echo report >&3")
        .reports()
        .run(Limits { stop: &stop, deadline: None }, |stream, bytes| {
            heard[stream as usize].push_str(&String::from_utf8_lossy(bytes));
        })
        .expect("it runs");
    assert_eq!(ending, Ending::Exited(0));
    assert_eq!(heard, ["out\n", "err\n", "report\n"]);
    let done = capture(shell("echo lost >&3"), None);
    assert_ne!(done.ending, Ending::Exited(0), "who does not report has no such descriptor");
}

#[test]
fn a_deadline_ends_the_whole_group() {
    // The grandchild ignores nothing but outlives its parent: only the group's signal reaches it.
    let done = capture(shell("sleep 1000 & echo $!; wait"), Some(Duration::from_millis(300)));
    assert_eq!(done.ending, Ending::TimedOut);
    let grandchild = String::from_utf8(done.stdout).expect("utf-8");
    assert_gone(&grandchild);
}

/// Looks once, and at once: by then it must be so.
fn assert_gone(pid: &str) {
    let state = fs::read_to_string(format!("/proc/{}/stat", pid.trim()));
    // Where nobody reaps orphans, the dead are there for ever.
    assert!(state.is_err() || state.is_ok_and(|s| s.contains(") Z ")), "{} still runs", pid.trim());
}

#[test]
fn a_wish_to_stop_ends_it() {
    let stop = Stop::new().expect("a socket pair");
    let mut ready = false;
    let wisher = stop.clone();
    let ending = shell("echo ready; exec sleep 1000")
        .run(Limits { stop: &stop, deadline: None }, |_, bytes| {
            ready |= bytes.starts_with(b"ready");
            wisher.wish();
        })
        .expect("it runs");
    assert_eq!((ready, ending), (true, Ending::Stopped));
}

#[test]
fn who_reads_nothing_is_ended_and_who_reads_is_not() {
    let stop = Stop::new().expect("a socket pair");
    let limits = Limits { stop: &stop, deadline: None };
    // On a machine that has much else to do, a shell may take a while to start the next sleep.
    let patience = Duration::from_millis(1500);
    let silent = Program::find("sleep").expect("coreutils").arg("1000").stalls_after(patience);
    assert_eq!(silent.run(limits, |_, _| ()).expect("it runs"), Ending::Stalled);
    // Reads what another one, that is not asked, writes in its own time; and prints nothing of it.
    let busy = "(for i in 1 2 3 4; do sleep 0.5; echo; done) | while read x; do :; done";
    let busy = shell(busy).stalls_after(patience);
    assert_eq!(busy.run(limits, |_, _| ()).expect("it runs"), Ending::Exited(0));
}

#[test]
fn a_daemon_left_behind_does_not_hold_us_up() {
    let done = capture(shell("sleep 1000 & echo $!"), None);
    assert_eq!(done.ending, Ending::Exited(0));
    assert_gone(&String::from_utf8(done.stdout).expect("utf-8"));
}

#[test]
fn unread_input_does_not_hold_us_up() {
    let done = capture(shell("exit 0").stdin(Input::Bytes(vec![b'x'; 1 << 20])), None);
    assert_eq!(done.ending, Ending::Exited(0));
    let done = capture(Program::find("cat").expect("cat").stdin(Input::Bytes(vec![b'x'; 1 << 20])), None);
    assert_eq!(done.stdout.len(), 1 << 20);
}

#[test]
fn secrets_go_in_and_come_out() {
    let stop = Stop::new().expect("a socket pair");
    let limits = Limits { stop: &stop, deadline: None };
    let secret = || Secret::from(vec![b'x'; 100]);
    let cat = || Program::find("cat").expect("cat").stdin(Input::Secret(secret()));
    assert!(!format!("{:?}", cat()).contains("120"), "bytes are shown");
    let said = cat().listen(limits, 100).expect("it runs");
    assert_eq!((said.ending, &**said.stdout.as_ref().expect("room")), (Ending::Exited(0), &*secret()));
    assert!(cat().listen(limits, 99).expect("it runs").stdout.is_none());
}

#[test]
fn a_program_runs_as_who_it_is_told_to() {
    if !nix::unistd::geteuid().is_root() {
        return;
    }
    let nobody = Account { uid: nix::unistd::Uid::from_raw(65534), gid: nix::unistd::Gid::from_raw(65534) };
    let done = capture(shell("id -u; id -G").run_as(nobody), None);
    assert_eq!(String::from_utf8_lossy(&done.stdout), "65534\n65534\n");
}

#[test]
fn endings_read_well() {
    assert_eq!(capture(shell("kill -9 $$"), None).ending.to_string(), "was ended by SIGKILL");
    assert!(matches!(Program::find("no-such-program"), Err(Error::Missing { .. })));
}

#[test]
fn what_nothing_can_end_does_not_hold_us_up() {
    // Only root can have a process wait in the kernel for something that does not come.
    if !nix::unistd::geteuid().is_root() {
        return;
    }
    let dir = tempfile::tempdir().expect("a directory");
    let (image, point) = (dir.path().join("image"), dir.path().join("mounted"));
    let (image, point) = (image.display(), point.display());
    let made = capture(
        shell(&format!(
            "truncate -s 20M {image} && mke2fs -q {image} && mkdir {point} && mount -o loop {image} {point} && \
             fsfreeze --freeze {point}"
        )),
        None,
    );
    assert!(made.ending.is_clean(), "{made:?}");
    let begun = Instant::now();
    // The shell itself, so that the one that hangs is the child and not a child of it.
    let hung = capture(shell(&format!("exec touch {point}/file")), Some(Duration::from_millis(200)));
    // The child's end may take a moment yet, and is not waited for.
    let thawed = capture(shell(&format!("fsfreeze --unfreeze {point} && umount --lazy {point}")), None);
    assert_eq!(hung.ending, Ending::TimedOut);
    assert!(begun.elapsed() < Duration::from_secs(60), "{:?}", begun.elapsed());
    assert!(thawed.ending.is_clean(), "{thawed:?}");
}

//! A real sshd and a real rsync daemon on loopback, with keys and configuration of their own, gone with the value.
//!
//! Both are started by us for each connection, the way inetd does: the port is known before anything runs, nothing has
//! to be waited for, and every process of a connection is a descendant of one that we started and can be stopped,
//! killed or refused. Works as any user; as root the login is root's.
#![expect(clippy::disallowed_methods, reason = "a fixture starts programs itself")]

use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, User, getuid};
use std::fs::{self, OpenOptions, Permissions};
use std::io::Write;
use std::net::{TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use tempfile::TempDir;

/// A throw-away sshd that lets its own key in, as the present user.
pub struct Sshd {
    dir: TempDir,
    inetd: Inetd,
}

impl Sshd {
    pub fn start() -> Self {
        Self::start_with("")
    }

    /// With further lines of its configuration, which win over ours.
    pub fn start_with(settings: &str) -> Self {
        let dir = tempfile::tempdir().expect("a directory for sshd");
        keygen(&dir.path().join("host"));
        keygen(&dir.path().join("id"));
        fs::copy(dir.path().join("id.pub"), dir.path().join("authorized_keys")).expect("a key to let in");
        if getuid().is_root() {
            // Compiled in, and made by the service's own unit elsewhere.
            let _ = fs::create_dir("/run/sshd");
        }
        let config = dir.path().join("sshd_config");
        let at = dir.path().display();
        let text = format!(
            "{settings}\n\
             HostKey {at}/host\nAuthorizedKeysFile {at}/authorized_keys\nPidFile none\nUsePAM no\nStrictModes no\n\
             PermitRootLogin prohibit-password\nPasswordAuthentication no\nKbdInteractiveAuthentication no\n\
             AllowTcpForwarding yes\nPrintMotd no\nPrintLastLog no\n"
        );
        fs::write(&config, text).expect("sshd's configuration");
        let log = dir.path().join("log");
        let inetd = Inetd::start(move || {
            let mut command = Command::new("/usr/sbin/sshd");
            command.arg("-i").arg("-f").arg(&config).arg("-E").arg(&log);
            command
        });
        Self { dir, inetd }
    }

    pub fn port(&self) -> u16 {
        self.inetd.port
    }

    /// Who can log in.
    pub fn user() -> String {
        User::from_uid(getuid()).expect("a user database").expect("a user").name
    }

    /// The private key that is let in.
    pub fn identity(&self) -> PathBuf {
        self.dir.path().join("id")
    }

    /// From the next connection on, another host key is shown.
    pub fn change_host_key(&self, kind: &str) {
        let key = self.dir.path().join("host");
        fs::remove_file(&key).and_then(|()| fs::remove_file(key.with_extension("pub"))).expect("the old key");
        keygen_of(kind, &key);
    }

    /// From the next connection on, nobody is let in.
    pub fn let_nobody_in(&self) {
        fs::write(self.dir.path().join("authorized_keys"), "").expect("sshd's own file");
    }

    /// Only what `command` makes of `$SSH_ORIGINAL_COMMAND` runs, from the next connection on.
    pub fn force(&self, command: &str) {
        let script = self.dir.path().join("forced");
        executable(&script, &format!("#!/bin/sh\n{command}\n"));
        let config = self.dir.path().join("sshd_config");
        let text = fs::read_to_string(&config).expect("sshd's configuration");
        fs::write(&config, format!("ForceCommand {}\n{text}", script.display()))
            .expect("sshd's configuration");
    }

    /// What sshd logged.
    pub fn log(&self) -> String {
        fs::read_to_string(self.dir.path().join("log")).unwrap_or_default()
    }

    /// Sends a signal to what runs over the connections, and not to sshd itself.
    pub fn signal_commands(&self, signal: Signal) {
        self.inetd.signal_those(signal, |name| !name.starts_with("sshd"));
    }

    /// Sends a signal to everything that serves a connection: SIGKILL ends it, SIGSTOP makes it stall.
    pub fn signal(&self, signal: Signal) {
        self.inetd.signal(signal);
    }
}

/// A throw-away rsync daemon with one module, `files`, and one with a password, `secret` (user `me`, password `pw`).
pub struct Rsyncd {
    dir: TempDir,
    inetd: Inetd,
}

impl Rsyncd {
    pub fn start(path: &Path) -> Self {
        let dir = tempfile::tempdir().expect("a directory for rsyncd");
        let config = dir.path().join("rsyncd.conf");
        let secrets = dir.path().join("secrets");
        let log = dir.path().join("log");
        private(&secrets, "me:pw\n");
        private(&dir.path().join("password"), "pw\n");
        let (path, secrets, log) = (path.display(), secrets.display(), log.display());
        // As root a daemon becomes nobody unless told otherwise.
        let ids = if getuid().is_root() { "uid = 0\ngid = 0\n" } else { "" };
        let text = format!(
            "use chroot = no\nlog file = {log}\n{ids}\
             [files]\npath = {path}\n[secret]\npath = {path}\nauth users = me\nsecrets file = {secrets}\n"
        );
        fs::write(&config, text).expect("rsyncd's configuration");
        let inetd = Inetd::start(move || {
            let mut command = Command::new("rsync");
            command.arg("--daemon").arg(format!("--config={}", config.display()));
            command
        });
        Self { dir, inetd }
    }

    pub fn port(&self) -> u16 {
        self.inetd.port
    }

    /// A file with the password of `me`.
    pub fn password_file(&self) -> PathBuf {
        self.dir.path().join("password")
    }
}

/// Accepts connections and starts a program on each, with the connection as its input and output.
struct Inetd {
    port: u16,
    children: Arc<Mutex<Vec<Child>>>,
    /// They cannot end by themselves, and may outlive their parents.
    stopped: Mutex<Vec<Pid>>,
    over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Inetd {
    fn start(program: impl Fn() -> Command + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let children = Arc::new(Mutex::new(Vec::new()));
        let over = Arc::new(AtomicBool::new(false));
        let thread = std::thread::spawn({
            let (children, over) = (children.clone(), over.clone());
            move || {
                while let Ok((connection, _)) = listener.accept() {
                    if over.load(Ordering::SeqCst) {
                        break;
                    }
                    let input = OwnedFd::from(connection);
                    let output = input.try_clone().expect("a descriptor");
                    let child = program()
                        .stdin(Stdio::from(input))
                        .stdout(Stdio::from(output))
                        .stderr(Stdio::null())
                        .spawn()
                        .expect("the program of the fixture is installed");
                    children.lock().expect("no panic").push(child);
                }
            }
        });
        Self { port, children, stopped: Mutex::default(), over, thread: Some(thread) }
    }

    fn signal(&self, signal: Signal) {
        self.signal_those(signal, |_| true);
    }

    fn signal_those(&self, signal: Signal, those: impl Fn(&str) -> bool) {
        for child in &*self.children.lock().expect("no panic") {
            for pid in descendants(child.id()) {
                // It may have ended meanwhile; that is as good.
                let name = fs::read_to_string(format!("/proc/{pid}/comm"));
                if name.is_ok_and(|name| those(&name)) {
                    let _ = kill(pid, signal);
                    if signal == Signal::SIGSTOP {
                        self.stopped.lock().expect("no panic").push(pid);
                    }
                }
            }
        }
    }
}

impl Drop for Inetd {
    fn drop(&mut self) {
        self.over.store(true, Ordering::SeqCst);
        // Wakes the thread up.
        drop(TcpStream::connect(("127.0.0.1", self.port)));
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
        self.signal(Signal::SIGKILL);
        for &pid in &*self.stopped.lock().expect("no panic") {
            // Stopped, its number cannot have gone to another; running, it is not the one we stopped.
            let stat = fs::read_to_string(format!("/proc/{pid}/stat"));
            if stat.is_ok_and(|stat| stat.contains(") T ")) {
                let _ = kill(pid, Signal::SIGKILL);
            }
        }
        for child in &mut *self.children.lock().expect("no panic") {
            let _ = child.wait();
        }
    }
}

/// A process and all it started, itself first.
pub fn descendants(pid: u32) -> Vec<Pid> {
    let parents: Vec<(u32, u32)> = fs::read_dir("/proc")
        .expect("/proc")
        .filter_map(|entry| {
            let pid = entry.ok()?.file_name().to_str()?.parse().ok()?;
            let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
            // pid (name) state parent: a name may have spaces and parentheses in it.
            let parent = stat.rsplit_once(") ")?.1.split(' ').nth(1)?.parse().ok()?;
            Some((pid, parent))
        })
        .collect();
    let mut found = vec![pid];
    let mut next = 0;
    while let Some(&parent) = found.get(next) {
        found.extend(parents.iter().filter(|(_, its)| *its == parent).map(|(pid, _)| *pid));
        next += 1;
    }
    found.into_iter().map(|pid| Pid::from_raw(i32::try_from(pid).expect("a pid"))).collect()
}

fn keygen(path: &Path) {
    keygen_of("ed25519", path);
}

fn keygen_of(kind: &str, path: &Path) {
    let status = Command::new("ssh-keygen").args(["-q", "-t", kind, "-N", "", "-f"]).arg(path).status();
    assert!(status.expect("ssh-keygen is installed").success());
}

fn private(path: &Path, text: &str) {
    let mut file =
        OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).expect("a new file");
    file.write_all(text.as_bytes()).expect("written");
}

/// Writes a program.
pub fn executable(path: &Path, text: &str) {
    fs::write(path, text).expect("written");
    fs::set_permissions(path, Permissions::from_mode(0o755)).expect("ours");
}

/// Runs a program that has to succeed and returns what it printed.
pub fn run<A: AsRef<std::ffi::OsStr>>(program: &str, args: impl IntoIterator<Item = A>) -> String {
    let output = Command::new(program).args(args).output().expect("the program is installed");
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program}: {error}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

//! Reaching a source, or being told why not.

use super::sshd::{Rsyncd, Sshd};
use super::*;
use crate::transport::Verdict;
use std::net::TcpListener;

#[track_caller]
fn fails(world: &World, settings: &Settings, words: &[&str]) {
    let tree = world.tree(99);
    let failure = world.pull(settings, &tree).failed();
    assert_eq!(failure.verdict, Verdict::Failed);
    for word in words {
        assert!(failure.reason.contains(word), "{word:?} is not in: {failure}");
    }
    assert!(names(tree.path()).is_empty());
}

#[test]
fn ssh_is_told_apart() {
    let (world, sshd) = (World::new(), Sshd::start());
    let known = world.over(&sshd);

    let mut settings = known.clone();
    settings.ssh().login.host = "no-such-host.invalid".parse().expect("a host");
    fails(&world, &settings, &["the name no-such-host.invalid cannot be resolved"]);

    let free = TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr()).expect("a port").port();
    let mut settings = known.clone();
    settings.ssh().login.port = free;
    fails(&world, &settings, &[&format!("127.0.0.1 port {free}"), "Connection refused", "is sshd running"]);

    // Something that hangs up is there.
    let hangs_up = TcpListener::bind("127.0.0.1:0").expect("a port");
    settings.ssh().login.port = hangs_up.local_addr().expect("an address").port();
    std::thread::spawn(move || drop(hangs_up.accept()));
    fails(&world, &settings, &["hung up before the login"]);

    let mut settings = known.clone();
    settings.ssh().login.identity = Some(world.at("no such key"));
    fails(&world, &settings, &["no such key", "`identity`"]);

    let mut settings = known.clone();
    settings.ssh().login.options = vec!["Ciphers=3des-cbc".parse().expect("an option")];
    fails(&world, &settings, &["nothing in common", "`ssh-options`"]);
    settings.ssh().login.options = vec!["Cipherz=x".parse().expect("an option")];
    fails(&world, &settings, &["Bad configuration option", "`ssh-options`"]);

    sshd.let_nobody_in();
    fails(&world, &known, &["does not let", &Sshd::user(), "id.pub", "authorized_keys"]);
}

#[test]
fn the_first_key_is_kept_and_no_other_is_taken() {
    let (world, sshd) = (World::new(), Sshd::start());
    let settings = world.over(&sshd);
    let config = || fs::read_to_string(world.at("run/ssh.conf")).expect("written");
    world.pull(&settings, &world.tree(1)).ok();
    assert!(config().contains("StrictHostKeyChecking accept-new"));
    let known = fs::read_to_string(world.at("known_hosts.d/127.0.0.1")).expect("kept");
    assert!(known.starts_with(&format!("[127.0.0.1]:{} ssh-ed25519 ", sshd.port())), "{known}");

    world.pull(&settings, &world.tree(1)).ok();
    assert!(config().contains("StrictHostKeyChecking yes"));

    let words = ["CHANGED", "known_hosts.d/127.0.0.1:1"];
    sshd.change_host_key("ed25519");
    fails(&world, &settings, &words);
    // A key of a type that was never seen must not pass for new.
    sshd.change_host_key("ecdsa");
    fails(&world, &settings, &words);
    assert_eq!(fs::read_to_string(world.at("known_hosts.d/127.0.0.1")).expect("kept"), known);

    // Another port of the same host is another machine as far as keys go.
    let other = Sshd::start();
    world.pull(&world.over(&other), &world.tree(1)).ok();
}

#[test]
fn a_jump_host_is_on_the_way() {
    let (world, sshd, jump) = (World::new(), Sshd::start(), Sshd::start());
    world.write("f", "f");
    let mut settings = world.over(&sshd);
    // Both let the one key in, and both are the same host on other ports.
    let jump_key = fs::read(sshd.identity().with_extension("pub")).expect("a key");
    fs::write(jump.identity().with_file_name("authorized_keys"), jump_key).expect("written");
    settings.ssh().login.jump =
        Some(format!("{}@127.0.0.1:{}", Sshd::user(), jump.port()).parse().expect("a jump"));
    world.pull(&settings, &world.tree(1)).ok();
    assert!(jump.log().contains("Accepted publickey"), "{}", jump.log());
    let known = fs::read_to_string(world.at("known_hosts.d/127.0.0.1")).expect("kept");
    assert_eq!(known.lines().count(), 2, "{known}");

    let world = World::new();
    let free = TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr()).expect("a port").port();
    settings.ssh().login.port = free;
    fails(&world, &settings, &["the jump host could not connect to 127.0.0.1", "Connection refused"]);
    settings.ssh().login.jump = Some(format!("127.0.0.1:{free}").parse().expect("a jump"));
    fails(&world, &settings, &[&format!("127.0.0.1 port {free}"), "Connection refused"]);
}

#[test]
fn the_administrators_own_configuration_fills_what_is_open() {
    let (world, sshd) = (World::new(), Sshd::start());
    world.write("f", "f");
    let mut settings = world.over(&sshd);
    settings.ssh().login.host = "alias-of-web1".parse().expect("a host");
    settings.ssh().login.identity = None;
    fs::create_dir_all(world.at("home/.ssh")).expect("created");
    // What we set stays set; where the host really is was open. The key is found in the home.
    let text = "Host alias-of-web1\n  HostName 127.0.0.1\n  Port 1\n  StrictHostKeyChecking no\n";
    fs::write(world.at("home/.ssh/config"), text).expect("written");
    fs::copy(sshd.identity(), world.at("home/.ssh/id_ed25519")).expect("copied");
    world.pull(&settings, &world.tree(1)).ok();
    world.pull(&settings, &world.tree(1)).ok();
    // Under another name of the same host another key would be new to ssh; it is not to us.
    let text = text.replace("127.0.0.1", "localhost");
    fs::write(world.at("home/.ssh/config"), text).expect("written");
    sshd.change_host_key("ecdsa");
    fails(&world, &settings, &["no key is known under the name", "known_hosts.d/alias-of-web1"]);
}

#[test]
fn a_daemon_is_told_apart() {
    let world = World::new();
    world.write("sub/f", "f");
    let rsyncd = Rsyncd::start(&world.source());
    let daemon = |source: &str, password: bool| Daemon {
        host: "127.0.0.1".parse().expect("a host"),
        source: source.parse().expect("a source"),
        user: password.then(|| "me".parse().expect("a user")),
        port: rsyncd.port(),
        password_file: password.then(|| rsyncd.password_file()),
    };
    world.pull(&settings(Source::Daemon(daemon("files", false))), &world.tree(7)).ok();
    assert_eq!(names(&world.at("kept/7")), ["sub", "sub/f"]);
    world.pull(&settings(Source::Daemon(daemon("secret/sub", true))), &world.tree(9)).ok();
    assert_eq!(names(&world.at("kept/9")), ["f"]);

    fails(
        &world,
        &settings(Source::Daemon(daemon("nothing", false))),
        &["refused", "Unknown module 'nothing'"],
    );
    fs::write(rsyncd.password_file(), "wrong").expect("written");
    fails(&world, &settings(Source::Daemon(daemon("secret", true))), &["refused", "auth failed"]);
    fails(
        &world,
        &settings(Source::Daemon(daemon("files/none", false))),
        &["\"none\" (No such file or directory)"],
    );
    let mut refused = daemon("files", false);
    refused.port = TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr()).expect("a port").port();
    fails(&world, &settings(Source::Daemon(refused)), &["the connection failed", "Connection refused"]);
}

#[test]
fn the_remote_command_is_told_apart() {
    let (world, sshd) = (World::new(), Sshd::start_with(&format!("SetEnv PATH={}", "/nowhere")));
    let mut settings = world.over(&sshd);
    fails(&world, &settings, &["rsync is not installed on 127.0.0.1", "`rsync-path`"]);
    settings.ssh().rsync_path = "/no/such/rsync".parse().expect("a program");
    fails(&world, &settings, &["/no/such/rsync is not installed"]);
    settings.ssh().ionice = Ionice::Idle;
    fails(&world, &settings, &["ionice = \"none\""]);
    settings.ssh().ionice = Ionice::None;
    settings.ssh().sudo = true;
    fails(&world, &settings, &["sudo = false"]);
}

#[test]
fn a_refusing_sudo_is_told_with_its_remedy() {
    let world = World::new();
    let bin = world.at("bin");
    fs::create_dir(&bin).expect("created");
    sshd::executable(&bin.join("sudo"), "#!/bin/sh\necho 'sudo: a password is required' >&2\nexit 1\n");
    let path = format!("SetEnv \"PATH={}:/usr/bin:/bin\"", bin.display());
    let sshd = Sshd::start_with(&path);
    let mut settings = world.over(&sshd);
    settings.ssh().sudo = true;
    fails(&world, &settings, &["a password is required", "planb authorize 127.0.0.1 prints"]);
    // One that lets us.
    world.write("f", "f");
    sshd::executable(&bin.join("sudo"), "#!/bin/sh\n[ \"$1\" = -n ] || exit 9\nshift\nexec \"$@\"\n");
    settings.ssh().ionice = Ionice::Idle;
    world.pull(&settings, &world.tree(1)).ok();
    assert_eq!(names(&world.at("kept/1")), ["f"]);
}

#[test]
fn a_login_that_talks_or_that_allows_only_rsync_is_recognised() {
    let (world, sshd) = (World::new(), Sshd::start());
    sshd.force("echo Welcome; exec sh -c \"$SSH_ORIGINAL_COMMAND\"");
    fails(&world, &world.over(&sshd), &["prints something before the transfer starts"]);
    let sshd = Sshd::start();
    sshd.force("echo \"$0: SSH_ORIGINAL_COMMAND does not run rsync\" >&2; exit 1");
    fails(&world, &world.over(&sshd), &["do-not-run = false"]);
}

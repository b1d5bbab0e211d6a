//! Whatever is killed whenever: what is listed as good is what the source had, and the next run goes on from there.

use crate::lab::on_each_release;

/// How many kills fit into five minutes on a machine that is emulated. `PLANB_KILLS` asks for more.
const KILLS: u32 = 8;

on_each_release! {
    fn what_is_listed_as_good_is_so_whatever_is_killed_whenever(vm: &Vm, "zfs-kills") {
        vm.make_source();
        vm.make_sums();
        vm.ok("zfs destroy -r src/data/secret; zfs destroy src/data/sub/deep");
        vm.write("/root/kill-at-random", include_str!("kill-at-random"));
        let asked = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u32>().ok());
        let kills = asked("PLANB_KILLS").unwrap_or(KILLS);
        let seed = asked("PLANB_SEED").unwrap_or_else(|| std::process::id() % 32768);
        eprintln!("PLANB_SEED={seed} PLANB_KILLS={kills}");
        let said = vm.run(&format!("bash /root/kill-at-random {seed} {kills}"));
        assert_eq!(said.code, Some(0), "PLANB_SEED={seed}\n{said:?}\n{}", vm.ok("zfs list -t all -o name,guid,userrefs,receive_resume_token -r tank src"));
        eprintln!("{}", said.out.lines().last().unwrap_or_default());
    }
}

# shellcheck shell=bash
# To be sourced: what comparisons in a virtual machine of the lab have in common.
#
# Its processor is emulated: seconds say nothing, ratios do. Both sides begin with the machine as it was at one moment, to
# which it goes back in between.
#
#   BENCH_RELEASE   whose OpenZFS, bookworm unless given
#
#   start_vm PLANB OTHER   starts the machine, with PlanB as `make install` installs it. Where there can be none, that PlanB is
#                          not compared with OTHER is said, and that is all. A directory of ours is $work

bench_lab=$(realpath "$(dirname "${BASH_SOURCE[0]}")/lab")

start_vm() {
    local status=0 target
    work=$(mktemp -d)
    trap clean_up EXIT
    trap 'exit 130' INT TERM
    "$bench_lab/vm" start bench "${BENCH_RELEASE:-bookworm}" >&2 || status=$?
    if [ $status = 77 ]; then
        echo "no virtual machine can run here: not compared with $2" >&2
        exit 0
    fi
    [ $status = 0 ]
    target=$(dirname "$(dirname "$(realpath "$1")")")
    make -s -C "$bench_lab/../.." install DESTDIR="$work/tree" PREFIX=/usr SYSCONFDIR=/etc TARGET="$target" PLANB="$(realpath "$1")" >&2
    strip "$work/tree/usr/bin/planb"
    "$bench_lab/vm" push bench "$work/tree" /
    inside 'systemd-sysusers; systemd-tmpfiles --create; systemctl daemon-reload; systemctl reload dbus.service; systemctl stop "*.timer"'
}
clean_up() {
    "$bench_lab/vm" stop bench
    rm -rf "$work"
}

inside() { "$bench_lab/vm" run bench bash -c "set -euo pipefail; $1"; }
# Makes this the moment that all sides begin with.
mark() { "$bench_lab/vm" mark bench >&2; }
back() { "$bench_lab/vm" back bench >&2; }

# The seconds that a command takes inside.
measured() { inside "TIMEFORMAT=%R; time { $1; } >/tmp/output 2>&1" 2>&1 || { inside 'tail -n 20 /tmp/output' >&2 && return 1; }; }

ratio() { awk -v a="$1" -v b="$2" 'BEGIN { printf("%.3f", a / b) }'; }
row() { printf '%-45s %10s %10s %8s   %s\n' "$@"; }
# Above the rows: heading OTHER
heading() {
    row '' PlanB "$1" time wanted
    row '' ----- "${1//?/-}" ---- ------
}

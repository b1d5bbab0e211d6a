# shellcheck shell=sh
# To be sourced: an sshd on loopback with keys of its own, as root or as an ordinary user.
#
#   start_sshd DIR   makes DIR with the keys host, login and login.pub, starts sshd, and sets $sshd_port and $sshd_pid.
#                    Who is logged in is who called this. The caller ends $sshd_pid.

start_sshd() {
    sshd_dir=$1
    mkdir -m 0700 "$sshd_dir"
    ssh-keygen -q -t ed25519 -N '' -C 'loopback host' -f "$sshd_dir/host"
    ssh-keygen -q -t ed25519 -N '' -C 'loopback login' -f "$sshd_dir/login"
    cp "$sshd_dir/login.pub" "$sshd_dir/authorized_keys"

    # Where root's password is locked, as installers with sudo leave it, sshd lets root in through PAM only.
    sshd_pam=no
    if [ "$(id -u)" -eq 0 ]; then
        case $(getent shadow root) in root:!*) sshd_pam=yes ;; esac
        mkdir -p /run/sshd # the empty directory that sshd locks itself into
    fi
    cat >"$sshd_dir/config" <<END
ListenAddress 127.0.0.1
HostKey $sshd_dir/host
AuthorizedKeysFile $sshd_dir/authorized_keys
PidFile none
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin prohibit-password
UsePAM $sshd_pam
# The directory may be below one that others can write to; the keys are worth nothing.
StrictModes no
END

    sshd_port=$((20000 + $$ % 10000))
    sshd_last=$((sshd_port + 20))
    until sshd_listens; do
        sshd_port=$((sshd_port + 1))
        [ "$sshd_port" -le "$sshd_last" ] || {
            cat "$sshd_dir/log" >&2
            return 1
        }
    done
}

# Whether $sshd_port was free and is ours now.
sshd_listens() {
    : >"$sshd_dir/log"
    "$(command -v sshd)" -D -f "$sshd_dir/config" -p "$sshd_port" -E "$sshd_dir/log" &
    sshd_pid=$!
    sshd_tries=100
    while [ "$sshd_tries" -gt 0 ] && kill -0 "$sshd_pid" 2>/dev/null; do
        ! grep -q '^Server listening' "$sshd_dir/log" || return 0
        sleep 0.1
        sshd_tries=$((sshd_tries - 1))
    done
    kill "$sshd_pid" 2>/dev/null || :
    sshd_pid=
    return 1
}

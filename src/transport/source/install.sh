#!/bin/sh
# Lets a backup host read what it backs up of this host (@HOST@), and nothing else.
# Made by planb @VERSION@ for: @FILESETS@.
#
# Read it, then run it here as root, or from the backup host:  planb authorize @NAME@ | ssh root@@HOST@ sh
# Running it again is harmless. It makes, or makes anew:
@WHAT@
# To undo it: userdel @USER@ where it was made, and remove these files.@UNDO@
set -eu
umask 022
export LC_ALL=C PATH=/usr/sbin:/usr/bin:/sbin:/bin:/usr/local/bin

fail() {
    echo "planb: $*" >&2
    exit 1
}

# All of it is read before any of it runs: a connection that breaks leaves nothing half done.
main() {
    [ "$(id -u)" = 0 ] || fail "only root can do this"
@NEEDS@
@USERADD@
    home=$(getent passwd @USER@ | cut -d: -f6)
    [ -d "$home" ] || fail "@USER@ has no home directory"
    mkdir -p /usr/local/lib/planb

    # In its place at once: there is no moment with half of it.
    new=$(mktemp /usr/local/lib/planb/.new.XXXXXX)
    cat >"$new" <<'END_OF_SERVE'
@SERVE@END_OF_SERVE
    chmod 755 "$new"
    mv "$new" @PROGRAM@

    # The file is root's, so that who took the login over cannot let others in. Other keys in it stay.
    mkdir -p "$home/.ssh"
    keys=$home/.ssh/authorized_keys
    new=$(mktemp "$home/.ssh/.new.XXXXXX")
    [ ! -f "$keys" ] || grep -vF -e '@KEY@' "$keys" >"$new" || :
    cat >>"$new" <<'END_OF_KEY'
restrict,command="@PROGRAM@" @KEY@ @COMMENT@
END_OF_KEY
    chmod 644 "$new"
    mv "$new" "$keys"
@KEPT@
@SUDO@
@GRANTS@
    echo "planb: done; on the backup host this shows whether it holds: planb check --connect @NAME@" >&2
}

main

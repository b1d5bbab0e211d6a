#!/bin/sh
# What the backup host may have run here, and nothing else. sshd starts this instead of what was asked for (command=
# in authorized_keys of @USER@), and hands over what was asked for. Made by planb authorize; run that again
# when a fileset changes.
set -euf
export LC_ALL=C PATH=/usr/sbin:/usr/bin:/sbin:/bin

refuse() {
    echo "planb: not allowed here: the backup host may read what was agreed, and nothing else" >&2
    exit 126
}

asked=${SSH_ORIGINAL_COMMAND-}
wait_for_peace=no
# PlanB may put a test before rsync. That text is not run: what it has to say is said below.
case $asked in
"sh -c '"*" exec "*" \"\$@\"' planb "*)
    test=${asked%%"' planb "*}
    program=${test##*" exec "}
    asked="${program%" \"\$@\""} ${asked#*"' planb "}"
    wait_for_peace=yes
    ;;
esac

# Nothing that means something to a shell, and no second line.
case $asked in
*[!A-Za-z0-9_./=,@:%#+\ -]*) refuse ;;
esac
printf '%s\n' "$asked" | grep -Eqx -e '@ALLOWED@' || refuse
@TOKENS@

if [ "$wait_for_peace" = yes ]; then
    @NOT_NOW@
fi
# shellcheck disable=SC2086 # words of letters, without any pattern
exec $asked

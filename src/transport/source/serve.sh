#!/bin/sh
# What the backup host may have run here, and nothing else. sshd starts this instead of what was asked for (command=
# in authorized_keys of @USER@), and hands over what was asked for. Made by planb authorize; run that again
# when a fileset changes.
set -euf
export LC_ALL=C PATH=/usr/sbin:/usr/bin:/sbin:/bin:/usr/local/bin

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

# Nothing that means something to a shell but one thing: a command may stand behind another. And no second line.
case $asked in
*[!A-Za-z0-9_./=,@:%#+\ \;-]*) refuse ;;
esac
IFS=';'
# shellcheck disable=SC2086 # each becomes an argument, without any pattern
set -- $asked
IFS=' '
@TAGGED_NOW@
# Every one of them, or none is run. Only this exit code says that there was no other.
if printf '%s\n' "$@" | grep -Evqx -e ' ?(@ALLOWED@) ?'; then refuse; else [ $? = 1 ] || refuse; fi
@TOKENS@

if [ "$wait_for_peace" = yes ]; then
    @NOT_NOW@
fi
# shellcheck disable=SC2086 # words of letters, without any pattern
[ $# -gt 1 ] || exec $1
status=0
for one do
    # shellcheck disable=SC2086
    $one || status=$?
done
exit "$status"

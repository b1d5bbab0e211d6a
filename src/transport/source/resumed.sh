
# What a stream is of that goes on is in its token, and zfs alone can read that. Of what is not there any more it says so.
case $asked in
*"@ZFS@ send -vP -t "*)
    [ $# = 1 ] || refuse
    said=$(@ZFS@ send -nvP -t "${asked##* }" 2>&1) || :
    of=$(printf '%s\n' "$said" | sed -n 's/^[[:space:]]*toname = //p')
    [ -n "$of" ] || { printf '%s\n' "$said" >&2; exit 1; }
    printf '%s\n' "$of" | grep -Eqx -e '@RESUMED@' || refuse
    ;;
esac

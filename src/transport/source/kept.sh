
    # In these this host's planb keeps what is wanted, and whatever of it is to come.
    parents=$({ @ASKED@ ; } | sed 's,/[^/]*$,,' | sort -u | while read -r parent; do
        @ZFS@ list -Ho name -t filesystem "$parent" || :
    done)
    [ -n "$parents" ] || fail "planb keeps nothing of that in a pool here yet: tag a fileset, and run it"
@KEPT@

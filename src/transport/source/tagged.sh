
# Of what this host's planb keeps, what is wanted: as it says at this moment.
tagged=$({ @ASKED@ ; } 2>/dev/null | sed 's,[.],[.],g' | paste -sd '|' -)
[ -n "$tagged" ] || tagged=-

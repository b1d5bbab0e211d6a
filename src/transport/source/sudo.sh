
    # As root what is named here, with these arguments alone. sudo has regular expressions since 1.9.10; an older one would
    # take the rules for plain text, and refuse.
    version=$(sudo -V | sed -n '1s/.*version //p') || fail "sudo is not installed"
    [ "$(printf '%s\n' 1.9.10 "$version" | sort -V | head -n 1)" = 1.9.10 ] || fail "sudo $version is older than 1.9.10"
@PROGRAMS@
    new=$(mktemp /etc/sudoers.d/.new.XXXXXX)
    cat >"$new" <<END_OF_RULES
# Made by planb authorize.
Defaults:@USER@ !requiretty
@RULES@
END_OF_RULES
    chmod 440 "$new"
    visudo -cqf "$new" || { rm -f "$new"; fail "visudo does not accept the rules"; }
    mv "$new" @SUDOERS@

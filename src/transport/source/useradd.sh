    # A login without a password: a star is none that matches, and does not lock the account for keys.
    if ! getent passwd @USER@ >/dev/null; then
        useradd --system --create-home --shell /bin/sh @USER@
        usermod --password '*' @USER@
    fi

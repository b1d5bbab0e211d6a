//! The line that `systemctl status` shows of us. Nothing happens where systemd did not start us.

use sd_notify::NotifyState;

/// Says what we do or wait for, and until when.
pub fn say(text: &str) {
    // The address is in $NOTIFY_SOCKET, which is the protocol's own and read by nobody else. Nobody listening is fine.
    let _ = sd_notify::notify(&[NotifyState::Status(text)]);
}

/// Says that we are alive, for the watchdog of a unit that has one.
pub fn alive() {
    let _ = sd_notify::notify(&[NotifyState::Watchdog]);
}

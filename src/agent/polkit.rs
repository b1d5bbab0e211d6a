//! Whether who calls may act: polkit says so, root needs no leave.

use std::collections::HashMap;
use zbus::message::{Flags, Header};
use zbus::zvariant::Value;
use zbus::{Connection, fdo};

/// What everything that acts is one action of: units/polkit/.
const ACTION: &str = "org.planb.PlanB1.manage";

/// Lets the caller pass, or says why not. A person may be asked for a password, where the caller allows that.
pub async fn may_manage(bus: &Connection, header: &Header<'_>) -> fdo::Result<()> {
    let Some(sender) = header.sender() else {
        return Err(fdo::Error::AccessDenied("who calls has no name on the bus".into()));
    };
    let interactive = header.primary().flags().contains(Flags::AllowInteractiveAuth);
    let subject = ("system-bus-name", HashMap::from([("name", Value::from(sender.as_str()))]));
    let details: HashMap<&str, &str> = HashMap::new();
    let asked = bus
        .call_method(
            Some("org.freedesktop.PolicyKit1"),
            "/org/freedesktop/PolicyKit1/Authority",
            Some("org.freedesktop.PolicyKit1.Authority"),
            "CheckAuthorization",
            &(subject, ACTION, details, u32::from(interactive), ""),
        )
        .await;
    let answer = match asked {
        Ok(reply) => reply.body().deserialize::<(bool, bool, HashMap<String, String>)>(),
        Err(error) => Err(error),
    };
    match answer {
        Ok((true, _, _)) => Ok(()),
        Ok((false, true, _)) if !interactive => Err(fdo::Error::InteractiveAuthorizationRequired(format!(
            "{ACTION}: a password has to be asked for, and the caller did not allow that"
        ))),
        Ok(_) => Err(fdo::Error::AccessDenied(format!("{ACTION}: this is for root and the group planb"))),
        // Without polkit there is nobody to ask but the bus, for root.
        Err(error) => {
            match fdo::DBusProxy::new(bus).await?.get_connection_unix_user(sender.clone().into()).await {
                Ok(0) => Ok(()),
                _ => Err(fdo::Error::AccessDenied(format!("polkit cannot be asked: {error}"))),
            }
        }
    }
}

"""A client of PlanB on the bus that shares no code with it: reads all filesets, starts one, and listens until it has ended.

Prints one JSON object: what GetManagedObjects said, every PropertiesChanged of that fileset, and the record of RunFinished.
Values are [signature, value], as they were on the bus.
"""
import json
import sys

from jeepney import DBusAddress, MatchRule, MessageType, message_bus, new_method_call
from jeepney.io.blocking import Proxy, open_dbus_connection

NAME, ROOT, FILESET = "org.planb.PlanB1", "/org/planb/PlanB1", "org.planb.PlanB1.Fileset"
PATIENCE = 120

wanted = sys.argv[1]
bus = open_dbus_connection(bus="SYSTEM")


def call(path, interface, method, signature=None, body=()):
    address = DBusAddress(path, bus_name=NAME, interface=interface)
    answer = bus.send_and_get_reply(new_method_call(address, method, signature, body), timeout=PATIENCE)
    if answer.header.message_type == MessageType.error:
        sys.exit(f"{method}: {answer.header.fields}: {answer.body}")
    return answer.body


(objects,) = call(ROOT, "org.freedesktop.DBus.ObjectManager", "GetManagedObjects")
(path,) = call(ROOT, "org.planb.PlanB1.Manager", "GetFileset", "s", (wanted,))
rules = [
    MatchRule(type="signal", interface="org.freedesktop.DBus.Properties", member="PropertiesChanged", path=path),
    MatchRule(type="signal", interface="org.planb.PlanB1.Manager", path=ROOT),
]
for rule in rules:
    Proxy(message_bus, bus).AddMatch(rule)

call(path, FILESET, "Run", "a{sv}", ({},))
changes, started, finished = [], None, None
while finished is None:
    message = bus.receive(timeout=PATIENCE)
    if rules[0].matches(message):
        interface, changed, _ = message.body
        if interface == FILESET:
            changes.append(changed)
    elif rules[1].matches(message) and message.body[0] == path:
        member = [value for field, value in message.header.fields.items() if field.name == "member"]
        if member == ["RunStarted"]:
            started = message.body[1]
        elif member == ["RunFinished"]:
            finished = message.body[1]
# What is shown of the end comes with its record or right behind it.
(shown,) = call(path, "org.freedesktop.DBus.Properties", "GetAll", "s", (FILESET,))
filesets = {path: interfaces[FILESET] for path, interfaces in objects.items() if FILESET in interfaces}
json.dump({"filesets": filesets, "changes": changes, "started": started, "finished": finished, "shown": shown}, sys.stdout)

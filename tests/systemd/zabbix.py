"""The server's side of Zabbix's protocol, as its manual has it (appendix/protocols): what real agents and senders talk to.

zabbix.py listen FILE KEY...    asks the agent that connects for these keys, and appends all that it or a sender tells to FILE
zabbix.py get KEY               asks the agent on this machine, as a server does that polls, and prints its answer
"""
import json
import socket
import struct
import sys
import zlib

COMPRESSED = 2


def whole(connection, size):
    data = b""
    while len(data) < size:
        more = connection.recv(size - len(data))
        if not more:
            raise EOFError
        data += more
    return data


def receive(connection):
    """A packet: "ZBXD", flags, and the lengths of what follows and of what it unpacks to."""
    magic, flags, size, _ = struct.unpack("<4sBII", whole(connection, 13))
    assert magic == b"ZBXD", magic
    data = whole(connection, size)
    return zlib.decompress(data) if flags & COMPRESSED else data


def send(connection, data):
    connection.sendall(struct.pack("<4sBII", b"ZBXD", 1, len(data), 0) + data)


def answer(asked, keys):
    if asked["request"] == "active checks":
        # 6.0 wants numbers where 7.0 wants texts, and takes texts, too.
        items = [
            {"key": key, "key_orig": key, "itemid": number, "delay": "1s", "lastlogsize": 0, "mtime": 0, "timeout": "30s"}
            for number, key in enumerate(keys, 1)
        ]
        return {"response": "success", "config_revision": 1, "data": items}
    values = len(asked.get("data", []))
    info = f"processed: {values}; failed: 0; total: {values}; seconds spent: 0.000001"
    return {"response": "success", "info": info}


def listen(file, keys):
    server = socket.create_server(("127.0.0.1", 10051))
    while True:
        connection, _ = server.accept()
        with connection:
            asked = json.loads(receive(connection))
            with open(file, "a") as heard:
                for value in asked.get("data", []):
                    # 7.0 knows an item by its number.
                    key = value.get("key") or keys[int(value["itemid"]) - 1]
                    host = value.get("host") or asked.get("host")
                    print(json.dumps({"host": host, "key": key, "value": value.get("value"), "state": value.get("state", 0)}), file=heard)
            send(connection, json.dumps(answer(asked, keys)).encode())


def get(key):
    with socket.create_connection(("127.0.0.1", 10050)) as connection:
        send(connection, key.encode())
        print(receive(connection).decode())


if sys.argv[1] == "listen":
    listen(sys.argv[2], sys.argv[3:])
else:
    get(sys.argv[2])

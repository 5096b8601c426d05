"""A client in another language, written from PROTOCOL.md and nothing else: two people sign up, become buddies, ring, write, and send
and receive media. It stops with a failed assertion where the relay does not do what the page says, and ends with the word "done".

    client.py http://127.0.0.1:7480 PROTOCOL.md
"""

import http.client
import json
import queue
import random
import re
import struct
import sys
import threading
import time
import urllib.parse
import uuid

BASE = urllib.parse.urlsplit(sys.argv[1])
PAGE = sys.argv[2]


def request(method, path, body=None, token=None):
    """One exchange: the status, and the body as JSON or bytes. Requests and responses are whole, with their lengths."""
    connection = http.client.HTTPConnection(BASE.hostname, BASE.port, timeout=30)
    headers = {}
    if token:
        headers["Authorization"] = f"Bearer {token}"
    if isinstance(body, bytes):
        headers["Content-Type"] = "application/octet-stream"
    elif body is not None:
        headers["Content-Type"] = "application/json"
        body = json.dumps(body).encode()
    connection.request(method, BASE.path.rstrip("/") + path, body, headers)
    response = connection.getresponse()
    data = response.read()
    assert response.headers["Content-Length"] == str(len(data)), "every body has its length"
    assert response.headers["Cache-Control"] == "no-store"
    connection.close()
    if response.headers["Content-Type"].startswith("application/json"):
        data = json.loads(data)
    return response.status, data


class Session:
    """Someone signed in, with the event lane running."""

    def __init__(self, name, password):
        self.name = name
        status, answer = self.ask("POST", "/v1/session", {"name": name, "password": password, "versions": [9, 1]}, token=None)
        assert status == 200 and answer["version"] == 1, answer
        self.token = answer["token"]
        status, self.state = self.ask("GET", "/v1/state")
        assert status == 200 and self.state["name"] == name
        self.inbox = queue.Queue()
        threading.Thread(target=self.listen, daemon=True).start()

    def ask(self, method, path, body=None, token=True):
        return request(method, path, body, self.token if token else None)

    def do(self, method, path, body=None):
        status, answer = self.ask(method, path, body)
        assert status == 200, (path, answer)
        return answer

    def refused(self, code, status, method, path, body=None):
        got, answer = self.ask(method, path, body)
        assert (got, answer["error"]["code"]) == (status, code), (path, got, answer)
        assert answer["error"]["message"]

    def listen(self):
        cursor = self.state["cursor"]
        while True:
            status, answer = self.ask("GET", f"/v1/events?after={urllib.parse.quote(cursor)}&wait_ms=25000")
            if status != 200:
                return
            cursor = answer["cursor"]
            for event in answer["events"]:
                self.inbox.put(event)

    def hear(self, kind, wanted=lambda event: True):
        """The next event of this type that is wanted; others on the way are passed over."""
        while True:
            event = self.inbox.get(timeout=30)
            if event["type"] == kind and wanted(event):
                return event


def chunk(peer, kind, seq, media_time, keyframe, payload):
    return struct.pack(">2sBBIIQI", b"TV", 1, keyframe, peer * 256 + kind, seq, media_time, len(payload)) + payload


def chunks(body):
    found = []
    while body:
        magic, version, flags, track, seq, media_time, length = struct.unpack(">2sBBIIQI", body[:24])
        assert (magic, version) == (b"TV", 1)
        found.append((divmod(track, 256), seq, media_time, flags & 1, body[24 : 24 + length]))
        body = body[24 + length :]
    return found


class Lane:
    """Receives one kind of media of a call, with K polls parked."""

    def __init__(self, session, call, kind, parked=3):
        self.session, self.reader, self.number = session, random.getrandbits(32), 1
        self.path = f"/v1/calls/{call}/{kind}"
        self.lock, self.arrived, self.answers = threading.Lock(), queue.Queue(), {}
        # A reader of sound begins at what comes after its first poll: once that is answered nothing can be missed.
        assert self.ask(1, wait_ms=0) == (200, b"")
        for _ in range(parked):
            threading.Thread(target=self.poll, daemon=True).start()

    def poll(self):
        while True:
            with self.lock:
                self.number += 1
                number = self.number
            status, body = self.ask(number)
            if status != 200:
                return
            self.answers[number] = body
            for one in chunks(body):
                self.arrived.put(one)

    def ask(self, number, wait_ms=20000):
        return self.session.ask("GET", f"{self.path}?reader={self.reader}&poll={number}&wait_ms={wait_ms}")


def examples():
    """The chunks that stand on the page in hexadecimal."""
    blocks = re.findall(r"```hex\n(.*?)```", open(PAGE, encoding="utf-8").read(), re.S)
    return [bytes.fromhex(block) for block in blocks]


status, health = request("GET", "/v1/health")
assert status == 200 and health["status"] == "ok" and 1 in health["protocol"], health

cy, di = "Cy-" + uuid.uuid4().hex[:8], "Di-" + uuid.uuid4().hex[:8]
for name in (cy, di):
    assert request("POST", "/v1/accounts", {"name": name, "password": "long enough"}) == (200, {})
status, answer = request("POST", "/v1/accounts", {"name": cy.upper(), "password": "long enough"})
assert (status, answer["error"]["code"]) == (409, "name_taken"), answer
status, answer = request("POST", "/v1/session", {"name": cy, "password": "wrong, too", "versions": [1]})
assert (status, answer["error"]["code"]) == (401, "wrong_password"), answer
status, answer = request("POST", "/v1/session", {"name": cy, "password": "long enough", "versions": [9]})
assert (status, answer["error"]["code"]) == (400, "unsupported_version"), answer
status, answer = request("GET", "/v1/state")
assert (status, answer["error"]["code"]) == (401, "unauthorized"), answer

ringer, rung = Session(cy, "long enough"), Session(di, "long enough")

# Buddies: asked, asking, mutual; and then they see each other.
ringer.refused("forbidden", 403, "POST", "/v1/invitations", {"to": di})
ringer.do("POST", "/v1/buddies", {"name": di})
roster = rung.hear("roster")
assert roster["buddies"] == [{"name": cy, "relation": "asking", "presence": "offline"}], roster
rung.do("POST", "/v1/buddies", {"name": cy})
ringer.hear("roster", lambda event: event["buddies"][0]["relation"] == "mutual")

# Chat: one client id makes one message.
sent = {"to": di, "text": "<b>Shall I call?</b>", "client_id": uuid.uuid4().hex}
message = ringer.do("POST", "/v1/chat", sent)
assert ringer.do("POST", "/v1/chat", sent) == message
assert rung.hear("chat")["message"] == message
assert ringer.hear("chat")["message"] == message
history = rung.do("GET", f"/v1/chat?with={urllib.parse.quote(cy)}&limit=10")
assert history == {"messages": [message], "more": False}, history
ringer.refused("bad_request", 400, "POST", "/v1/chat", {"to": di, "text": "", "client_id": "x"})

# Ringing, and taking it. One client id makes one ring.
ring = {"to": di, "client_id": uuid.uuid4().hex}
answer = ringer.do("POST", "/v1/invitations", ring)
assert ringer.do("POST", "/v1/invitations", ring)["invitation"]["id"] == answer["invitation"]["id"]
invitation, call = answer["invitation"], answer["joined"]["call"]["id"]
assert answer["joined"]["me"] == 1 and invitation["state"] == "ringing" and invitation["expires_in_ms"] > 30000
assert ringer.do("POST", "/v1/invitations", {"to": di, "call": call})["invitation"]["id"] == invitation["id"]
assert rung.hear("invitation")["invitation"]["id"] == invitation["id"]
rung.refused("forbidden", 403, "GET", f"/v1/calls/{call}")
joined = rung.do("POST", f"/v1/invitations/{invitation['id']}/accept")
assert joined["me"] == 2 and [peer["name"] for peer in joined["call"]["peers"]] == [cy, di]
assert rung.do("POST", f"/v1/invitations/{invitation['id']}/accept") == joined
assert ringer.hear("invitation", lambda event: event["invitation"]["state"] != "ringing")["invitation"]["state"] == "accepted"
again = ringer.do("POST", "/v1/invitations", ring)
assert again["invitation"]["state"] == "accepted" and again["joined"]["call"]["id"] == call, again
ringer.refused("busy", 409, "POST", "/v1/invitations", {"to": di, "client_id": uuid.uuid4().hex})
rung.refused("invitation_over", 409, "POST", f"/v1/invitations/{invitation['id']}/decline")
rung.refused("not_found", 404, "POST", "/v1/invitations/nothing/accept")

# Media: the chunks of the page, from the one who rang.
audio, video = examples()
hearing, seeing = Lane(rung, call, "audio"), Lane(rung, call, "video")
feedback = ringer.do("POST", f"/v1/calls/{call}/audio", audio)
assert set(feedback) <= {"keyframe", "backlog_ms", "readers"}, feedback
ringer.do("POST", f"/v1/calls/{call}/audio", audio)
ringer.do("POST", f"/v1/calls/{call}/video", video)
assert hearing.arrived.get(timeout=30) == ((1, 1), 0, 0, 1, audio[24:])
assert seeing.arrived.get(timeout=30) == ((1, 2), 0, 0, 1, video[24:])

# Fifty more, out of order, some of them in one body, some twice: each arrives once.
numbers = list(range(1, 51))
random.shuffle(numbers)
while numbers:
    batch, numbers = numbers[:3], numbers[3:]
    body = b"".join(chunk(1, 1, seq, seq * 20000, 1, b"\x00\xf8\xff\xfe") for seq in batch)
    for _ in range(2):
        ringer.do("POST", f"/v1/calls/{call}/audio", body)
received = [hearing.arrived.get(timeout=30) for _ in range(50)]
assert sorted(seq for _, seq, _, _, _ in received) == list(range(1, 51))
assert all(media_time == seq * 20000 for _, seq, media_time, _, _ in received)
assert hearing.arrived.empty()

# A poll asked for again gives the same chunks again.
number, body = next((number, body) for number, body in sorted(hearing.answers.items()) if body)
assert hearing.ask(number) == (200, body)

# A reader without a keyframe asks for one, again and again until it comes: one that has just gone by is not repeated. The
# answer to an upload says so.
deadline, seq, asked = time.monotonic() + 10, 0, {}
while not asked.get("keyframe"):
    assert time.monotonic() < deadline, asked
    seq += 1
    rung.do("POST", f"/v1/calls/{call}/keyframe", {"track": 1 * 256 + 2})
    asked = ringer.do("POST", f"/v1/calls/{call}/video", chunk(1, 2, seq, seq * 33333, 0, b"\x00\x01"))
    time.sleep(0.03)

# What is refused changes nothing.
ringer.refused("bad_request", 400, "POST", f"/v1/calls/{call}/audio", chunk(2, 1, 51, 0, 1, b"\x00\x01"))
ringer.refused("bad_request", 400, "POST", f"/v1/calls/{call}/audio", audio[:-1])
ringer.refused("too_large", 413, "POST", f"/v1/calls/{call}/audio", bytes(327681))
ringer.refused("not_found", 404, "GET", "/v1/nothing")
ringer.refused("method_not_allowed", 405, "DELETE", "/v1/state")
ringer.refused("cursor_expired", 410, "GET", "/v1/events?after=unheard-of&wait_ms=0")

# Muting, and hanging up.
ringer.do("POST", f"/v1/calls/{call}/media", {"audio": False, "video": True})
rung.hear("call", lambda event: event["call"]["peers"][0]["audio"] is False)
rung.do("POST", f"/v1/calls/{call}/leave")
ended = ringer.hear("call_ended")
assert (ended["call"], ended["reason"]) == (call, "hung_up"), ended
ringer.refused("not_found", 404, "GET", f"/v1/calls/{call}")

# A ring that is declined, and one that both make at once.
ring = {"to": di, "client_id": uuid.uuid4().hex}
invitation = ringer.do("POST", "/v1/invitations", ring)["invitation"]
rung.do("POST", f"/v1/invitations/{invitation['id']}/decline")
ringer.refused("invitation_over", 409, "POST", "/v1/invitations", ring)
assert ringer.hear("call_ended")["reason"] == "declined"
first = ringer.do("POST", "/v1/invitations", {"to": di})
second = rung.do("POST", "/v1/invitations", {"to": cy})
assert second["invitation"]["state"] == "accepted" and second["joined"]["call"]["id"] == first["joined"]["call"]["id"], second
assert second["joined"]["me"] == 2

# Signing off ends the call for the other.
assert rung.do("DELETE", "/v1/session") == {}
assert ringer.hear("call_ended")["call"] == first["joined"]["call"]["id"]
rung.refused("unauthorized", 401, "GET", "/v1/state")
print("done")

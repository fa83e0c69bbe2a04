# A message of 150 MB is submitted, relayed and fetched in pieces; neither server's memory grows by 32 MB.
# peers: nsd
# timeout: 180
import hashlib
import smtplib
import ssl

import harness
from harness import Imap, check, check_equal, wait_for
from journey import Stage

MEGABYTES = 150
LINE = b"%09d 0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ./\r\n"
stage = Stage({"message_size": 200_000_000})


def peak_memory(server):
    """The most the server ever had resident since reset_high_water(), mapped spool files included."""
    for line in open(f"/proc/{server.pid()}/status"):
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    raise harness.Failed("no VmHWM")


def reset_high_water(server):
    open(f"/proc/{server.pid()}/clear_refs", "w").write("5")


def body():
    for i in range(MEGABYTES * 1_000_000 // len(LINE % 0)):
        yield LINE % i


class Upload:
    """Header and body as one stream, so that this test itself stays small."""

    def __init__(self):
        self.hash = hashlib.sha256()
        self.size = 0

    def pieces(self):
        head = b"From: ann@alpha.example\r\nTo: bob@beta.example\r\nSubject: a very large one\r\nMessage-ID: <150@alpha.example>\r\nDate: Thu, 1 Jan 2026 00:00:00 +0000\r\n\r\n"
        held = [head]
        for line in body():
            held.append(line)
            if len(held) == 8192:
                yield self.count(b"".join(held))
                held = []
        yield self.count(b"".join(held))

    def count(self, octets):
        self.hash.update(octets)
        self.size += len(octets)
        return octets


upload = Upload()
before = {}


def warm_up():
    """A small one first: what a server allocates once is not growth."""
    stage.swaks("ann", "bob@beta.example", subject="small")
    wait_for("the small message", lambda: stage.b.cli("account", "show", "bob@beta.example")["messages"] == 1)
    for server in (stage.a, stage.b):
        reset_high_water(server)
        before[server] = peak_memory(server)


def submit():
    with smtplib.SMTP_SSL("mail.alpha.example", 465, context=ssl.create_default_context(cafile=stage.ca), timeout=60) as s:
        s.login("ann@alpha.example", stage.secret["ann"])
        check_equal(s.mail("ann@alpha.example")[0], 250, "MAIL")
        check_equal(s.rcpt("bob@beta.example")[0], 250, "RCPT")
        check_equal(s.docmd("DATA")[0], 354, "DATA")
        for piece in upload.pieces():
            s.send(piece)  # no line begins with a dot
        check_equal(s.docmd(".")[0], 250, "the reply to the message")


def relayed():
    wait_for("the message at B", lambda: stage.b.cli("account", "show", "bob@beta.example")["messages"] == 2, 90)


def fetched_in_pieces():
    box = Imap(stage.b, "bob@beta.example", stage.secret["bob"])
    box.select("INBOX", readonly=True)
    digest, at, size = hashlib.sha256(), 0, 1 << 20
    header = box.uid("FETCH", "2", "(BODY.PEEK[HEADER] RFC822.SIZE)")[1][0]
    prefix = header[1].index(b"From: ann@")
    at = prefix
    while True:
        piece = box.uid("FETCH", "2", f"(BODY.PEEK[]<{at}.{size}>)")[1][0][1]
        digest.update(piece)
        at += len(piece)
        if len(piece) < size:
            break
    box.logout()
    check_equal(at - prefix, upload.size, "octets fetched")
    check_equal(digest.hexdigest(), upload.hash.hexdigest(), "their hash")


def memory_stayed_small():
    for server in (stage.a, stage.b):
        grown = peak_memory(server) - before[server]
        print(f"  {server.host.name}: {before[server] / 1e6:.1f} MB before, at most {grown / 1e6:.1f} MB more", flush=True)
        check(grown < 32_000_000, f"{server.host.name} grew by {grown / 1e6:.1f} MB")


harness.main(warm_up, submit, relayed, fetched_in_pieces, memory_stayed_small)

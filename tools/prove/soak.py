"""./dev prove soak --cycles N --seed S: SIGKILL within mixed SMTP, LMTP and APPEND traffic, with a ledger outside the server.

Each cycle: clients at three doors send until each door has had fifty messages acknowledged since the last kill, then the server is killed: at a
random moment, or, for at least a tenth of the kills, between writing a group of commits and syncing it (the server kills itself there when told by
SIGUSR2; a process that dies there has acknowledged nothing of that group). Then it is started again and asked by IMAP: what was acknowledged must be
there, once, octet for octet; what was not may be there whole or not at all; no UID may ever mean two messages, UIDVALIDITY and UIDNEXT never fall.
Prints cycles, acknowledged, lost, changed, duplicates; exit code 1 when any is wrong.
"""
import argparse
import hashlib
import imaplib
import json
import os
import pathlib
import random
import re
import shutil
import signal
import smtplib
import subprocess
import sys
import tempfile
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
BINARY = os.environ.get("MANSIO_BINARY", str(ROOT / "build" / "release" / "mansio"))
DOORS = ("smtp", "lmtp", "append")
LEAST = 50  # acknowledged at each door between two kills
MARK = re.compile(rb"^X-Soak-Id: (\S+)\r\n", re.M)


class Server:
    def __init__(self, broken):
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="mansio-soak-", dir=ROOT / "build"))
        self.broken, self.process, self.ready = broken, None, None
        self.start()

    def start(self):
        words = [BINARY, "demo", "--json", "--port-base", "0", "--cleartext", "--folders", "none", "--users", "6", "--die-in-sync", "--data", str(self.dir / "data")]
        if self.broken:
            words.append("--break-sync-on-purpose")
        self.process = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
        line = self.process.stdout.readline()
        self.ready = json.loads(line or '{"ready":false,"error":"it ended"}')
        if not self.ready["ready"]:
            raise SystemExit(f"soak: the server does not start: {self.ready['error']}")

    def kill(self):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()

    def die_in_sync(self):
        """True when it died by its own hand between write and sync."""
        self.process.send_signal(signal.SIGUSR2)
        try:
            self.process.wait(timeout=3)
        except subprocess.TimeoutExpired:
            self.kill()
            return False
        self.process.stdout.close()
        return self.process.returncode == -signal.SIGKILL

    def last_lines(self):
        self.process.terminate()  # all it has to say is in the file when it has ended
        self.process.wait(timeout=40)
        return "\n".join((self.dir / "data" / "log").read_text(errors="replace").splitlines()[-30:])

    def end(self, keep=False):
        if self.process.poll() is None and keep:
            self.kill()  # the store stays as it was when the trouble showed, not as a clean stop would leave it
        if self.process.poll() is None:
            self.process.terminate()
            self.process.wait(timeout=40)
        if keep:
            print(f"soak: the store stays in {self.dir}", file=sys.stderr)
        else:
            shutil.rmtree(self.dir, ignore_errors=True)


class Ledger:
    """What was tried and what was acknowledged; lives outside the server."""

    def __init__(self):
        self.lock = threading.Lock()
        self.tried = {}   # id → (sha256 of the content, {accounts})
        self.acked = {}   # id → {accounts that were promised it}
        self.count = {d: 0 for d in DOORS}
        self.unacked = 0

    def attempt(self, ident, content, accounts):
        with self.lock:
            self.tried[ident] = (hashlib.sha256(content).hexdigest(), set(accounts))

    def acknowledge(self, door, ident, accounts):
        with self.lock:
            self.acked.setdefault(ident, set()).update(accounts)
            self.count[door] += 1


def content_of(ident, dice):
    """From our own mark on: what the server puts before a message is its own."""
    size = dice.choice((200, 2_000, 2_000, 20_000, 300_000 if dice.random() < 0.02 else 500))
    lines = []
    while size > 0:
        line = "".join(dice.choices("abcdefghijklmnopqrstuvwxyz .", k=min(72, size)))
        lines.append(line)
        size -= 74
    return (f"X-Soak-Id: {ident}\r\nFrom: u1@example.test\r\nTo: u2@example.test\r\nSubject: soak\r\nMessage-ID: <{ident}@soak.test>\r\nDate: Thu, 1 Jan 2026 00:00:00 +0000\r\n\r\n" + "\r\n".join(lines) + "\r\n").encode()


class Client(threading.Thread):
    """Speaks at one door until told to stop or the server is gone."""

    def __init__(self, door, number, server, ledger, seed, cycle):
        super().__init__(daemon=True)
        self.door, self.server, self.ledger = door, server, ledger
        self.dice = random.Random(f"{seed}/{cycle}/{door}/{number}")
        self.name = f"{cycle}-{door}-{number}"
        self.stop = threading.Event()
        self.sent, self.trouble = 0, None

    def run(self):
        try:
            getattr(self, self.door)()
        except (OSError, EOFError, smtplib.SMTPException, imaplib.IMAP4.error) as e:
            self.trouble = e  # the kill; anything else shows in the audit

    def next(self, accounts):
        ident = f"{self.name}-{self.sent}"
        self.sent += 1
        content = content_of(ident, self.dice)
        self.ledger.attempt(ident, content, accounts)
        return ident, content

    def accounts(self, most):
        return self.dice.sample([f"u{i}" for i in range(1, 7)], self.dice.randint(1, most))

    def smtp(self):
        with smtplib.SMTP("127.0.0.1", self.server.ready["submission"], timeout=30) as s:
            s.login("u1@example.test", self.server.ready["users_secret"])
            while not self.stop.is_set():
                to = self.accounts(3)  # more than one: by way of the queue
                ident, content = self.next(to)
                s.sendmail("u1@example.test", [f"{a}@example.test" for a in to], content)
                self.ledger.acknowledge("smtp", ident, to)

    def lmtp(self):
        with smtplib.LMTP("127.0.0.1", self.server.ready["lmtp"], timeout=30) as s:
            s.ehlo()  # LHLO, in this class
            while not self.stop.is_set():
                to = self.accounts(2)
                ident, content = self.next(to)
                for step, args in ((s.mail, ("x@elsewhere.test",)), *((s.rcpt, (f"{a}@example.test",)) for a in to)):
                    code, words = step(*args)
                    if code // 100 != 2:
                        raise smtplib.SMTPResponseException(code, words)
                s.putcmd("data")
                s.getreply()
                s.send(content.replace(b"\r\n.", b"\r\n..") + b".\r\n")
                for a in to:  # a reply for each recipient, each a promise of its own
                    if s.getreply()[0] == 250:
                        self.ledger.acknowledge("lmtp", ident, [a])

    def append(self):
        me = self.dice.choice([f"u{i}" for i in range(1, 7)])
        box = imaplib.IMAP4("127.0.0.1", self.server.ready["imap"], timeout=30)
        box.login(f"{me}@example.test", self.server.ready["users_secret"])
        while not self.stop.is_set():
            ident, content = self.next([me])
            if box.append("INBOX", r"(\Seen)", None, content)[0] == "OK":
                self.ledger.acknowledge("append", ident, [me])


class Audit:
    """What IMAP says, held against the ledger; remembers every UID it ever saw."""

    def __init__(self, ledger):
        self.ledger = ledger
        self.uids = {f"u{i}": {} for i in range(1, 7)}   # account → UID → id
        self.seen = {f"u{i}": {} for i in range(1, 7)}   # account → id → copies
        self.validity, self.next = {}, {}
        self.changed, self.reused, self.strange = set(), set(), set()

    def take(self, server, whole=False):
        for account in self.uids:
            box = imaplib.IMAP4("127.0.0.1", server.ready["imap"], timeout=60)
            box.login(f"{account}@example.test", server.ready["users_secret"])
            kind, words = box.select("INBOX", readonly=True)
            if kind != "OK":
                raise SystemExit(f"soak: INBOX of {account} cannot be selected: {kind} {words}\n{server.last_lines()}")
            validity, uid_next = int(box.response("UIDVALIDITY")[1][0]), int(box.response("UIDNEXT")[1][0])
            if self.validity.setdefault(account, validity) != validity or uid_next < self.next.get(account, 0):
                self.reused.add((account, "UIDVALIDITY or UIDNEXT fell"))
            first = 1 if whole else self.next.get(account, 1)
            if whole:
                self.seen[account] = {}
            self.next[account] = uid_next
            if first < uid_next:
                self.read(box, account, first)
            box.logout()

    def read(self, box, account, first):
        _, data = box.uid("FETCH", f"{first}:*", "(UID BODY.PEEK[])")
        for item in data:
            if not isinstance(item, tuple):
                continue
            uid = int(re.search(rb"UID (\d+)", item[0]).group(1))
            if uid < first:
                continue  # "n:*" names the last message when n is beyond it
            mark = MARK.search(item[1])
            ident = mark.group(1).decode() if mark else None
            if ident not in self.ledger.tried:
                self.strange.add((account, uid))
                continue
            if self.uids[account].setdefault(uid, ident) != ident:
                self.reused.add((account, uid))
            digest, accounts = self.ledger.tried[ident]
            if hashlib.sha256(item[1][mark.start():]).hexdigest() != digest or account not in accounts:
                self.changed.add((account, ident))
            self.seen[account][ident] = self.seen[account].get(ident, 0) + 1

    def result(self):
        lost = sum(1 for ident, accounts in self.ledger.acked.items() for a in accounts if ident not in self.seen[a])
        duplicates = sum(n - 1 for copies in self.seen.values() for n in copies.values() if n > 1)
        return {"lost": lost, "changed": len(self.changed) + len(self.strange), "duplicates": duplicates, "uids_reused": len(self.reused)}


def cycle(number, server, ledger, dice, seed, in_sync):
    """Traffic at all doors, then death. True when it died between write and sync."""
    ledger.count = {d: 0 for d in DOORS}
    clients = [Client(door, n, server, ledger, seed, number) for door in DOORS for n in range(2)]
    for c in clients:
        c.start()
    end = time.monotonic() + 60
    while min(ledger.count.values()) < LEAST:
        if time.monotonic() > end or not any(c.is_alive() for c in clients):
            raise SystemExit(f"soak: cycle {number}: only {ledger.count} acknowledged; clients say {[str(c.trouble) for c in clients if c.trouble]}")
        time.sleep(0.002)
    time.sleep(dice.random() * 0.05)  # the moment of death is random; nothing waits for it
    died = server.die_in_sync() if in_sync else (server.kill(), False)[1]
    for c in clients:
        c.stop.set()
    for c in clients:
        c.join(timeout=40)
    return died


def wait_queue(server):
    """Recovery delivers what the queue has promised; then the audit may count."""
    end = time.monotonic() + 60
    while time.monotonic() < end:
        done = subprocess.run([BINARY, "queue", "list", "--json", "--socket", server.ready["admin_socket"]], capture_output=True, text=True)
        if done.returncode == 0 and json.loads(done.stdout)["total"] == 0:
            return
        time.sleep(0.05)
    raise SystemExit("soak: the queue does not empty")


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--cycles", type=int, default=200)
    p.add_argument("--seed", type=int, default=1)
    p.add_argument("--break-sync-on-purpose", action="store_true", help="the server acknowledges before it writes: this must fail")
    o = p.parse_args()
    dice = random.Random(o.seed)
    (ROOT / "build").mkdir(exist_ok=True)
    server, ledger, in_sync = Server(o.break_sync_on_purpose), Ledger(), 0
    audit = Audit(ledger)
    begun = time.monotonic()
    try:
        for n in range(1, o.cycles + 1):
            # Every fourth kill is aimed between write and sync; at least a tenth must hit.
            in_sync += cycle(n, server, ledger, dice, o.seed, n % 4 == 0)
            server.start()
            wait_queue(server)
            audit.take(server)
            if sys.stderr.isatty() or n % 20 == 0:
                print(f"\rsoak: {n}/{o.cycles} cycles, {len(ledger.acked)} acknowledged", end="" if sys.stderr.isatty() else "\n", file=sys.stderr, flush=True)
        audit.take(server, whole=True)
        result = audit.result()
    except BaseException:
        server.end(keep=True)
        raise
    server.end()
    enough = o.break_sync_on_purpose or in_sync * 10 >= o.cycles
    good = not any(result.values()) and enough
    words = ", ".join(f"{v} {k.replace('_', ' ')}" for k, v in result.items())
    print(f"soak: {o.cycles} cycles ({in_sync} kills between write and sync), seed {o.seed}, {len(ledger.acked)} acknowledged, {words}, {time.monotonic() - begun:.0f} s: {'passed' if good else 'FAILED'}"
          + ("" if enough else " (too few kills between write and sync)"))
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())

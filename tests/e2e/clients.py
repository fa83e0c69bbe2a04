"""What the tests of real mail programs share: a demo server, an account for each program, and the programs in their private root."""
import imaplib
import json
import os
import pathlib
import pty
import select
import shutil
import smtplib
import ssl
import subprocess
import sys
import time

from harness import BINARY, ROOT, Failed, check_equal, run, scratch, start

sys.path.insert(0, str(ROOT / "tools"))
import peers  # noqa: E402

# Where a program finds its files: a folder of the test's own, bound into the root.
INSIDE = "/mnt"


def need_clients(*programs):
    """A missing program is a failure that says what to install, never a skipped test."""
    for p in programs:
        if not (peers.path_of("clients") / "usr/bin" / p).is_symlink() and not (peers.path_of("clients") / "usr/bin" / p).exists():
            sys.exit(f"{p} is missing: tools/peers.py make clients makes its private root")


class Demo:
    """The demo server; its domain is example.test."""

    def __init__(self):
        process = start([BINARY, "demo", "--json", "--port-base", "0", "--data", scratch() / "demo"], stdout=subprocess.PIPE, text=True)
        self.ready = json.loads(process.stdout.readline())
        shutil.copy(self.ready["ca"], self.folder() / "ca.pem")

    @staticmethod
    def folder():
        path = scratch() / "inside"
        path.mkdir(exist_ok=True)
        return path

    def cli(self, *argv):
        return json.loads(run([BINARY, *argv, "--socket", self.ready["admin_socket"], "--json"]).stdout)

    def person(self, name):
        return Person(self, name)

    def deliver(self, to, subject, body="Hello.\r\n"):
        """By LMTP, as any mail comes."""
        with smtplib.LMTP("127.0.0.1", self.ready["lmtp"]) as door:
            door.sendmail("sender@example.org", [to], f"From: Sender <sender@example.org>\r\nTo: <{to}>\r\nSubject: {subject}\r\nMessage-ID: <{subject.replace(' ', '.')}@example.org>\r\n"
                          f"Date: Thu, 5 Feb 2026 09:30:00 +0100\r\n\r\n{body}")


class Person:
    """An account that one program uses, and what the server says of it over a connection of the test's own."""

    def __init__(self, demo, name):
        self.demo, self.address = demo, f"{name}@example.test"
        self.secret = demo.cli("account", "add", self.address)["app_password"]
        self.home = demo.folder() / name
        self.home.mkdir()
        self.inside = f"{INSIDE}/{name}"
        self.box = imaplib.IMAP4_SSL("localhost", demo.ready["imaps"], ssl_context=ssl.create_default_context(cafile=demo.ready["ca"]), timeout=30)
        self.box.login(self.address, self.secret)

    def mail(self, subject, body="Hello.\r\n"):
        self.demo.deliver(self.address, subject, body)

    def listing(self, mailbox="INBOX"):
        """subject → flags without \\Recent, sorted."""
        check_equal(self.box.select(f'"{mailbox}"', readonly=True)[0], "OK", f"EXAMINE {mailbox}")
        _, data = self.box.uid("FETCH", "1:*", "(FLAGS BODY.PEEK[HEADER.FIELDS (Subject)])")
        out = {}
        for d in data or []:
            if isinstance(d, tuple):
                flags = {f for f in imaplib.ParseFlags(d[0])}
                out[d[1].decode().partition(":")[2].strip()] = sorted(f.decode() for f in flags if f != rb"\Recent")
        return out

    def uid_of(self, subject, mailbox="INBOX"):
        check_equal(self.box.select(f'"{mailbox}"')[0], "OK", f"SELECT {mailbox}")
        _, data = self.box.uid("SEARCH", "SUBJECT", f'"{subject}"')
        return data[0].split()[-1].decode()

    def flag(self, subject, flag, mailbox="INBOX"):
        uid = self.uid_of(subject, mailbox)
        check_equal(self.box.uid("STORE", uid, "+FLAGS", f"({flag})")[0], "OK", "STORE")

    def delete(self, subject, mailbox="INBOX"):
        self.flag(subject, r"\Deleted", mailbox)
        check_equal(self.box.expunge()[0], "OK", "EXPUNGE")

    def write(self, name, text):
        path = self.home / name
        path.write_text(text)
        path.chmod(0o600)
        return f"{self.inside}/{name}"

    def argv(self, argv):
        env = ["env", "-i", f"HOME={self.inside}", "PATH=/usr/bin:/bin", "LANG=C.UTF-8", "TERM=xterm", f"USER={self.home.name}"]
        return peers.enter_argv("clients", [*env, *argv], [(self.demo.folder(), INSIDE)])

    def run(self, *argv, codes=(0,), **kwargs):
        """A program in the root; its output."""
        done = run(self.argv(argv), check=False, **kwargs)
        if done.returncode not in codes:
            raise Failed(f"{' '.join(map(str, argv))} answered {done.returncode}\n{done.stdout[-4000:]}{done.stderr[-4000:]}")
        return done.stdout + done.stderr

    def run_on_terminal(self, *argv, seconds=40):
        """For programs that want a screen; what they drew is told when they fail."""
        ours, theirs = pty.openpty()
        process = start(self.argv(argv), stdin=theirs, stdout=theirs, stderr=theirs)
        os.close(theirs)
        drawn, end = b"", time.monotonic() + seconds
        while time.monotonic() < end:
            if not select.select([ours], [], [], 0.1)[0]:
                if process.poll() is not None:
                    break
                continue
            try:
                some = os.read(ours, 65536)
            except OSError:
                break
            if not some:
                break
            drawn += some
        os.close(ours)
        try:
            code = process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            code = "nothing for too long"
        if code != 0:
            raise Failed(f"{' '.join(map(str, argv))} answered {code}\n{drawn[-4000:].decode(errors='replace')}")
        return drawn.decode(errors="replace")


def maildir_listing(folder):
    """subject → flags of the file's name."""
    out = {}
    for place in ("cur", "new"):
        for path in sorted((pathlib.Path(folder) / place).glob("*")):
            text = path.read_text(errors="replace")
            subject = next(line.partition(":")[2].strip() for line in text.splitlines() if line.lower().startswith("subject:"))
            out[subject] = "".join(sorted(path.name.partition(":2,")[2]))
    return out


def maildir_path(folder, subject):
    for place in ("cur", "new"):
        for path in (pathlib.Path(folder) / place).glob("*"):
            if f"\nSubject: {subject}\n" in path.read_text(errors="replace").replace("\r\n", "\n"):
                return path
    raise Failed(f"no message {subject!r} in {folder}")


def maildir_state(folder):
    return sorted((str(p.relative_to(folder)), p.read_bytes()) for p in pathlib.Path(folder).rglob("*") if p.is_file() and p.parent.name in ("cur", "new"))

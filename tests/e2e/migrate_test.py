# Moving in: from Dovecot over IMAP and from its Maildir, from Cyrus over IMAP, with UIDs kept; mbsync, which knows the old server, then has nothing to
# fetch. An import that is killed goes on. And out again: Maildir and mbox.
# peers: dovecot cyrus
# timeout: 120
#
# By itself with --all: 20,000 messages on each server, as docs/migrating.md says it was tried.
import contextlib
import imaplib
import json
import re
import shutil
import smtplib
import socket
import subprocess
import sys
import threading
import time

import harness
from harness import BINARY, Failed, check, check_equal, run, scratch, start, wait_for

harness.need("mbsync", "ip", "unshare")
harness.isolate()

import peers  # noqa: E402  after isolate(): in the namespace of this test

ALL = "--all" in sys.argv
MESSAGES = 20_000 if ALL else 120
DOVECOT = """
protocols = imap
listen = 127.0.0.1
base_dir = /bench/run
state_dir = /bench/state
log_path = /bench/dovecot.log
ssl = no
disable_plaintext_auth = no
mail_fsync = never
mail_location = maildir:/bench/mail/%n
mail_uid = dovecot
mail_gid = dovecot
first_valid_uid = 1
passdb {
  driver = static
  args = password=secret
}
userdb {
  driver = static
  args = uid=dovecot gid=dovecot home=/bench/mail/%n allow_all_users=yes
}
namespace inbox {
  inbox = yes
  separator = .
  mailbox Sent {
    special_use = \\Sent
    auto = subscribe
  }
}
service imap-login {
  inet_listener imap {
    port = 1143
  }
  inet_listener imaps {
    port = 0
  }
}
"""
CYRUS = """
configdirectory: /bench/lib
proc_path: /run/cyrus/proc
mboxname_lockpath: /run/cyrus/lock
defaultpartition: default
partition-default: /bench/spool
altnamespace: yes
unixhierarchysep: yes
autocreate_quota: 0
autocreate_post: yes
hashimapspool: true
allowplaintext: yes
sasl_pwcheck_method: auxprop
sasl_auxprop_plugin: sasldb
sasl_sasldb_path: /bench/sasldb2
sasl_mech_list: PLAIN
servername: bench
syslog_prefix: cyrus
admins: cyrus
"""
CYRUS_SERVICES = """
START {
    recover cmd="/usr/sbin/cyrus ctl_cyrusdb -C /bench/imapd.conf -r"
}
SERVICES {
    imap cmd="imapd -C /bench/imapd.conf -U 30" listen="127.0.0.1:2143" prefork=2 maxchild=20
}
"""
CYRUS_SETUP = """
set -e
mkdir -p /bench/lib /bench/spool /run/cyrus/socket /run/cyrus/proc /run/cyrus/lock
printf secret | saslpasswd2 -p -c -f /bench/sasldb2 -u bench anna
chown -R cyrus:mail /bench/lib /bench/spool /bench/sasldb2 /run/cyrus
su cyrus -c '/usr/lib/cyrus/bin/makedirs -C /bench/imapd.conf' 2>/dev/null || true
export LD_PRELOAD=libeatmydata.so
exec /usr/lib/cyrus/bin/master -C /bench/imapd.conf -M /bench/cyrus.conf -p /run/cyrus/master.pid
"""

state = {}
figures = []


def message(n):
    body = f"From the body of {n}\r\n.\r\n" + "A line of some length, as people write them in their mail.\r\n" * (n * 7 % 120)
    return f"From: a{n}@example.org\r\nTo: anna@example.org\r\nSubject: number {n}\r\nMessage-ID: <{n}@example.org>\r\n\r\n{body}".encode()


class Box(imaplib.IMAP4):
    def __init__(self, port, user, password):
        super().__init__("127.0.0.1", port, timeout=60)
        self.login(user, password)

    def picture(self, mailbox):
        """What a mail program knows: UIDVALIDITY, UIDNEXT, and UID → (flags, date, size)."""
        check_equal(self.select(f'"{mailbox}"', readonly=True)[0], "OK", f"EXAMINE {mailbox}")
        validity = int(self.response("UIDVALIDITY")[1][0])
        uid_next = int(self.response("UIDNEXT")[1][0])
        got = {}
        for line in self.uid("FETCH", "1:*", "(UID FLAGS INTERNALDATE RFC822.SIZE)")[1]:
            if line is None:
                continue
            flags = re.search(rb"FLAGS \(([^)]*)\)", line)[1].split()
            date = re.search(rb'INTERNALDATE "([^"]*)"', line)[1]
            got[int(re.search(rb"UID (\d+)", line)[1])] = (sorted(f for f in flags if f != rb"\Recent"), imaplib.Internaldate2tuple(b'INTERNALDATE "' + date + b'"'), int(re.search(rb"RFC822.SIZE (\d+)", line)[1]))
        return validity, uid_next, got

    def octets(self, mailbox):
        self.select(f'"{mailbox}"', readonly=True)
        return sorted(d[1] for d in self.uid("FETCH", "1:*", "(BODY.PEEK[])")[1] if isinstance(d, tuple))


def check_pictures(got, want, what):
    """Says the first that differs, not everything."""
    check_equal(got[:2], want[:2], f"UIDVALIDITY and UIDNEXT of {what}")
    check_equal(sorted(got[2]), sorted(want[2]), f"UIDs of {what}")
    for uid, message in want[2].items():
        check_equal(got[2][uid], message, f"UID {uid} of {what}")


class Old:
    """A server that somebody moves away from. `names`: as it has them → as they are here."""

    def __init__(self, name, port, names):
        self.name, self.port, self.names = name, port, names
        self.work = scratch() / name.lower()
        self.work.mkdir()

    def box(self):
        return Box(self.port, "anna", "secret")

    def fill(self):
        def answers():
            try:
                return self.box()
            except (OSError, imaplib.IMAP4.error):
                return None
        box = wait_for(self.name, answers)
        for there in self.names:
            if there not in ("INBOX", "Sent"):
                check_equal(box.create(there)[0], "OK", f"CREATE {there}")
        box.subscribe(list(self.names)[2])
        flags = ["", "\\Seen", "\\Flagged \\Seen", "\\Answered", "\\Draft $Label1", "NonJunk \\Seen"]
        to = list(self.names)[:4]
        for n in range(MESSAGES):
            date = f'"{1 + n % 28:02}-Feb-2024 {n % 24:02}:{n % 60:02}:00 +0000"'
            check_equal(box.append(to[n % 4 if n % 20 < 4 else 0], flags[n % len(flags)], date, message(n))[0], "OK", f"APPEND {n}")
        # Gaps, and a UIDNEXT above the last message.
        box.select("INBOX")
        for uid in ("2:5", "11", "*"):
            box.uid("STORE", uid, "+FLAGS", "(\\Deleted)")
        box.expunge()
        box.logout()

    def remember(self):
        """mbsync learns it; and what it says of each mailbox."""
        self.mbsync = scratch() / f"mbsync-{self.name}"
        self.mbsync.mkdir()
        sync(self.mbsync, self.port, "anna", "secret")
        box = self.box()
        self.before = {here: box.picture(there) for there, here in self.names.items()}
        self.total = sum(len(p[2]) for p in self.before.values())
        check_equal(sum(len(self.before[m][2]) for m in ("INBOX", "Sent", "Empty")), len(files(self.mbsync)), f"what mbsync fetched from {self.name}")
        box.logout()

    def import_argv(self, address, port=None):
        return ["import", "imap", address, "127.0.0.1", "--port", str(port or self.port), "--cleartext", "--user", "anna", "--password-file", str(scratch() / "password"), "--keep-uids"]

    def check_same(self, who):
        box = Box(state["demo"]["imap"], *who)
        for m, before in self.before.items():
            check_pictures(box.picture(m), before, f"{m} here and on {self.name}")
        listed = b" ".join(box.lsub()[1])
        check(list(self.names.values())[2].encode() in listed and b"Sent" in listed, f"subscriptions came along: {listed}")
        check(re.search(rb'\\Sent[^)]*\) "/" "?Sent', b"\n".join(box.list()[1])), "special use came along")
        box.logout()


def sync(directory, port, user, password, channel="all"):
    rc = directory.parent / (directory.name + ".rc")
    rc.write_text(f'FSync no\n\nIMAPAccount a\nHost 127.0.0.1\nPort {port}\nUser {user}\nPass "{password}"\nSSLType None\nAuthMechs LOGIN PLAIN\n\nIMAPStore far\nAccount a\n\n'
                  f"MaildirStore near\nPath {directory}/\nInbox {directory}/INBOX\nSubFolders Verbatim\n\nChannel all\nFar :far:\nNear :near:\nPatterns INBOX Sent Empty\nCreate Near\nSync All\nSyncState *\n")
    return run(["mbsync", "-V", "-c", rc, channel], timeout=900).stdout


def files(directory):
    """What mbsync has, with the numbers of the files: one that is fetched again is another file."""
    return sorted((str(p.relative_to(directory)), p.stat().st_ino) for p in directory.rglob("*") if p.is_file() and p.parent.name in ("cur", "new"))


def timed(what, action):
    begun = time.monotonic()
    done = action()
    figures.append(f"{what}: {time.monotonic() - begun:.1f} s")
    return done


def mansio(*argv, code=0):
    done = run([BINARY, *argv, "--socket", state["demo"]["admin_socket"], "--json"], check=False, timeout=900)
    if done.returncode != code:
        raise Failed(f"{' '.join(map(str, argv))} answered {done.returncode}: {done.stdout[-3000:]}{done.stderr[-3000:]}")
    return json.loads(done.stdout)


def new_account(name):
    return name + "@example.test", mansio("account", "add", name + "@example.test")["app_password"]


def nothing_is_fetched_again(old, who):
    """Somebody's mbsync, pointed at the new server; then one message more, so that it is seen to work."""
    mine = scratch() / f"mbsync-{who[0]}"
    shutil.copytree(old.mbsync, mine, symlinks=True)
    before = files(mine)
    said = timed(f"mbsync after the move from {old.name}", lambda: sync(mine, state["demo"]["imap"], *who))
    check_equal(files(mine), before, f"the files of mbsync: {said}")
    with smtplib.LMTP("127.0.0.1", state["demo"]["lmtp"]) as door:
        door.sendmail("a@example.org", [who[0]], "From: a@example.org\r\nSubject: new\r\n\r\nnew\r\n")
    sync(mine, state["demo"]["imap"], *who)
    check_equal(len(set(files(mine)) - set(before)), 1, "a new message is fetched")
    shutil.rmtree(mine)


def a_server_of_ours():
    p = start([BINARY, "demo", "--json", "--port-base", "0", "--cleartext", "--data", scratch() / "demo"], stdout=subprocess.PIPE, text=True)
    state["demo"] = json.loads(p.stdout.readline())
    check(state["demo"]["ready"], "the demo is ready")
    (scratch() / "password").write_text("secret\n")


def a_dovecot_with_mail():
    old = state["dovecot"] = Old("Dovecot", 1143, {"INBOX": "INBOX", "Sent": "Sent", "Work.2026": "Work/2026", "Entw&APw-rfe": "Entw&APw-rfe", "Empty": "Empty"})
    for sub in ("mail", "state", "run"):
        (old.work / sub).mkdir()
    (old.work / "dovecot.conf").write_text(DOVECOT)
    inside = "chown -R dovecot /bench/mail && exec /usr/sbin/dovecot -F -c /bench/dovecot.conf"
    start(peers.enter_argv("dovecot", ["sh", "-c", inside], [(old.work, "/bench")]), stderr=open(scratch() / "dovecot.err", "w"))
    old.fill()
    old.remember()


def from_dovecot_over_imap():
    old, who = state["dovecot"], new_account("anna")
    report = timed("Dovecot over IMAP", lambda: mansio(*old.import_argv(who[0])))
    check_equal((report["imported"], report["skipped"], report["renumbered"], report["notes"]), (old.total, 0, 0, []), "the import")
    old.check_same(who)
    again = timed("again", lambda: mansio(*old.import_argv(who[0])))
    check_equal((again["imported"], again["already"]), (0, old.total), "importing twice")
    state["anna"] = who
    nothing_is_fetched_again(old, who)


def from_dovecots_maildir():
    old, who = state["dovecot"], new_account("berta")
    argv = ["import", "maildir", who[0], str(old.work / "mail" / "anna"), "--keep-uids"]
    report = timed("Dovecot's Maildir", lambda: mansio(*argv))
    check_equal((report["imported"], report["skipped"], report["renumbered"], report["notes"]), (old.total, 0, 0, []), f"the import: {report['problems']}")
    old.check_same(who)
    check_equal(mansio(*argv)["imported"], 0, "importing twice")
    nothing_is_fetched_again(old, who)


class Proxy:
    """Between the import and the old server; after so many octets of the server's it keeps the connection and sends no more."""

    def __init__(self, port, most):
        self.left = most
        self.stalled = threading.Event()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.serve, args=(port,), daemon=True).start()

    def serve(self, port):
        near, _ = self.listener.accept()
        far = socket.create_connection(("127.0.0.1", port))
        threading.Thread(target=self.copy, args=(near, far, False), daemon=True).start()
        self.copy(far, near, True)

    def copy(self, source, to, counted):
        with contextlib.suppress(ConnectionError):  # who is killed resets
            while data := source.recv(16384):
                if counted:
                    self.left -= len(data)
                    if self.left < 0:
                        self.stalled.set()
                        return
                to.sendall(data)


def killed_in_the_middle():
    old, who = state["dovecot"], new_account("dora")
    octets = sum(m[2] for p in old.before.values() for m in p[2].values())
    proxy = Proxy(old.port, octets // 2)
    p = start([BINARY, *old.import_argv(who[0], proxy.port), "--socket", state["demo"]["admin_socket"]], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    check(proxy.stalled.wait(300), "the import got half of the mail")

    def stored():
        box = Box(state["demo"]["imap"], *who)
        n = 0
        for m in old.before:
            typ, data = box.select(f'"{m}"', readonly=True)
            n += int(data[0]) if typ == "OK" else 0
        box.logout()
        return n
    wait_for("some of the mail to be stored", stored)
    p.kill()
    p.wait()
    before = stored()
    check(0 < before < old.total, f"killed in the middle: {before} of {old.total}")
    report = mansio(*old.import_argv(who[0]))
    check(0 < report["already"] and report["already"] + report["imported"] == old.total and report["renumbered"] == 0 and report["skipped"] == 0, f"it went on: {report}")
    old.check_same(who)


def a_cyrus_with_mail():
    old = state["cyrus"] = Old("Cyrus", 2143, {"INBOX": "INBOX", "Sent": "Sent", "Work/2026": "Work/2026", "Entw&APw-rfe": "Entw&APw-rfe", "Empty": "Empty"})
    (old.work / "imapd.conf").write_text(CYRUS)
    (old.work / "cyrus.conf").write_text(CYRUS_SERVICES)
    start(peers.enter_argv("cyrus", ["sh", "-c", CYRUS_SETUP], [(old.work, "/bench")]), stdout=subprocess.DEVNULL, stderr=open(scratch() / "cyrus.err", "w"))

    def answers():
        try:
            return old.box()
        except (OSError, imaplib.IMAP4.error):
            return None
    box = wait_for("Cyrus", answers)
    check_equal(box._simple_command("CREATE", "Sent", "(USE (\\Sent))")[0], "OK", "CREATE Sent")
    check_equal(box.subscribe("Sent")[0], "OK", "SUBSCRIBE Sent")
    box.logout()
    old.fill()
    old.remember()


def from_cyrus_over_imap():
    old, who = state["cyrus"], new_account("emma")
    report = timed("Cyrus over IMAP", lambda: mansio(*old.import_argv(who[0])))
    check_equal((report["imported"], report["skipped"], report["renumbered"], report["notes"]), (old.total, 0, 0, []), "the import")
    old.check_same(who)
    nothing_is_fetched_again(old, who)


def out_and_in_again():
    """As it was left after a new message came: by now the pictures are our own server's."""
    box = Box(state["demo"]["imap"], *state["anna"])
    here = list(state["dovecot"].names.values())
    before = {m: box.picture(m) for m in here}
    octets = {m: box.octets(m) for m in here[1:]}
    box.logout()
    for form in ("maildir", "mbox"):
        to = scratch() / f"export-{form}"
        out = timed(f"export {form}", lambda: mansio("export", form, state["anna"][0], str(to)))
        check_equal((out["skipped"], out["problems"], out["notes"]), (0, [], []), f"export {form}")
        address, secret = new_account(f"carla-{form}")
        report = timed(f"import {form}", lambda: mansio("import", form, address, str(to), "--keep-uids"))
        check_equal((report["imported"], report["skipped"], report["renumbered"]), (out["exported"], 0, 0), f"import of the exported {form}: {report['problems']}")
        box = Box(state["demo"]["imap"], address, secret)
        for m in here:
            check_pictures(box.picture(m), before[m], f"{m} after a way through {form}")
        for m, want in octets.items():
            check_equal(box.octets(m), want, f"the octets of {m} after a way through {form}")
        check(b"Work/2026" in b" ".join(box.lsub()[1]), "subscriptions came along")
        box.logout()
        again = mansio("export", form, state["anna"][0], str(to))
        check_equal(again["exported"], 0 if form == "maildir" else out["exported"], "exporting twice")


def dovecot_reads_our_maildir():
    """Out again to the old server: it takes the export as its own, UIDs and keywords too."""
    old = state["dovecot"]
    shutil.copytree(scratch() / "export-maildir", old.work / "mail" / "back")
    inside = "chown -R dovecot /bench/mail/back"
    run(peers.enter_argv("dovecot", ["sh", "-c", inside], [(old.work, "/bench")]))
    there, here = Box(old.port, "back", "secret"), Box(state["demo"]["imap"], *state["anna"])
    for name, mine in old.names.items():
        check_pictures(there.picture(name), here.picture(mine), f"{name} on Dovecot after the way back")
    there.logout()
    here.logout()


def mistakes_are_told():
    who = state["anna"][0]
    (scratch() / "wrong").write_text("wrong\n")
    argv = state["dovecot"].import_argv(who)
    argv[argv.index(str(scratch() / "password"))] = str(scratch() / "wrong")
    for what, arguments, code, sentence in [
            ("a wrong password", argv, 1, "does not let anna in"),
            ("nobody there", state["dovecot"].import_argv(who, 9), 1, "127.0.0.1"),
            ("no such account", ["import", "mbox", "nobody@example.test", "/dev/null"], 1, "there is no account"),
            ("no Maildir", ["import", "maildir", who, "/etc"], 1, "is no Maildir"),
            ("no mbox", ["import", "mbox", who, "/nowhere"], 1, "there is no /nowhere"),
            ("an export over something else", ["export", "mbox", who, "/etc"], 1, "holds no export"),
            ("an export nobody may write", ["export", "mbox", who, "/proc/x"], 1, "cannot make")]:
        done = run([BINARY, *arguments, "--socket", state["demo"]["admin_socket"]], check=False)
        check_equal(done.returncode, code, f"{what}: {done.stderr}")
        check(sentence in done.stderr, f"{what}: {done.stderr}")
    done = run([BINARY, "export", "mbox", who, str(scratch() / "x"), "--socket", "/nowhere/admin.sock"], check=False)
    check_equal(done.returncode, 3, "no server")


def tell_figures():
    if ALL:
        print("\n".join(figures), flush=True)


harness.main(a_server_of_ours, a_dovecot_with_mail, from_dovecot_over_imap, from_dovecots_maildir, killed_in_the_middle, a_cyrus_with_mail, from_cyrus_over_imap, out_and_in_again, dovecot_reads_our_maildir, mistakes_are_told, tell_figures)

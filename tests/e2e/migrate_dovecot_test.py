# Moving in from Dovecot: over IMAP and from its Maildir, with UIDs kept; mbsync, which knows the old server, then has nothing to fetch. And out again.
# peers: dovecot
# timeout: 120
#
# By itself with --all: 20,000 messages, as docs/migrating.md says it was tried.
import imaplib
import json
import re
import subprocess
import sys

import harness
from harness import BINARY, Failed, check, check_equal, run, scratch, start, wait_for

harness.need("mbsync", "ip", "unshare")
harness.isolate()

import peers  # noqa: E402  after isolate(): in the namespace of this test

MESSAGES = 20_000 if "--all" in sys.argv else 300
CONFIG = """
protocols = imap
listen = 127.0.0.1
base_dir = /bench/run
state_dir = /bench/state
log_path = /bench/dovecot.log
ssl = no
disable_plaintext_auth = no
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

work = scratch() / "dovecot"
maildir = scratch() / "mbsync"
state = {}


def message(n):
    return f"From: a{n}@example.org\r\nTo: anna@example.org\r\nSubject: number {n}\r\nMessage-ID: <{n}@example.org>\r\n\r\nFrom the body of {n}\r\n.\r\n".encode()


class Dovecot(imaplib.IMAP4):
    def __init__(self, password="secret", user="anna", port=1143):
        super().__init__("127.0.0.1", port, timeout=60)
        self.login(user, password)

    def picture(self, mailbox):
        """What a mail program knows: UIDVALIDITY, and UID → (flags, date)."""
        check_equal(self.select(mailbox, readonly=True)[0], "OK", f"EXAMINE {mailbox}")
        validity = int(self.response("UIDVALIDITY")[1][0])
        uid_next = int(self.response("UIDNEXT")[1][0])
        got = {}
        for line in self.uid("FETCH", "1:*", "(UID FLAGS INTERNALDATE)")[1]:
            if line is None:
                continue
            flags = re.search(rb"FLAGS \(([^)]*)\)", line)[1].split()
            date = re.search(rb'INTERNALDATE "([^"]*)"', line)[1]
            got[int(re.search(rb"UID (\d+)", line)[1])] = (sorted(f for f in flags if f != b"\\Recent"), imaplib.Internaldate2tuple(b'INTERNALDATE "' + date + b'"'))
        return validity, uid_next, got


MAILBOXES = ["INBOX", "Sent", "Work.2026", "Entw&APw-rfe", "Empty"]


def a_dovecot_with_mail():
    for sub in ("mail", "state", "run"):
        (work / sub).mkdir(parents=True)
    (work / "dovecot.conf").write_text(CONFIG)
    inside = "chown -R dovecot /bench/mail && exec /usr/sbin/dovecot -F -c /bench/dovecot.conf"
    state["dovecot"] = start(peers.enter_argv("dovecot", ["sh", "-c", inside], [(work, "/bench")]), stderr=open(scratch() / "dovecot.err", "w"))

    def answers():
        try:
            return Dovecot()
        except (OSError, imaplib.IMAP4.error):
            return None
    box = wait_for("Dovecot", answers)
    for name in MAILBOXES[2:]:
        check_equal(box.create(name)[0], "OK", f"CREATE {name}")
    box.subscribe("Work.2026")
    flags = ["", "\\Seen", "\\Flagged \\Seen", "\\Answered", "\\Draft $Label1", "NonJunk \\Seen"]
    for n in range(MESSAGES):
        to = MAILBOXES[n % 4 if n % 20 < 4 else 0]
        date = f'"{1 + n % 28:02}-Feb-2024 {n % 24:02}:{n % 60:02}:00 +0000"'
        check_equal(box.append(to, flags[n % len(flags)], date, message(n))[0], "OK", f"APPEND {n}")
    # Gaps, and a UIDNEXT above the last message.
    box.select("INBOX")
    for uid in ("2:5", "11", "*"):
        box.uid("STORE", uid, "+FLAGS", "(\\Deleted)")
    box.expunge()
    box.logout()


def mbsync_config(port, user, password):
    rc = scratch() / "mbsyncrc"
    rc.write_text(f"IMAPAccount a\nHost 127.0.0.1\nPort {port}\nUser {user}\nPass \"{password}\"\nSSLType None\nAuthMechs LOGIN PLAIN\n\nIMAPStore far\nAccount a\n\n"
                  f"MaildirStore near\nPath {maildir}/\nInbox {maildir}/INBOX\nSubFolders Verbatim\n\nChannel all\nFar :far:\nNear :near:\nPatterns INBOX Sent Empty\nCreate Near\nSync All\nSyncState *\n")
    return rc


def files():
    return sorted(str(p.relative_to(maildir)) for p in maildir.rglob("*") if p.is_file() and p.parent.name in ("cur", "new"))


def mbsync_knows_the_old_server():
    maildir.mkdir()
    run(["mbsync", "-c", mbsync_config(1143, "anna", "secret"), "all"], timeout=600)
    check(len(files()) > MESSAGES // 2, "mbsync fetched from Dovecot")
    box = Dovecot()
    state["before"] = {m: box.picture(m) for m in MAILBOXES}
    box.logout()


def a_server_of_ours():
    p = start([BINARY, "demo", "--json", "--port-base", "0", "--cleartext", "--data", scratch() / "demo"], stdout=subprocess.PIPE, text=True)
    state["demo"] = json.loads(p.stdout.readline())
    check(state["demo"]["ready"], "the demo is ready")
    (scratch() / "password").write_text("secret\n")


def mansio(*argv, code=0):
    done = run([BINARY, *argv, "--socket", state["demo"]["admin_socket"], "--json"], check=False, timeout=900)
    if done.returncode != code:
        raise Failed(f"{' '.join(map(str, argv))} answered {done.returncode}: {done.stdout}{done.stderr}")
    return json.loads(done.stdout)


def new_account(name):
    return name + "@example.test", mansio("account", "add", name + "@example.test")["app_password"]


def the_same_as_before(address, secret, delimiter="/"):
    box = Dovecot(secret, address, state["demo"]["imap"])
    for m in MAILBOXES:
        check_equal(box.picture(m.replace(".", delimiter)), state["before"][m], f"{m} here and there")
    listed = b" ".join(box.lsub()[1])
    check(b"Work/2026" in listed and b"Sent" in listed, f"subscriptions came along: {listed}")
    box.logout()


def over_imap_with_uids():
    address, secret = new_account("anna")
    argv = ["import", "imap", address, "127.0.0.1", "--port", "1143", "--cleartext", "--user", "anna", "--password-file", str(scratch() / "password"), "--keep-uids"]
    total = sum(len(p[2]) for p in state["before"].values())
    report = mansio(*argv)
    check_equal((report["imported"], report["skipped"], report["renumbered"]), (total, 0, 0), "the import")
    the_same_as_before(address, secret)
    again = mansio(*argv)
    check_equal((again["imported"], again["already"]), (0, total), "importing twice")
    state["anna"] = address, secret


def mbsync_downloads_nothing_again():
    before = files()
    address, secret = state["anna"]
    rc = mbsync_config(state["demo"]["imap"], address, secret)
    done = run(["mbsync", "-V", "-c", rc, "all"], timeout=600)
    check_equal(files(), before, "the files of mbsync")
    check("far side: 0 messages" not in done.stdout, done.stdout)


def from_the_maildir_with_uids():
    address, secret = new_account("berta")
    report = mansio("import", "maildir", address, str(work / "mail" / "anna"), "--keep-uids")
    check_equal((report["skipped"], report["renumbered"]), (0, 0), f"the import: {report['problems']}")
    the_same_as_before(address, secret)
    check_equal(mansio("import", "maildir", address, str(work / "mail" / "anna"), "--keep-uids")["imported"], 0, "importing twice")


def out_and_in_again():
    for form, extra in (("maildir", ["--keep-uids"]), ("mbox", [])):
        to = scratch() / f"export-{form}"
        out = mansio("export", form, state["anna"][0], str(to))
        check_equal((out["skipped"], out["problems"]), (0, []), f"export {form}")
        address, secret = new_account(f"carla-{form}")
        report = mansio("import", form, address, str(to), *extra)
        check_equal((report["imported"], report["skipped"]), (out["exported"], 0), f"import of the exported {form}: {report['problems']}")
        if form == "maildir":
            box = Dovecot(secret, address, state["demo"]["imap"])
            check_equal(box.picture("INBOX"), state["before"]["INBOX"], "INBOX after a way through a Maildir")
            box.logout()
            check_equal(mansio("export", form, state["anna"][0], str(to))["exported"], 0, "exporting twice")


harness.main(a_dovecot_with_mail, mbsync_knows_the_old_server, a_server_of_ours, over_imap_with_uids, mbsync_downloads_nothing_again, from_the_maildir_with_uids, out_and_in_again)

# isync (mbsync) and offlineimap3 keep a Maildir beside the server: first sync, second sync a no-op, new mail, flags both ways, move, delete both ways.
# timeout: 120
# peers: clients
import os

import harness
from clients import INSIDE, Demo, maildir_listing, maildir_path, maildir_state, need_clients
from harness import check_equal, isolate, need

need("unshare")
isolate()
need_clients("mbsync", "offlineimap")
demo = Demo()


class Sync:
    """What the two programs have in common. `folder(name)`: where a mailbox's Maildir is."""

    def __init__(self, name):
        self.who = demo.person(name)
        self.mail = self.who.home / "Mail"
        self.mail.mkdir()
        self.prepare()

    def folder(self, name="INBOX"):
        return self.mail / name

    def flags(self):
        return {subject: "".join(f for f in letters if f in "DFRST") for subject, letters in maildir_listing(self.folder()).items()}

    def add_flag(self, subject, letter):
        path = maildir_path(self.folder(), subject)
        base, _, letters = path.name.partition(":2,")
        path.rename(self.folder() / "cur" / f"{base}:2,{''.join(sorted(set(letters + letter)))}")

    def round(self):
        who = self.who
        who.mail("one")
        who.mail("two")
        who.flag("two", r"\Seen")
        self.sync()
        check_equal(self.flags(), {"one": "", "two": "S"}, "after the first sync")
        check_equal(self.folder("Archive").is_dir() and self.folder("Sent").is_dir(), True, "the folders are there")
        before, server = maildir_state(self.mail), demo.cli("account", "show", who.address)
        self.sync()
        check_equal(maildir_state(self.mail), before, "the second sync changed the Maildir")
        check_equal(demo.cli("account", "show", who.address), server, "the second sync changed the server")
        who.mail("three")
        self.sync()
        check_equal(self.flags(), {"one": "", "two": "S", "three": ""}, "after new mail")
        self.add_flag("one", "F")
        who.flag("three", r"\Answered")
        self.sync()
        check_equal(who.listing(), {"one": [r"\Flagged"], "two": [r"\Seen"], "three": [r"\Answered"]}, "flags on the server")
        check_equal(self.flags(), {"one": "F", "two": "S", "three": "R"}, "flags in the Maildir")
        self.move("two", "Archive")
        self.sync()
        check_equal(who.listing(), {"one": [r"\Flagged"], "three": [r"\Answered"]}, "the server's INBOX after the move")
        check_equal(who.listing("Archive"), {"two": [r"\Seen"]}, "the server's Archive after the move")
        self.remove("one")
        who.delete("three")
        self.sync()
        self.sync()
        check_equal(who.listing(), {}, "the server's INBOX after the deletions")
        check_equal(self.flags(), {}, "the Maildir after the deletions")
        check_equal(maildir_listing(self.folder("Archive")).keys(), {"two"}, "the Maildir's Archive")

    def move(self, subject, to):
        path = maildir_path(self.folder(), subject)
        base, _, letters = path.name.partition(":2,")
        # A new name: those of both programs carry the UID of the folder it was in.
        path.rename(self.folder(to) / "cur" / f"{base.split(',')[0]}:2,{letters}")


class Isync(Sync):
    def prepare(self):
        self.rc = self.who.write("mbsyncrc", f"""
IMAPAccount far
Host localhost
Port {demo.ready["imaps"]}
User {self.who.address}
Pass "{self.who.secret}"
SSLType IMAPS
SSLVersions TLSv1.2 TLSv1.3
CertificateFile {INSIDE}/ca.pem

IMAPStore far
Account far

MaildirStore near
Path {self.who.inside}/Mail/
Inbox {self.who.inside}/Mail/INBOX
SubFolders Verbatim

Channel all
Far :far:
Near :near:
Patterns *
Create Both
Expunge Both
SyncState *
""")

    def remove(self, subject):
        self.add_flag(subject, "T")

    def sync(self):
        self.who.run("mbsync", "-c", self.rc, "-a")


class Offlineimap(Sync):
    def prepare(self):
        self.rc = self.who.write("offlineimaprc", f"""
[general]
accounts = all
ui = quiet
metadata = {self.who.inside}/state
[Account all]
localrepository = near
remoterepository = far
[Repository near]
type = Maildir
localfolders = {self.who.inside}/Mail
[Repository far]
type = IMAP
remotehost = localhost
remoteport = {demo.ready["imaps"]}
remoteuser = {self.who.address}
remotepass = {self.who.secret}
ssl = yes
sslcacertfile = {INSIDE}/ca.pem
ssl_version = tls1_2
tls_level = tls_compat
""")

    def remove(self, subject):
        maildir_path(self.folder(), subject).unlink()  # "T" would be a flag like others

    def sync(self):
        self.who.run("offlineimap", "-o", "-c", self.rc)


def isync():
    Isync("isync").round()


def offlineimap3():
    os.umask(0o077)
    Offlineimap("offlineimap").round()


harness.main(isync, offlineimap3)

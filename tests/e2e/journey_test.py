# A message's whole journey: submitted to A, found by MX, relayed over TLS to B, read by IMAP, fetched away by POP3.
# peers: nsd
# timeout: 120
import re
import time

import harness
from harness import Imap, check, check_equal, count_copies, run, scratch, wait_for
from journey import Stage

stage = Stage()
BOB = "bob@beta.example"


def swaks_and_msmtp_submit_over_tls():
    stage.swaks("ann", BOB, subject="by swaks")
    rc = scratch() / "msmtprc"
    rc.write_text(f"account default\nhost 10.77.0.1\nport 587\ntls on\ntls_starttls on\ntls_trust_file {stage.ca}\nauth plain\nuser al@alpha.example\npassword {stage.secret['al']}\nfrom al@alpha.example\n")
    rc.chmod(0o600)
    stage.host_a.run(["msmtp", "-C", rc, BOB], input="From: al@alpha.example\nTo: bob@beta.example\nSubject: by msmtp\n\n.a line with a dot\n.\nthe end\n")


def a_finds_b_by_mx_and_delivers_over_tls():
    def both():
        box = Imap(stage.b, BOB, stage.secret["bob"])
        found = box.messages()
        box.logout()
        return found if len(found) == 2 else None

    octets = dict((re.search(rb"Subject: (by \w+)", m).group(1), m) for _, m in wait_for("both messages", both))
    check(b".a line with a dot\r\n.\r\nthe end\r\n" in octets[b"by msmtp"], "dots were not restored")
    for m in octets.values():
        check(m.startswith(b"Return-Path: <a"), "Return-Path is not the first field")
        check(b"Delivered-To: bob@beta.example\r\n" in m, "Delivered-To is missing")
        check(re.search(rb"Received: from mail\.alpha\.example .*?by mx2\.beta\.example[^;]*with (UTF8)?E?SMTPS", m, re.S), b"B's Received does not say ESMTPS:\n" + m)
        check(re.search(rb"by mail\.alpha\.example[^;]*with E?SMTPSA", m, re.S), b"A's Received does not say ESMTPSA:\n" + m)
    check("TLSv1.3" in stage.b.log_text() or "TLSv1.3" in octets[b"by swaks"].decode("latin-1"), "the relay did not use TLS")


def curl_reads():
    got = run(["curl", "--silent", "--show-error", "--cacert", stage.ca, "--user", f"{BOB}:{stage.secret['bob']}", "imaps://10.77.0.2/INBOX;UID=1"]).stdout
    check("Subject: by " in got, f"curl read {got!r}")


def mbsync_twice():
    rc = scratch() / "mbsyncrc"
    maildir = scratch() / "maildir"
    maildir.mkdir()
    rc.write_text(f"""IMAPAccount b
Host mx2.beta.example
Port 993
User {BOB}
Pass {stage.secret['bob']}
SSLType IMAPS
CertificateFile {stage.ca}

IMAPStore b-remote
Account b

MaildirStore b-local
Path {maildir}/
Inbox {maildir}/INBOX
SubFolders Verbatim

Channel b
Far :b-remote:
Near :b-local:
Patterns *
Create Both
Expunge Both
SyncState *
""")

    def state():
        return sorted((str(p.relative_to(maildir)), p.read_bytes()) for p in maildir.rglob("*") if p.is_file() and p.parent.name in ("cur", "new"))

    run(["mbsync", "-c", rc, "-a"])
    first = state()
    check_equal(len(first), 2, "messages after the first run")
    check((maildir / "Sent").is_dir() and (maildir / "Trash").is_dir(), "folders were not synchronised")
    before = stage.b.cli("account", "show", BOB)
    run(["mbsync", "-c", rc, "-a"])
    check_equal(state(), first, "the second run changed the maildir")
    check_equal(stage.b.cli("account", "show", BOB), before, "the second run changed the server")


def idle_line(box, wanted, seconds=10):
    """Reads untagged lines of an IDLE until one matches."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        line = box.readline()
        if re.search(wanted, line):
            return line
    raise harness.Failed(f"IDLE did not say {wanted!r}")


def two_connections_see_each_other():
    one, two = Imap(stage.b, BOB, stage.secret["bob"]), Imap(stage.b, BOB, stage.secret["bob"])
    for box in (one, two):
        check_equal(box.select("INBOX")[0], "OK", "SELECT")
    tag = two._new_tag()
    two.send(tag + b" IDLE\r\n")
    check(two.readline().startswith(b"+"), "IDLE was not accepted")
    check_equal(one.store("1", "+FLAGS", r"(\Flagged)")[0], "OK", "STORE")
    check(rb"\Flagged" in idle_line(two, rb"^\* 1 FETCH .*FLAGS"), "the flag did not arrive")
    stage.swaks("amy", BOB, subject="while idle")
    idle_line(two, rb"^\* 3 EXISTS")
    two.send(b"DONE\r\n")
    check(idle_line(two, rb"^" + tag).split()[1] == b"OK", "IDLE did not end well")
    one.noop()  # until then it has not been told of the third message (RFC 9051 §5.2)
    check_equal(one.store("3", "+FLAGS", r"(\Deleted)")[0], "OK", "STORE")
    one.expunge()
    two.noop()
    check_equal(two.response("EXPUNGE")[1], [b"3"], "EXPUNGE as the other connection sees it")
    one.logout()
    two.logout()


def fetchmail_takes_away():
    stage.swaks("ann", "bea@beta.example", subject="to be fetched")
    wait_for("bea's message", lambda: count_copies(stage.b, "bea@beta.example", stage.secret["bea"], "to be fetched") == 1)
    rc, box = scratch() / "fetchmailrc", scratch() / "fetched"
    rc.write_text(f'poll mx2.beta.example protocol pop3 service 995 uidl user "bea@beta.example" password "{stage.secret["bea"]}" ssl sslcertck sslcertfile {stage.ca} nokeep mda "cat >> {box}"\n')
    rc.chmod(0o600)
    done = run(["fetchmail", "--fetchmailrc", rc, "--nodetach", "--nosyslog", "--pidfile", scratch() / "fetchmail.pid", "--idfile", scratch() / "fetchids"], check=False, env={**__import__("os").environ, "HOME": str(scratch())})
    check_equal(done.returncode, 0, f"fetchmail: {done.stdout}{done.stderr}")
    check("Subject: to be fetched" in box.read_text(), "fetchmail brought something else")
    check_equal(count_copies(stage.b, "bea@beta.example", stage.secret["bea"], "to be fetched"), 0, "copies left on the server")


harness.main(swaks_and_msmtp_submit_over_tls, a_finds_b_by_mx_and_delivers_over_tls, curl_reads, mbsync_twice, two_connections_see_each_other, fetchmail_takes_away)

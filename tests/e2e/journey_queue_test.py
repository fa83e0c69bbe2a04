# What happens when the way is closed: B down, names that never resolve, null MX; the first MX is dead in all of them.
# peers: nsd
# timeout: 120
import smtplib
import ssl

import harness
from harness import check, check_equal, count_copies, wait_for, Imap
from journey import Stage

stage = Stage()


def copies(name, needle):
    server = stage.a if name.startswith("a") else stage.b
    domain = "alpha" if name.startswith("a") else "beta"
    return count_copies(server, f"{name}@{domain}.example", stage.secret[name], needle)


def b_down_then_up():
    stage.b.stop()
    stage.swaks("ann", "bob@beta.example", subject="through the night")
    wait_for("a first attempt", lambda: any(m["last_reply"] != "" for m in stage.a.cli("queue", "list")["messages"]))
    (waiting,) = stage.a.cli("queue", "list")["messages"]
    shown = stage.a.cli("queue", "show", waiting["id"])
    check_equal(shown["recipients"][0]["state"], "waiting", "state while B is down")
    check(shown["recipients"][0]["last_status"].startswith("4."), f"status {shown}")
    stage.b.start()
    wait_for("the delivery", lambda: copies("bob", "through the night") == 1)
    wait_for("an empty queue", lambda: stage.a.cli("queue", "list")["total"] == 0)
    check_equal(copies("bob", "through the night"), 1, "copies")


def never_resolvable():
    stage.swaks("ann", "x@missing.beta.example", subject="into the void")
    wait_for("the notification", lambda: copies("ann", "into the void") == 1)
    box = Imap(stage.a, "ann@alpha.example", stage.secret["ann"])
    (dsn,) = [m for _, m in box.messages() if b"into the void" in m]
    box.logout()
    for part in (b"Return-Path: <>\r\n", b"multipart/report; report-type=delivery-status", b"Final-Recipient: rfc822; x@missing.beta.example", b"Status: 5.1.2", b"Action: failed", b"Auto-Submitted: auto-replied"):
        check(part in dsn.replace(b"\r\n ", b" "), f"{part} is missing in\n{dsn.decode('latin-1')}")
    check_equal(stage.a.cli("queue", "list")["total"], 0, "queue")


def a_null_mx_is_final():
    stage.swaks("ann", "x@null.beta.example", subject="nobody home")
    wait_for("the notification", lambda: copies("ann", "5.1.10") == 1)


def a_forged_answer_is_not_believed():
    """The name server says 10.77.0.2, which is B; the signature says otherwise."""
    stage.swaks("ann", "x@forged.example", subject="to the thief")
    wait_for("a first attempt", lambda: any(m["last_reply"] != "" for m in stage.a.cli("queue", "list")["messages"]))
    (waiting,) = stage.a.cli("queue", "list")["messages"]
    (recipient,) = stage.a.cli("queue", "show", waiting["id"])["recipients"]
    check_equal(recipient["state"], "waiting", f"state ({recipient})")
    check("DNSSEC" in recipient["last_reply"], f"the reason is {recipient['last_reply']!r}")
    check("to the thief" not in stage.b.log_text() and "x@forged.example" not in stage.b.log_text(), "B was asked")
    stage.a.cli("queue", "cancel", waiting["id"])


def an_unknown_user_at_b():
    stage.swaks("ann", "nobody@beta.example", subject="who is that")
    wait_for("the notification", lambda: copies("ann", "who is that") == 1)
    check_equal(copies("ann", "5.1.1 "), 1, "the other side's words")


def a_large_message_arrives_as_it_was_sent():
    text = b"From: ann@alpha.example\r\nTo: bob@beta.example\r\nSubject: large one\r\nMessage-ID: <large@alpha.example>\r\nDate: Thu, 1 Jan 2026 00:00:00 +0000\r\n\r\n" + b"".join(
        b"%07d .abcdefghijklmnopqrstuvwxyz 0123456789\r\n.\r\n" % i for i in range(100_000))
    with smtplib.SMTP_SSL("mail.alpha.example", 465, context=ssl.create_default_context(cafile=stage.ca), timeout=60) as s:
        s.login("ann@alpha.example", stage.secret["ann"])
        s.sendmail("ann@alpha.example", ["bob@beta.example"], text)
    wait_for("the large message", lambda: copies("bob", "large one") == 1)
    box = Imap(stage.b, "bob@beta.example", stage.secret["bob"])
    (got,) = [m for _, m in box.messages() if b"Subject: large one" in m]
    box.logout()
    check(got.endswith(text), "the large message changed on its way")


harness.main(b_down_then_up, never_resolvable, a_null_mx_is_final, a_forged_answer_is_not_believed, an_unknown_user_at_b, a_large_message_arrives_as_it_was_sent)

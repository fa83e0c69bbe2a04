# POP3 by poplib over TLS: UIDL stays through restarts, moves and RENAME; a kill around QUIT removes all that was marked or nothing; policies are told.
# timeout: 120
import poplib
import smtplib
import ssl
import threading
import time

import harness
from harness import Imap, check, check_equal

harness.isolate()


class NoDns:
    """Nothing here is relayed."""
    address, anchors = "127.0.0.1", []


network = harness.Network()
certificates = harness.Certificates()
server = harness.Server(network.host("alpha", 1), "alpha.example", NoDns(), certificates)
server.add_domain("alpha.example")
USER = "ann@alpha.example"
SECRET = server.add_account(USER)
MESSAGES = 40
known = {}  # UIDL → subject


def pop():
    box = poplib.POP3_SSL(server.host.address, 995, context=ssl.create_default_context(cafile=str(server.ca)), timeout=30)
    box.user(USER)
    box.pass_(SECRET)
    return box


def names(box):
    return [line.decode().split()[1] for line in box.uidl()[1]]


def deliver(first, count):
    with smtplib.SMTP_SSL(server.host.address, 465, context=ssl.create_default_context(cafile=str(server.ca)), timeout=30) as s:
        s.login(USER, SECRET)
        for n in range(first, first + count):
            s.sendmail(USER, [USER], f"From: {USER}\r\nTo: {USER}\r\nSubject: number {n}\r\nMessage-ID: <{n}@alpha.example>\r\n\r\nbody {n}\r\n.dot\r\n")
    harness.wait_for("what was delivered", lambda: count_now() == first - 1 + count)


def count_now():
    box = pop()
    try:
        return box.stat()[0]
    finally:
        box.quit()


def subject(box, number):
    return next(line for line in box.top(number, 0)[1] if line.startswith(b"Subject: ")).decode()


def compare(what):
    """Every name that is there stands for the message it always stood for."""
    box = pop()
    for number, name in enumerate(names(box), 1):
        check_equal(subject(box, number), known[name], f"{what}: {name}")
    there = set(names(box))
    box.quit()
    return there


def names_stay_through_restarts():
    deliver(1, MESSAGES)
    box = pop()
    for number, name in enumerate(names(box), 1):
        known[name] = subject(box, number)
    body = b"\r\n".join(box.retr(1)[1])
    check(body.endswith(b"body 1\r\n.dot"), f"a message: {body!r}")
    box.quit()
    check_equal(len(known), MESSAGES, "different names")
    server.stop()
    server.start()
    check_equal(compare("after a stop"), set(known), "names after a stop")
    server.restart()
    check_equal(compare("after a kill"), set(known), "names after a kill")


def names_stay_through_rename_and_move():
    imap = Imap(server, USER, SECRET)
    check_equal(imap.rename("INBOX", "Old")[0], "OK", "RENAME INBOX")
    check_equal(count_now(), 0, "messages after RENAME INBOX")
    imap.select("Old")
    check_equal(imap.uid("MOVE", "1:*", "INBOX")[0], "OK", "MOVE back")
    imap.logout()
    check_equal(compare("after RENAME and MOVE"), set(known), "names after RENAME and MOVE")


def a_kill_around_quit_removes_all_or_nothing():
    for delay in (0.0, 0.001, 0.003, 0.006, 0.02):
        before = compare("before a kill")
        box = pop()
        there = names(box)
        marked = there[:4]
        for number in range(1, 5):
            box.dele(number)
        killer = threading.Timer(delay, server.kill)
        killer.start()
        answered = False
        try:
            answered = box.quit().startswith(b"+OK")
        except (OSError, poplib.error_proto, EOFError):
            pass
        killer.join()
        server.start()
        after = compare("after a kill around QUIT")
        check(after in (before, before - set(marked)), f"{len(before)} messages, 4 marked, {len(after)} left")
        check(not answered or after == before - set(marked), "QUIT was answered and the messages came back")


def one_session_at_a_time():
    first = pop()
    try:
        pop()
        check(False, "two sessions had one maildrop")
    except poplib.error_proto as e:
        check("[IN-USE]" in str(e), f"the second was told {e}")
    first.close()  # without QUIT
    end = time.monotonic() + 20
    while True:
        try:
            pop().quit()
            break
        except poplib.error_proto as e:
            check("[IN-USE]" in str(e) and time.monotonic() < end, f"after a lost connection: {e}")


def policies_are_told_and_kept():
    server.cli("account", "set", USER, "--pop3-keep", "until-fetched")
    shown = server.cli("account", "show", USER)
    check_equal((shown["pop3_keep"], shown["pop3_keep_from"], shown["pop3_login_delay"]), ("until-fetched", "account", 0), "account show")
    box = pop()
    check_equal(box.capa()["EXPIRE"], ["0"], "EXPIRE")
    left = box.stat()[0]
    box.retr(1)
    box.quit()
    check_equal(count_now(), left - 1, "what was fetched goes at QUIT")
    server.cli("domain", "set", "alpha.example", "--pop3-keep", "30-days", "--pop3-login-delay", "3600")
    server.cli("account", "set", USER, "--pop3-keep", "default")
    pop().quit()
    server.restart()
    try:
        pop()
        check(False, "the delay was forgotten")
    except poplib.error_proto as e:
        check("[LOGIN-DELAY]" in str(e), f"too early: {e}")
    anonymous = poplib.POP3_SSL(server.host.address, 995, context=ssl.create_default_context(cafile=str(server.ca)), timeout=30)
    capa = anonymous.capa()
    check_equal((capa["EXPIRE"], capa["LOGIN-DELAY"]), (["30", "USER"], ["3600", "USER"]), "CAPA before sign-in")
    anonymous.quit()


harness.main(names_stay_through_restarts, names_stay_through_rename_and_move, a_kill_around_quit_removes_all_or_nothing, one_session_at_a_time, policies_are_told_and_kept)

# TLS faces speak 1.2 and up only; a password sent in clear is refused on 143, 110 and 587 unless the demo was told --cleartext.
# timeout: 60
import imaplib
import json
import os
import poplib
import signal
import smtplib
import subprocess

import harness
from harness import BINARY, check, check_equal, isolate, need, run, scratch, start

need("sslscan")
isolate()


def demo(*extra):
    p = start([BINARY, "demo", "--json", "--port-base", "0", "--data", scratch() / f"demo{len(extra)}", *extra], stdout=subprocess.PIPE, text=True)
    ready = json.loads(p.stdout.readline())
    check(ready["ready"], f"demo: {ready}")
    return p, ready


process, ready = demo()
alice = ready["accounts"][0]
user, secret = alice["address"], alice["app_password"]


def sslscan_finds_only_tls_1_2_and_up():
    for face in ("submissions", "imaps", "pop3s"):
        report = run(["sslscan", "--no-colour", "--no-check-certificate", f"127.0.0.1:{ready[face]}"]).stdout
        for version, state in (("SSLv2", "disabled"), ("SSLv3", "disabled"), ("TLSv1.0", "disabled"), ("TLSv1.1", "disabled"), ("TLSv1.2", "enabled"), ("TLSv1.3", "enabled")):
            check(any(line.split()[:2] == [version, state] for line in report.splitlines()), f"{face}: {version} is not {state}\n{report}")
        weak = [line for line in report.splitlines() if line.startswith(("Accepted", "Preferred")) and ("TLSv1.2" in line) and not ("ECDHE" in line and ("GCM" in line or "CHACHA20" in line))]
        check_equal(weak, [], f"{face}: suites that are not ECDHE with AEAD")


def a_password_in_clear_is_refused():
    box = imaplib.IMAP4("127.0.0.1", ready["imap"])
    check("LOGINDISABLED" in box.capabilities, f"IMAP offers {box.capabilities}")
    check(not any(c.startswith("AUTH=") for c in box.capabilities), "AUTH= is offered in clear")
    kind, words = login_raw(box)
    check_equal(kind, "NO", "LOGIN in clear")
    check(b"PRIVACYREQUIRED" in words, f"LOGIN in clear said {words}")
    pop = poplib.POP3("127.0.0.1", ready["pop3"])
    try:
        pop.user(user)
        pop.pass_(secret)
        raise harness.Failed("POP3 took a password in clear")
    except poplib.error_proto:
        pass
    smtp = smtplib.SMTP("127.0.0.1", ready["submission"])
    smtp.ehlo()
    check(not smtp.has_extn("auth"), "AUTH is offered in clear on 587")
    code, words = smtp.docmd("AUTH PLAIN", "AGEAYg==")
    check_equal(code, 538, f"AUTH in clear ({words})")


def login_raw(box):
    tag = box._new_tag()
    box.send(tag + f' LOGIN "{user}" "{secret}"\r\n'.encode())
    while True:
        line = box.readline()
        if line.startswith(tag):
            return line.split()[1].decode(), line


def after_starttls_it_is_taken():
    import ssl
    context = ssl.create_default_context(cafile=ready["ca"])
    context.check_hostname = True
    box = imaplib.IMAP4("127.0.0.1", ready["imap"])
    box.starttls(context)
    box.login(user, secret)
    pop = poplib.POP3("127.0.0.1", ready["pop3"])
    pop.stls(context)
    pop.user(user)
    pop.pass_(secret)
    smtp = smtplib.SMTP("127.0.0.1", ready["submission"])
    smtp.starttls(context=context)
    smtp.login(user, secret)


def the_portal_password_opens_no_mail_protocol():
    import ssl
    context = ssl.create_default_context(cafile=ready["ca"])
    replies = set()
    for word in (alice["portal_password"], "mn_wrong", "x"):
        box = imaplib.IMAP4_SSL("127.0.0.1", ready["imaps"], ssl_context=context)
        try:
            box.login(user, word)
            raise harness.Failed("IMAP took it")
        except imaplib.IMAP4.error as e:
            replies.add(str(e))
    check_equal(len(replies), 1, f"different words: {replies}")


def cleartext_only_where_the_demo_was_told():
    process.send_signal(signal.SIGTERM)
    check_equal(process.wait(timeout=40), 0, "the demo after SIGTERM")
    _, clear = demo("--cleartext")
    box = imaplib.IMAP4("127.0.0.1", clear["imap"])
    box.login(clear["accounts"][0]["address"], clear["accounts"][0]["app_password"])


harness.main(sslscan_finds_only_tls_1_2_and_up, a_password_in_clear_is_refused, after_starttls_it_is_taken, the_portal_password_opens_no_mail_protocol, cleartext_only_where_the_demo_was_told)

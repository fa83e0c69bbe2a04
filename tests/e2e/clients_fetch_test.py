# Programs that take mail away or look at it and go: fetchmail, getmail6, curl, Python's imaplib and poplib. Each its usual round over TLS.
# timeout: 120
# peers: clients
import poplib
import re
import ssl

import harness
from clients import INSIDE, Demo, need_clients
from harness import check, check_equal, isolate, need

need("unshare")
isolate()
need_clients("fetchmail", "getmail", "curl")
demo = Demo()


def mbox_subjects(path):
    return re.findall(r"^Subject: (.*)$", path.read_text(), re.M) if path.exists() else []


def fetchmail_by_both_protocols():
    """First what is there (kept), then nothing, then only the new one; at last it takes all away. Code 1 says: no mail."""
    for protocol, port, uidl in (("pop3", "pop3s", "uidl"), ("imap", "imaps", "")):
        who = demo.person(f"fetchmail-{protocol}")
        fetched = who.home / "fetched"

        def fetch(keep, codes):
            rc = who.write("fetchmailrc", f'poll localhost protocol {protocol} service {demo.ready[port]} {uidl} user "{who.address}" password "{who.secret}" ssl sslcertck '
                           f'sslcertfile {INSIDE}/ca.pem {keep} mda "cat >> {who.inside}/fetched"\n')
            # IMAP's way of knowing what is new is \Seen.
            who.run("fetchmail", "--fetchmailrc", rc, "--nodetach", "--nosyslog", "--pidfile", f"{who.inside}/pid", "--idfile", f"{who.inside}/ids", codes=codes)

        who.mail("one")
        who.mail("two")
        fetch("keep", (0,))
        check_equal(mbox_subjects(fetched), ["one", "two"], f"{protocol}: first")
        fetch("keep", (1,))
        check_equal(mbox_subjects(fetched), ["one", "two"], f"{protocol}: second")
        who.mail("three")
        fetch("keep", (0,))
        check_equal(mbox_subjects(fetched), ["one", "two", "three"], f"{protocol}: new mail")
        check_equal(set(who.listing()), {"one", "two", "three"}, f"{protocol}: kept on the server")
        who.mail("four")
        fetch("nokeep", (0,))
        check_equal(mbox_subjects(fetched)[-1], "four", f"{protocol}: taken away")
        check("four" not in who.listing(), f"{protocol}: four is still on the server")


def getmail6_by_both_protocols():
    for protocol, retriever, port in (("pop3", "SimplePOP3SSLRetriever", "pop3s"), ("imap", "SimpleIMAPSSLRetriever", "imaps")):
        who = demo.person(f"getmail-{protocol}")
        fetched = who.home / "fetched"

        def fetch(delete):
            rc = who.write("getmailrc", f"[retriever]\ntype = {retriever}\nserver = localhost\nport = {demo.ready[port]}\nusername = {who.address}\npassword = {who.secret}\n"
                           f"ca_certs = {INSIDE}/ca.pem\n[destination]\ntype = MDA_external\npath = /bin/sh\n"
                           f'arguments = ("-c", "cat >> {who.inside}/fetched")\nallow_root_commands = true\n'  # the only user a namespace of a plain user has
                           f"[options]\nread_all = false\ndelete = {delete}\n")
            who.run("getmail", "--getmaildir", who.inside, "--rcfile", rc)

        who.mail("one")
        who.mail("two")
        fetch("false")
        check_equal(mbox_subjects(fetched), ["one", "two"], f"{protocol}: first")
        fetch("false")
        check_equal(mbox_subjects(fetched), ["one", "two"], f"{protocol}: second")
        who.mail("three")
        fetch("false")
        check_equal(mbox_subjects(fetched), ["one", "two", "three"], f"{protocol}: new mail")
        check_equal(set(who.listing()), {"one", "two", "three"}, f"{protocol}: kept on the server")
        who.mail("four")
        fetch("true")
        check_equal(mbox_subjects(fetched)[-1], "four", f"{protocol}: taken away")
        check("four" not in who.listing(), f"{protocol}: four is still on the server")


def curl_by_url():
    who = demo.person("curl")
    who.mail("one")
    base = f"imaps://localhost:{demo.ready['imaps']}"

    def curl(path, *more):
        return who.run("curl", "-sS", "--cacert", f"{INSIDE}/ca.pem", "-u", f"{who.address}:{who.secret}", *more, base + path)

    check('"/" INBOX' in curl("/") and "Archive" in curl("/"), "curl lists no mailboxes")
    check("Subject: one" in curl("/INBOX;UID=1"), "curl reads nothing")
    check_equal(curl("/INBOX;UID=1"), curl("/INBOX;UID=1"), "the second look")
    check("Subject: one" in curl("/INBOX;UID=1;SECTION=HEADER.FIELDS%20(SUBJECT)"), "curl reads no section")
    who.write("new.eml", "From: a@example.test\r\nSubject: two\r\n\r\nBy curl.\r\n")
    curl("/INBOX", "-T", f"{who.inside}/new.eml")
    check("* SEARCH 2" in curl("/INBOX?SUBJECT%20two"), "curl does not find what it brought")
    curl("/INBOX", "-X", r"STORE 2 +FLAGS (\Flagged)")
    check_equal(who.listing()["two"][0], r"\Flagged", "curl's flag")
    curl("/INBOX", "-X", "MOVE 2 Archive")
    check_equal((set(who.listing()), set(who.listing("Archive"))), ({"one"}, {"two"}), "curl's move")
    curl("/INBOX", "-X", r"STORE 1 +FLAGS.SILENT (\Deleted)")
    curl("/INBOX", "-X", "EXPUNGE")
    check_equal(who.listing(), {}, "curl's deletion")
    who.mail("by pop")
    pop = f"pop3s://localhost:{demo.ready['pop3s']}/1"
    check("Subject: by pop" in who.run("curl", "-sS", "--cacert", f"{INSIDE}/ca.pem", "-u", f"{who.address}:{who.secret}", pop), "curl reads nothing by POP3")


def python_imaplib():
    who = demo.person("imaplib")
    box = who.box
    check("IMAP4REV1" in box.capabilities, "imaplib wants IMAP4rev1")
    check_equal(box.select("INBOX"), ("OK", [b"0"]), "an empty INBOX")
    check_equal(box.append("INBOX", r"(\Draft)", None, b"Subject: one\r\n\r\nHello.\r\n")[0], "OK", "APPEND")
    box.noop()
    check_equal(box.search(None, "DRAFT")[1], [b"1"], "SEARCH")
    check_equal(box.fetch("1", "(RFC822)")[1][0][1], b"Subject: one\r\n\r\nHello.\r\n", "FETCH")
    who.mail("two")
    check_equal(box.noop()[0], "OK", "NOOP")
    check_equal(box.response("EXISTS")[1][-1], b"2", "new mail")
    check_equal(box.store("2", "+FLAGS", r"(\Flagged)")[0], "OK", "STORE")
    check_equal(box.uid("MOVE", "2", "Archive")[0], "OK", "MOVE")
    check_equal(box.copy("1", "Trash")[0], "OK", "COPY")
    check_equal(box.store("1", "+FLAGS.SILENT", r"(\Deleted)")[0], "OK", "STORE")
    box.response("EXPUNGE")  # what MOVE said
    check_equal(box.expunge(), ("OK", [b"1"]), "EXPUNGE")
    check_equal((who.listing(), who.listing("Archive"), set(who.listing("Trash"))), ({}, {"two": [r"\Flagged"]}, {"one"}), "what is where")
    # UTF8=ACCEPT: names in UTF-8, in quotes (RFC 6855 §3).
    box.close()
    check_equal(box.enable("UTF8=ACCEPT")[0], "OK", "ENABLE")
    check_equal(box.create('"Entwürfe"')[0], "OK", "CREATE")
    check_equal(box.select('"Entwürfe"')[0], "OK", "SELECT")


def python_poplib():
    who = demo.person("poplib")
    who.mail("one")
    who.mail("two")

    def connect():
        pop = poplib.POP3_SSL("localhost", demo.ready["pop3s"], context=ssl.create_default_context(cafile=demo.ready["ca"]), timeout=30)
        pop.user(who.address)
        pop.pass_(who.secret)
        return pop

    pop = connect()
    check_equal(pop.stat()[0], 2, "STAT")
    ids = pop.uidl()[1]
    check(b"Subject: one" in pop.retr(1)[1], "RETR")
    check_equal(pop.top(2, 0)[1][-1], b"", "TOP")
    pop.quit()
    pop = connect()
    check_equal(pop.uidl()[1], ids, "UIDL the second time")
    pop.dele(1)
    pop.rset()
    pop.dele(2)
    pop.quit()
    who.mail("three")
    pop = connect()
    check_equal(pop.uidl()[1][0], ids[0], "UIDL after a deletion")
    check_equal(pop.stat()[0], 2, "STAT after new mail")
    pop.quit()
    check_equal(set(who.listing()), {"one", "three"}, "what IMAP sees")


harness.main(fetchmail_by_both_protocols, getmail6_by_both_protocols, curl_by_url, python_imaplib, python_poplib)

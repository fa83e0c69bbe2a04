# Signatures, seals and SPF of ours against dkimpy, OpenDKIM and pyspf, both ways where they can: what one makes the other takes, and what is changed neither does.
# timeout: 120
import base64
import pathlib
import subprocess
import sys

import harness
from harness import BINARY, check, check_equal, need, scratch

need("openssl", "/usr/sbin/opendkim-testmsg")
try:
    import dkim
    import spf
except ImportError as e:
    sys.exit(f"sender_oracles_test: {e}: apt-get install python3-dkim python3-spf python3-nacl")

ORACLE = str(pathlib.Path(BINARY).parent / "e2e" / "sender_oracle")
DIR = pathlib.Path(scratch())
MESSAGE = (
    b"From: Alice <alice@example.test>\r\nTo: Bob <bob@there.test>\r\nSubject: a  long\r\n subject\r\nDate: Mon, 23 Nov 2026 10:00:00 +0000\r\n"
    b"Message-ID: <1@example.test>\r\nMIME-Version: 1.0\r\nContent-Type: text/plain\r\n\r\nHello  Bob, \r\n\r\nall is well.\t\r\n\r\n\r\n"
)


def shell(*args, stdin=b""):
    done = subprocess.run(args, input=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60, check=False)
    check(done.returncode == 0, f"{args}: exit {done.returncode}: {done.stderr.decode(errors='replace')}")
    return done.stdout


def make_key(name, *how):
    pem = DIR / f"{name}.pem"
    shell("openssl", "genpkey", "-out", str(pem), *how)
    return pem


RSA = make_key("rsa", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048")
ED25519 = make_key("ed25519", "-algorithm", "ed25519")


def public_der(pem):
    return shell("openssl", "pkey", "-in", str(pem), "-pubout", "-outform", "DER")


def b64(octets):
    return base64.b64encode(octets).decode()


DNS = {
    "r1._domainkey.example.test.": f"v=DKIM1; k=rsa; p={b64(public_der(RSA))}",
    "e1._domainkey.example.test.": f"v=DKIM1; k=ed25519; p={b64(public_der(ED25519)[-32:])}",
    "r1._domainkey.list.test.": f"v=DKIM1; k=rsa; p={b64(public_der(RSA))}",
}
DNS_FILE = DIR / "dns"
DNS_FILE.write_text("".join(f"TXT\t{name.rstrip('.')}\t{value}\n" for name, value in DNS.items()))


def dns(name, timeout=5):
    return DNS.get(name.decode().lower(), "").encode() or None


def ours(what, *args, stdin=MESSAGE):
    return shell(ORACLE, what, *map(str, args), stdin=stdin)


def we_say(message):
    return ours("verify", DNS_FILE, stdin=message).decode().split("\n")[0].split(" ")[0]


def changed(message):
    return message.replace(b"all is well", b"all is lost")


def traditional(pem):
    return shell("openssl", "rsa", "-in", str(pem), "-traditional")


def ed25519_seed():
    return b64(shell("openssl", "pkey", "-in", str(ED25519), "-outform", "DER")[-32:]).encode()


def what_we_sign_dkimpy_takes():
    for key, selector in ((RSA, "r1"), (ED25519, "e1")):
        message = ours("sign", key, selector, "example.test")
        check(dkim.verify(message, dnsfunc=dns), f"dkimpy refuses our signature with {selector}")
        check(not dkim.verify(changed(message), dnsfunc=dns), f"dkimpy takes a changed message with {selector}")


def what_dkimpy_signs_we_take():
    for canonical in ((b"relaxed", b"simple"), (b"relaxed", b"relaxed"), (b"simple", b"simple"), (b"simple", b"relaxed")):
        message = dkim.sign(MESSAGE, b"r1", b"example.test", traditional(RSA), canonicalize=canonical) + MESSAGE
        check_equal(we_say(message), "pass", f"dkimpy's {canonical}")
        check_equal(we_say(changed(message)), "fail", f"dkimpy's {canonical}, changed")
    message = dkim.sign(MESSAGE, b"e1", b"example.test", ed25519_seed(), signature_algorithm=b"ed25519-sha256") + MESSAGE
    check_equal(we_say(message), "pass", "dkimpy's Ed25519")


def what_opendkim_signs_with_sha1_we_do_not_believe():
    # Its test program knows no other hash (RFC 8301 §3.1).
    message = shell("/usr/sbin/opendkim-testmsg", "-C", "-d", "example.test", "-k", str(RSA), "-s", "r1", "-t", str(DIR), stdin=MESSAGE)
    check(b"a=rsa-sha1" in message, f"opendkim-testmsg signed otherwise: {message[:200]}")
    check_equal(we_say(message), "policy", "OpenDKIM's SHA-1")


def chains_of_both():
    results = "mx.list.test; dmarc=pass header.from=example.test"
    ours_first = ours("seal", DNS_FILE, RSA, "r1", "list.test", results)
    verdict = dkim.arc_verify(ours_first, dnsfunc=dns)[0]
    check_equal(verdict, b"pass", "dkimpy on our first seal")
    signed = b"Authentication-Results: list.test; spf=pass smtp.mfrom=example.test\r\n" + MESSAGE
    theirs = b"".join(dkim.arc_sign(signed, b"r1", b"list.test", traditional(RSA), b"list.test", timestamp=1767225600)) + signed
    check_equal(ours("arc", DNS_FILE, stdin=theirs).decode().split(" ")[:2], ["pass", "1"], "our view of dkimpy's first seal")
    second = ours("seal", DNS_FILE, RSA, "r1", "example.test", "mx.example.test; arc=pass", stdin=theirs)
    check_equal(dkim.arc_verify(second, dnsfunc=dns)[0], b"pass", "dkimpy on our seal over its own")
    check_equal(ours("arc", DNS_FILE, stdin=second).decode().split(" ")[:2], ["pass", "2"], "our own view of both")
    check_equal(dkim.arc_verify(changed(second), dnsfunc=dns)[0], b"fail", "dkimpy on a changed message")
    check_equal(ours("arc", DNS_FILE, stdin=changed(second)).decode().split(" ")[0], "fail", "our view of a changed message")


SPF_ZONE = {
    ("TXT", "a.test"): ["v=spf1 ip4:192.0.2.0/28 ip6:2001:db8::/32 -all"],
    ("TXT", "b.test"): ["v=spf1 a mx include:a.test ~all"],
    ("A", "b.test"): ["198.51.100.1"],
    ("MX", "b.test"): ["10 mail.b.test"],
    ("A", "mail.b.test"): ["198.51.100.2"],
    ("TXT", "c.test"): ["v=spf1 redirect=a.test"],
    ("TXT", "d.test"): ["v=spf1 exists:%{ir}.%{l1r-}.ok.d.test ?all"],
    ("A", "9.2.0.192.bob.ok.d.test"): ["127.0.0.2"],
    ("TXT", "e.test"): ["v=spf1 include:nothing.test -all"],
    ("TXT", "f.test"): ["v=spf1 -all", "v=spf1 +all"],
    ("TXT", "g.test"): ["v=spf1 ip4:192.0.2.300 -all"],
    ("TXT", "h.test"): ["v=spf1 include:h.test -all"],
}


def spf_alike():
    file = DIR / "spf"
    file.write_text("".join(f"{t}\t{n}\t{v}\n" for (t, n), values in SPF_ZONE.items() for v in values))

    def lookup(name, qtype, *rest, **more):
        found = SPF_ZONE.get((qtype, name.rstrip(".").lower()), [])
        for v in found:
            if qtype == "TXT":
                yield (name, qtype), (v.encode(),)
            elif qtype == "MX":
                yield (name, qtype), (int(v.split()[0]), v.split()[1])
            else:
                yield (name, qtype), v

    spf.DNSLookup = lookup
    compared = 0
    for domain in [d for (t, d) in SPF_ZONE if t == "TXT"] + ["nothing.test"]:
        for client in ("192.0.2.9", "192.0.2.99", "198.51.100.1", "198.51.100.2", "2001:db8::1"):
            for local in ("bob", "carol"):
                theirs = spf.check2(i=client, s=f"{local}@{domain}", h="mail.test")[0]
                mine = ours("spf", file, client, "mail.test", f"{local}@{domain}", stdin=b"").decode().strip()
                check_equal(mine, theirs, f"{client} {local}@{domain}")
                compared += 1
    print(f"{compared} answers compared with pyspf")


harness.main(what_we_sign_dkimpy_takes, what_dkimpy_signs_we_take, what_opendkim_signs_with_sha1_we_do_not_believe, chains_of_both, spf_alike)

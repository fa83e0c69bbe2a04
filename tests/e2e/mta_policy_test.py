# TLS by destination (docs/delivery.md): TLSA records right, wrong, absent, forged, of a CA; a server that says it has no TLS. The DNS is nsd with signed
# zones, the good server is another Mansio, the one without TLS a sink of this test that notes every line.
# peers: nsd
# timeout: 120
import hashlib
import re
import sys

import harness
from harness import Certificates, Network, Nsd, Server, check, check_equal, count_copies, hosts, isolate, need, run, scratch, wait_for

SINK = r"""
import socketserver, sys
class Sink(socketserver.StreamRequestHandler):
    def handle(self):
        say = lambda s: self.wfile.write(s + b"\r\n")
        say(b"220 sink")
        data = False
        for line in self.rfile:
            with open(sys.argv[2], "ab") as heard: heard.write(line)
            verb = line[:4].upper()
            if data:
                if line == b".\r\n": data = False; say(b"250 taken")
            elif verb == b"DATA": data = True; say(b"354 go on")
            elif verb == b"QUIT": return say(b"221 bye")
            else: say(b"250 ok")
class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
Server((sys.argv[1], 25), Sink).serve_forever()
"""


class KeptCertificates(Certificates):
    """Asked twice for a name it gives the same, with the CA behind it: TLSA records are made before the server that shows it."""

    def make(self, *names):
        if not (self.dir / f"{names[0]}.pem").exists():
            super().make(*names)
            with open(self.dir / f"{names[0]}.pem", "a") as chain:
                chain.write(self.ca.read_text())
        return f"{self.dir / names[0]}.pem", f"{self.dir / names[0]}.key"


class Zones(Nsd):
    """Changes the TLSA records of `bogus.example` behind the signature's back."""

    def sign(self, name):
        ds = super().sign(name)
        if name == "bogus.example":
            signed = self.work / f"{name}.signed"
            before = signed.read_text()
            after = re.sub(r"(\sTLSA\s+3\s+1\s+1\s+)(\w)", lambda m: m[1] + ("1" if m[2] == "0" else "0"), before)
            check(after != before, "no TLSA record to forge")
            signed.write_text(after)
        return ds


def digest(*words):
    der = scratch() / "record.der"
    run(["openssl", *words, "-outform", "DER", "-out", der])
    return hashlib.sha256(der.read_bytes()).hexdigest()


class Stage:
    def __init__(self):
        need("swaks", "openssl", "ip", "unshare", "nsenter")
        isolate()
        hosts({"mail.alpha.example": "10.77.0.1", "mx2.beta.example": "10.77.0.2"})
        network = Network()
        self.host_a, host_b, host_c = network.host("a", 1), network.host("b", 2), network.host("c", 3)
        certificates = KeptCertificates()
        leaf, _ = certificates.make("mx2.beta.example", "10.77.0.2")
        public = scratch() / "public.pem"
        public.write_text(run(["openssl", "x509", "-in", leaf, "-noout", "-pubkey"]).stdout)
        key = digest("pkey", "-pubin", "-in", public)
        ca = digest("x509", "-in", certificates.ca)
        wrong = hashlib.sha256(b"another key").hexdigest()
        to_b, to_sink = "@ MX 10 mx\nmx A 10.77.0.2\n", "@ MX 10 mx\nmx A 10.77.0.3\n"
        dns = Zones("10.77.0.254", {
            "alpha.example": "@ MX 10 mail\nmail A 10.77.0.1",
            "beta.example": f"mx2 A 10.77.0.2\n_25._tcp.mx2 TLSA 2 0 1 {ca}",
            "right.example": f"{to_b}_25._tcp.mx TLSA 3 1 1 {key}",
            "wrong.example": f"{to_b}_25._tcp.mx TLSA 3 1 1 {wrong}",
            "absent.example": to_b,
            "bogus.example": f"{to_b}_25._tcp.mx TLSA 3 1 1 {key}",
            # The CA's record for a name its certificate does not bear, and for one it does.
            "othername.example": f"{to_b}_25._tcp.mx TLSA 2 0 1 {ca}",
            "byca.example": "@ MX 10 mx2.beta.example.",
            # The first server has the wrong key, the second the right one.
            "second.example": f"@ MX 10 mx\n@ MX 20 good\nmx A 10.77.0.2\ngood A 10.77.0.2\n_25._tcp.mx TLSA 3 1 1 {wrong}\n_25._tcp.good TLSA 3 1 1 {key}",
            "notls.example": f"{to_sink}_25._tcp.mx TLSA 3 1 1 {key}",
            "plain.example": to_sink,
        })
        quick = {"queue_first_retry": 60, "relay_connect_wait": 5}
        self.a = Server(self.host_a, "mail.alpha.example", dns, certificates, quick)
        self.b = Server(host_b, "mx2.beta.example", dns, certificates, quick)
        self.heard = scratch() / "sink-heard"
        self.heard.touch()
        (scratch() / "sink.py").write_text(SINK)
        host_c.start([sys.executable, scratch() / "sink.py", host_c.address, self.heard])
        self.a.add_domain("alpha.example")
        self.ann = self.a.add_account("ann@alpha.example")
        self.secret = {}
        for domain in ("right", "wrong", "absent", "bogus", "othername", "byca", "second"):
            self.b.add_domain(f"{domain}.example")
            self.secret[domain] = self.b.add_account(f"bob@{domain}.example")
        self.ca = str(certificates.ca)

    def send(self, domain):
        self.host_a.run(["swaks", "--server", "10.77.0.1:465", "--tls-on-connect", "--tls-verify", "--tls-ca-path", self.ca, "--auth", "PLAIN", "--auth-user", "ann@alpha.example",
                         "--auth-password", self.ann, "--from", "ann@alpha.example", "--to", f"bob@{domain}.example", "--header", f"Subject: to {domain}", "--timeout", "30"])

    def arrived(self, domain):
        self.send(domain)
        wait_for(f"the mail to {domain}", lambda: count_copies(self.b, f"bob@{domain}.example", self.secret[domain], f"to {domain}") == 1)

    def waits(self, domain, status, words):
        """Deferred with these words, and still ours."""
        self.send(domain)

        def tried():
            for m in self.a.cli("queue", "list")["messages"]:
                (one,) = self.a.cli("queue", "show", m["id"])["recipients"]
                if one["address"] == f"bob@{domain}.example" and one["last_status"]:
                    return one
            return None

        one = wait_for(f"an attempt for {domain}", tried)
        check_equal((one["state"], one["last_status"]), ("waiting", status), f"what became of the mail to {domain} ({one['last_reply']})")
        check(words in one["last_reply"], f"the operator reads {one['last_reply']!r}, not {words!r}")


stage = Stage()


def relayed(host):
    """The log's words about connections to an MX."""
    return [line for line in stage.a.log_text().splitlines() if "relay_tls " in line and host in line]


def logged(host, words):
    """Said at the conversation's end, which may come after the mail is there."""
    wait_for(f"the log to say {words} of {host}", lambda: any(words in line for line in relayed(host)))


def right_records_are_verified():
    stage.arrived("right")
    logged("mx.right.example", "verified=tlsa")


def absent_records_are_not_missed():
    stage.arrived("absent")
    logged("mx.absent.example", "policy=no-policy-found")


def a_ca_named_by_a_record():
    stage.arrived("byca")
    logged("mx2.beta.example", "verified=tlsa")
    stage.waits("othername", "4.7.5", "the certificate of mx.othername.example is not verified")


def a_wrong_record_keeps_the_mail():
    stage.waits("wrong", "4.7.5", "(DANE)")
    check_equal(count_copies(stage.b, "bob@wrong.example", stage.secret["wrong"], "to wrong"), 0, "copies that came all the same")


def the_next_server_is_tried():
    stage.arrived("second")
    logged("good.second.example", "verified=tlsa")


def a_forged_record_keeps_the_mail():
    stage.waits("bogus", "4.7.5", "while the DNS does not say")
    check_equal(relayed("mx.bogus.example"), [], "connections to a server whose records are forged")


def nothing_is_said_in_clear_where_tls_was_promised():
    stage.waits("notls", "4.7.4", "offers no TLS (STARTTLS)")
    check(b"MAIL" not in stage.heard.read_bytes(), f"the sink heard {stage.heard.read_bytes()!r}")
    stage.send("plain")
    wait_for("the mail in clear where nothing was promised", lambda: b"Subject: to plain" in stage.heard.read_bytes())
    check(b"to notls" not in stage.heard.read_bytes(), "the promised one came in clear")


harness.main(right_records_are_verified, absent_records_are_not_missed, a_ca_named_by_a_record, a_wrong_record_keeps_the_mail, the_next_server_is_tried,
             a_forged_record_keeps_the_mail, nothing_is_said_in_clear_where_tls_was_promised)

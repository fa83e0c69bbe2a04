# A certificate from an ACME authority (pebble): issued by both challenges, renewed in time, and changed under open connections; files changed by SIGHUP; what the
# web over TLS tells programs and other servers.
# timeout: 240
# peers: pebble
import imaplib
import json
import signal
import socket
import ssl
import urllib.request

import harness
import peers
from harness import BINARY, Certificates, Failed, check, check_equal, isolate, need, run, scratch, start, wait_for

need("openssl", "ip", "unshare")
isolate()

NAME = "mail.example.test"
NAMES = [NAME, "mta-sts.example.test", "autoconfig.example.test"]
LIFE = 30  # seconds a certificate of this authority lasts
PEER = peers.path_of("pebble") / "usr/bin"
authority_certificates = Certificates()


def start_authority():
    if not (PEER / "pebble").exists():
        raise SystemExit("pebble is missing: ./dev setup --peers pebble makes its private root")
    cert, key = authority_certificates.make("127.0.0.1")
    config = scratch() / "pebble.json"
    config.write_text(json.dumps({"pebble": {"listenAddress": "127.0.0.1:14000", "managementListenAddress": "127.0.0.1:15000", "certificate": cert, "privateKey": key,
                                             "httpPort": 5002, "tlsPort": 5001, "ocspResponderURL": "", "externalAccountBindingRequired": False,
                                             "certificateValidityPeriod": LIFE}}))
    log = open(scratch() / "pebble.log", "w")
    start([PEER / "pebble-challtestsrv", "-defaultIPv4", "127.0.0.1", "-defaultIPv6", "", "-http01", "", "-https01", "", "-tlsalpn01", "", "-dns01", "127.0.0.1:8053",
           "-management", "127.0.0.1:8055"], stdout=log, stderr=log)
    # A fifth of all nonces is refused: a client that does not try again gets nowhere.
    start(["env", "PEBBLE_VA_NOSLEEP=1", "PEBBLE_WFE_NONCEREJECT=20", PEER / "pebble", "-config", config, "-dnsserver", "127.0.0.1:8053"], stdout=log, stderr=log)
    blind = ssl._create_unverified_context()

    def root():
        try:
            return urllib.request.urlopen("https://127.0.0.1:15000/roots/0", context=blind, timeout=5).read().decode()
        except OSError:
            return None
    text = wait_for("pebble", root)
    (scratch() / "root.pem").write_text(text)


class Mansio:
    def __init__(self, name, **sections):
        self.data = scratch() / name
        self.data.mkdir(mode=0o700)
        self.log = scratch() / f"{name}.log"
        self.config = scratch() / f"{name}.toml"
        text = f'hostname = "{NAME}"\ndata = "{self.data}"\nshards = 2\n[log]\nfile = "{self.log}"\nlevel = "debug"\n[egress]\nallow = ["127.0.0.0/8"]\n[dns]\ntrust_anchor_file = "none"\n' \
               "[limits]\nconnection_rate_per_address = 100000\n"  # it is asked for its certificate all the time
        for section, keys in sections.items():
            text += f"[{section}]\n" + "".join(f"{k} = {json.dumps(v)}\n" for k, v in keys.items())
        self.config.write_text(text)
        self.process = start([BINARY, "serve", "--config", self.config], stderr=open(scratch() / f"{name}.err", "w"))
        wait_for(f"{name} to answer", self.ready)

    def ready(self):
        if self.process.poll() is not None:
            raise Failed("it ended: " + (scratch() / f"{self.data.name}.err").read_text())
        return run([BINARY, "status", "--socket", self.data / "run/admin.sock"], check=False).returncode == 0

    def cli(self, *argv):
        return json.loads(run([BINARY, *argv, "--socket", self.data / "run/admin.sock", "--json"]).stdout)

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        check_equal(self.process.wait(timeout=40), 0, "after SIGTERM")


def trusting(ca):
    return ssl.create_default_context(cafile=str(ca))


def shown(port, ca, name=NAME):
    """The certificate that a new, verified connection sees; None while it cannot be verified."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=10) as s, trusting(ca).wrap_socket(s, server_hostname=name) as tls:
            return tls.getpeercert(binary_form=True)
    except ssl.SSLCertVerificationError:
        return None


class Session(imaplib.IMAP4_SSL):
    """A connection by address that verifies the name."""

    def __init__(self, port, ca):
        self.ca = ca
        super().__init__("127.0.0.1", port, ssl_context=trusting(ca), timeout=30)

    def _create_socket(self, timeout):
        return self.ssl_context.wrap_socket(socket.create_connection((self.host, self.port), timeout), server_hostname=NAME)


def acme(challenge):
    return {"directory": "https://127.0.0.1:14000/dir", "names": NAMES, "contacts": ["mailto:postmaster@example.test"], "challenge": challenge,
            "ca_file": str(authority_certificates.ca)}


def issued_and_renewed_by(challenge, port):
    listen = {"imaps": [f"127.0.0.1:{port}"], "https": ["127.0.0.1:5001"]}
    if challenge == "http-01":
        listen["http"] = ["127.0.0.1:5002"]
    server = Mansio(challenge, listen=listen, acme=acme(challenge), mta_sts={"mode": "enforce"})
    root = scratch() / "root.pem"
    first = wait_for("the first certificate", lambda: shown(port, root))
    for name in NAMES:
        check(shown(port, root, name) is not None, f"the certificate lacks {name}")
    if challenge == "http-01":
        tells_programs_and_servers(server, root)
    open_before = Session(port, root)
    check_equal(open_before.sock.getpeercert(binary_form=True), first, "the certificate of the open session")

    def renewed():
        check_equal(open_before.noop()[0], "OK", "NOOP while the certificate changes")
        seen = shown(port, root)
        check(seen is not None, "a connection was shown a certificate that does not verify")
        return seen != first
    wait_for("the renewal", renewed, LIFE)
    check_equal(open_before.noop()[0], "OK", "NOOP after the certificate changed")
    check_equal(open_before.sock.getpeercert(binary_form=True), first, "the open session's certificate")
    open_before.logout()
    stored = server.data / "keys/certificate.pem"
    check_equal(stored.stat().st_mode & 0o777, 0o600, "the mode of the stored certificate and key")
    words = server.log.read_text()
    check("certificate_issued" in words, "no event tells of the certificate")
    check("PRIVATE KEY" not in words, "the log holds a key")
    server.stop()


def tells_programs_and_servers(server, root):
    server.cli("domain", "add", "example.test")
    context = trusting(root)

    def get(host, path, **kwargs):
        # By address, with the right name in TLS and Host.
        with socket.create_connection(("127.0.0.1", 5001), timeout=10) as s, context.wrap_socket(s, server_hostname=host) as tls:
            body = kwargs.get("body", "")
            tls.sendall(f"{'POST' if body else 'GET'} {path} HTTP/1.1\r\nHost: {host}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n{body}".encode())
            answer = b""
            while chunk := tls.recv(65536):
                answer += chunk
        head, _, text = answer.decode().partition("\r\n\r\n")
        return int(head.split()[1]), text
    check_equal(get("mta-sts.example.test", "/.well-known/mta-sts.txt"), (200, f"version: STSv1\r\nmode: enforce\r\nmx: {NAME}\r\nmax_age: 604800\r\n"), "the MTA-STS policy")
    check_equal(get(NAME, "/.well-known/mta-sts.txt")[0], 404, "a policy under another name")
    status, xml = get("autoconfig.example.test", "/mail/config-v1.1.xml")
    check_equal(status, 200, "autoconfig")
    check("<socketType>SSL</socketType>" in xml and "STARTTLS" not in xml, xml)
    status, xml = get(NAME, "/autodiscover/autodiscover.xml", body="<Request><EMailAddress>anna@example.test</EMailAddress></Request>")
    check(status == 200 and "<LoginName>anna@example.test</LoginName>" in xml, xml)
    check_equal(get(NAME, "/mail.mobileconfig?email=anna%40example.test")[0], 200, "the Apple profile")
    with socket.create_connection(("127.0.0.1", 5002), timeout=10) as s:
        s.sendall(b"GET /.well-known/acme-challenge/../../keys/pepper HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        check(s.recv(64).startswith(b"HTTP/1.1 404"), "port 80 serves files")


def http_01():
    issued_and_renewed_by("http-01", 9931)


def tls_alpn_01():
    issued_and_renewed_by("tls-alpn-01", 9932)


def files_change_by_sighup():
    first, key = authority_certificates.make(NAME)
    server = Mansio("files", listen={"imaps": ["127.0.0.1:9933"]}, tls={"certificate": first, "key": key})
    ca = authority_certificates.ca
    before = shown(9933, ca)
    session = Session(9933, ca)
    authority_certificates.make(NAME)
    server.process.send_signal(signal.SIGHUP)
    wait_for("the new certificate", lambda: shown(9933, ca) not in (None, before))
    check_equal(session.noop()[0], "OK", "NOOP after SIGHUP")
    session.logout()
    server.stop()


def an_authority_that_is_not_trusted_is_told_of():
    settings = acme("http-01")
    del settings["ca_file"]
    server = Mansio("distrust", listen={"imaps": ["127.0.0.1:9934"], "http": ["127.0.0.1:5002"]}, acme=settings)
    wait_for("the event", lambda: "certificate_order_failed" in server.log.read_text())
    check("the server's certificate is not trusted" in server.log.read_text(), "the log does not say why")
    # Mail goes on with what there is: a certificate that nobody vouches for.
    check_equal(shown(9934, scratch() / "root.pem"), None, "the placeholder")
    server.stop()


start_authority()
harness.main(http_01, tls_alpn_01, files_change_by_sighup, an_authority_that_is_not_trusted_is_told_of)

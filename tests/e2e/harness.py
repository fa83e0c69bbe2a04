"""What end-to-end tests share: real servers in network namespaces of their own, real clients, bounded waits.

A test calls isolate() first: it re-runs itself in a network and mount namespace of its own (as a plain user in a user namespace too), so that
nothing it does reaches the machine's network. Everything it starts is stopped by pid at the end.
"""
import atexit
import ctypes
import imaplib
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.append(str(ROOT / "tools"))  # peers, also when a test is run by hand
# A plain user of Debian has no sbin in PATH, and chroot lives there.
os.environ["PATH"] = os.environ.get("PATH", "/usr/bin:/bin") + ":/usr/local/sbin:/usr/sbin:/sbin"
BINARY = os.environ.get("MANSIO_BINARY", str(ROOT / "build" / "release" / "mansio"))
NEEDED = {"swaks": "swaks", "msmtp": "msmtp", "mbsync": "isync", "fetchmail": "fetchmail", "curl": "curl", "openssl": "openssl", "ip": "iproute2", "unshare": "util-linux",
          "nsenter": "util-linux", "sslscan": "sslscan", "/usr/sbin/opendkim-testmsg": "opendkim-tools"}


class Failed(Exception):
    pass


def need(*programs):
    """A missing program is a failure that says what to install, never a skipped test."""
    for p in programs:
        if shutil.which(p) is None:
            sys.exit(f"{p} is missing: ./dev setup installs it (package {NEEDED.get(p, p)})")
    if not os.access(BINARY, os.X_OK):
        sys.exit(f"{BINARY} is missing: ./dev build makes it")


def isolate(mounts=False):
    """Re-runs this script in namespaces of its own; returns inside them."""
    if os.environ.get("MANSIO_E2E_ISOLATED") == "1":
        prctl_die_with_parent()
        subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
        return
    os.environ["MANSIO_E2E_ISOLATED"] = "1"
    flags = "-nm" if os.geteuid() == 0 else "-Urnm"
    os.execvp("unshare", ["unshare", flags, "--propagation", "private", sys.executable, *sys.argv])


def prctl_die_with_parent():
    """No process outlives the test, also when ctest kills it."""
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)


def hosts(names):
    """Names for the clients of this test alone: /etc/hosts of its own mount namespace."""
    path = scratch() / "hosts"
    path.write_text("127.0.0.1 localhost\n" + "".join(f"{address} {name}\n" for name, address in names.items()))
    run(["mount", "--bind", path, "/etc/hosts"])


_running = []
_scratch = None


def scratch():
    """A directory that goes with the test."""
    global _scratch
    if _scratch is None:
        _scratch = pathlib.Path(tempfile.mkdtemp(prefix="mansio-e2e-"))
        atexit.register(shutil.rmtree, _scratch, ignore_errors=True)
    return _scratch


@atexit.register
def stop_all():
    for p in _running:
        if p.poll() is None:
            p.kill()
    for p in _running:
        p.wait()


def start(argv, **kwargs):
    p = subprocess.Popen(argv, preexec_fn=prctl_die_with_parent, **kwargs)
    _running.append(p)
    return p


def run(argv, check=True, timeout=60, **kwargs):
    done = subprocess.run(argv, capture_output=True, text=True, timeout=timeout, stdin=subprocess.DEVNULL if "input" not in kwargs else None, **kwargs)
    if check and done.returncode != 0:
        raise Failed(f"{' '.join(map(str, argv))} answered {done.returncode}\n{done.stdout}{done.stderr}")
    return done


def wait_for(what, condition, seconds=30.0):
    """Asks until the condition holds; a condition is asked for, never slept for."""
    end = time.monotonic() + seconds
    while True:
        got = condition()
        if got:
            return got
        if time.monotonic() > end:
            raise Failed(f"waited {seconds} s in vain for {what}")
        time.sleep(0.02)


def check(condition, sentence):
    if not condition:
        raise Failed(sentence)


def check_equal(got, want, what):
    if got != want:
        raise Failed(f"{what}: got {got!r}, want {want!r}")


class Host:
    """A network namespace with one address on the test's own bridge."""

    def __init__(self, network, name, address):
        self.name, self.address = name, address
        self.holder = start(["unshare", "-n", "sleep", "infinity"])
        pid = self.holder.pid
        own = os.readlink("/proc/self/ns/net")
        wait_for(f"the namespace of {name}", lambda: os.readlink(f"/proc/{pid}/ns/net") != own)
        run(["ip", "link", "add", f"v-{name}", "type", "veth", "peer", "name", "eth0", "netns", str(pid)])
        run(["ip", "link", "set", f"v-{name}", "master", network.bridge, "up"])
        self.run(["ip", "link", "set", "lo", "up"])
        self.run(["ip", "addr", "add", f"{address}/24", "dev", "eth0"])
        self.run(["ip", "link", "set", "eth0", "up"])

    def argv(self, argv):
        return ["nsenter", "-n", "-t", str(self.holder.pid), "--", *map(str, argv)]

    def run(self, argv, **kwargs):
        return run(self.argv(argv), **kwargs)

    def start(self, argv, **kwargs):
        return start(self.argv(argv), **kwargs)


class Network:
    """A bridge that joins the hosts; the test's own namespace has .254 on it."""
    bridge = "br0"

    def __init__(self, prefix="10.77.0"):
        self.prefix = prefix
        run(["ip", "link", "add", self.bridge, "type", "bridge"])
        run(["ip", "addr", "add", f"{prefix}.254/24", "dev", self.bridge])
        run(["ip", "link", "set", self.bridge, "up"])

    def host(self, name, number):
        return Host(self, name, f"{self.prefix}.{number}")


class Certificates:
    """A CA of the test's own."""

    def __init__(self):
        self.dir = scratch() / "tls"
        self.dir.mkdir()
        self.ca = self.dir / "ca.pem"
        run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "30", "-subj", "/CN=test CA", "-keyout", self.dir / "ca.key", "-out", self.ca])

    def make(self, *names):
        base = self.dir / names[0]
        san = ",".join(("IP:" if n[0].isdigit() else "DNS:") + n for n in names)
        run(["openssl", "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", f"/CN={names[0]}", "-keyout", f"{base}.key", "-out", f"{base}.csr"])
        (self.dir / f"{names[0]}.ext").write_text(f"subjectAltName={san}\n")
        run(["openssl", "x509", "-req", "-in", f"{base}.csr", "-CA", self.ca, "-CAkey", self.dir / "ca.key", "-CAcreateserial", "-days", "30", "-extfile", f"{base}.ext", "-out", f"{base}.pem"])
        return f"{base}.pem", f"{base}.key"


class Nsd:
    """An authoritative name server from its private root, with signed zones."""

    def __init__(self, address, zones, forged=()):
        """`zones`: name → records in zone file text (without SOA and NS). All are signed; trust anchors in .anchors. `forged`: (zone, owner, address)
        whose A record is changed behind the signature's back."""
        import peers
        self.peer = peers.path_of("nsd")
        if not (self.peer / "usr/sbin/nsd").exists():
            sys.exit("nsd is missing: ./dev setup --peers nsd makes its private root")
        self.address, self.anchors = address, []
        # Inside the root, on a file system of this mount namespace's own, so that the root itself stays untouched.
        self.work = self.peer / "run" / "zones"
        run(["mount", "-t", "tmpfs", "tmpfs", self.peer / "run"])
        run(["mount", "-t", "tmpfs", "tmpfs", self.peer / "tmp"])
        # All below it too: in a namespace of a plain user what lies on top of /dev cannot be lifted off.
        run(["mount", "--rbind", "/dev", self.peer / "dev"])
        self.work.mkdir()
        for name, records in zones.items():
            self.write_zone(name, records, 1)
            self.anchors.append(self.sign(name))
        for zone, owner, wrong in forged:
            signed = self.work / f"{zone}.signed"
            before = signed.read_text()
            after = re.sub(rf"^({re.escape(owner)}\.{re.escape(zone)}\.\s.*\sA\s+)\S+$", rf"\g<1>{wrong}", before, flags=re.M)
            check(after != before, f"{signed} has no A record of {owner}")
            signed.write_text(after)
        conf = f"server:\n  ip-address: {address}\n  username: \"\"\n  chroot: \"\"\n  zonesdir: /run/zones\n  database: \"\"\n  pidfile: /run/nsd.pid\n  zonelistfile: /run/zone.list\n  xfrdfile: /run/xfrd.state\n  xfrdir: /run\n  server-count: 1\n" \
               "remote-control:\n  control-enable: no\n" + "".join(f"zone:\n  name: {n}\n  zonefile: {n}.signed\n" for n in zones)
        (self.peer / "run" / "nsd.conf").write_text(conf)
        self.process = start(["chroot", self.peer, "/usr/sbin/nsd", "-d", "-c", "/run/nsd.conf"], stdout=subprocess.DEVNULL, stderr=open(scratch() / "nsd.log", "w"))
        wait_for("nsd", self.answers)

    def write_zone(self, name, records, serial):
        text = f"$ORIGIN {name}.\n$TTL 5\n@ SOA ns hostmaster {serial} 60 60 600 5\n@ NS ns\nns A {self.address}\n{records}\n"
        (self.work / name).write_text(text)

    def sign(self, name):
        inside = ["chroot", self.peer, "/bin/sh", "-c"]
        key = run([*inside, f"cd /run/zones && ldns-keygen -a ECDSAP256SHA256 -k {name}"]).stdout.strip()
        run([*inside, f"cd /run/zones && ldns-signzone -n -f {name}.signed {name} {key}"])
        return (self.work / f"{key}.ds").read_text().strip()

    def answers(self):
        if self.process.poll() is not None:
            raise Failed("nsd ended: " + (scratch() / "nsd.log").read_text())
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            s.settimeout(0.2)
            s.sendto(b"\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x00\x06\x00\x01", (self.address, 53))
            try:
                return s.recv(512)[:2] == b"\x12\x34"
            except OSError:
                return False


class Server:
    """`mansio serve` on a host, with the real ports."""

    def __init__(self, host, hostname, dns, certificates, limits=None, extra=""):
        self.host, self.hostname = host, hostname
        self.data = scratch() / f"data-{host.name}"
        self.data.mkdir(mode=0o700)
        self.log = scratch() / f"{host.name}.log"
        self.ca = certificates.ca
        cert, key = certificates.make(hostname, host.address)
        a = host.address
        limit_lines = "".join(f"{k} = {v}\n" for k, v in (limits or {}).items())
        stubs = ", ".join(f'"{z}@{dns.address}:53"' for z in self.zones(dns))
        anchors = ", ".join(json.dumps(x) for x in dns.anchors)
        self.config = scratch() / f"{host.name}.toml"
        self.config.write_text(
            f'hostname = "{hostname}"\ndata = "{self.data}"\n{extra}\n[log]\nfile = "{self.log}"\nlevel = "debug"\n[tls]\ncertificate = "{cert}"\nkey = "{key}"\n'
            f'[listen]\nmx = ["{a}:25"]\nsubmission = ["{a}:587"]\nsubmissions = ["{a}:465"]\nimap = ["{a}:143"]\nimaps = ["{a}:993"]\npop3 = ["{a}:110"]\npop3s = ["{a}:995"]\n'
            f'lmtp = ["127.0.0.1:24"]\nmetrics = ["127.0.0.1:9090"]\n[dns]\nstub_zones = [{stubs}]\ntrust_anchors = [{anchors}]\n[egress]\nallow = ["10.77.0.0/24"]\n'
            f'[relay]\nca_file = "{self.ca}"\n[limits]\n{limit_lines}')
        self.process = None
        self.start()

    @staticmethod
    def zones(dns):
        return [anchor.split()[0].rstrip(".") for anchor in dns.anchors]

    @property
    def socket(self):
        return str(self.data / "run" / "admin.sock")

    def start(self):
        self.process = self.host.start([BINARY, "serve", "--config", self.config], stderr=open(scratch() / f"{self.host.name}.err", "a"))
        wait_for(f"{self.host.name} to answer", self.ready)

    def ready(self):
        if self.process.poll() is not None:
            raise Failed(f"{self.host.name} ended with {self.process.returncode}: " + (scratch() / f"{self.host.name}.err").read_text())
        return run([BINARY, "status", "--socket", self.socket], check=False).returncode == 0

    def pid(self):
        """nsenter executes the server in its own place."""
        return self.process.pid

    def kill(self):
        self.process.kill()
        self.process.wait()

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        check_equal(self.process.wait(timeout=40), 0, f"{self.host.name} after SIGTERM")

    def restart(self):
        self.kill()
        self.start()

    def cli(self, *argv):
        return json.loads(run([BINARY, *argv, "--socket", self.socket, "--json"]).stdout)

    def add_domain(self, name):
        self.cli("domain", "add", name)

    def add_account(self, address):
        return self.cli("account", "add", address)["app_password"]

    def log_text(self):
        return self.log.read_text(errors="replace") if self.log.exists() else ""


class Imap(imaplib.IMAP4_SSL):
    """imaplib over TLS from a host's point of view is the same as from ours: the test's namespace is on the bridge."""

    def __init__(self, server, user, password, port=993):
        super().__init__(server.host.address, port, ssl_context=ssl.create_default_context(cafile=str(server.ca)), timeout=30)
        self.login(user, password)

    def messages(self, mailbox="INBOX"):
        """[(uid, octets)]"""
        check_equal(self.select(mailbox)[0], "OK", f"SELECT {mailbox}")
        _, data = self.uid("FETCH", "1:*", "(UID BODY.PEEK[])")
        return [(int(d[0].split(b"UID ")[1].split()[0].rstrip(b")")), d[1]) for d in data if isinstance(d, tuple)]


def count_copies(server, user, password, needle, mailbox="INBOX"):
    box = Imap(server, user, password)
    try:
        return sum(needle.encode() in octets for _, octets in box.messages(mailbox))
    finally:
        box.logout()


def main(*steps):
    """Runs the test's steps in order, saying each; the first that fails ends it with everything the servers logged."""
    for step in steps:
        begun = time.monotonic()
        try:
            step()
        except (Failed, AssertionError, OSError, subprocess.SubprocessError, imaplib.IMAP4.error) as e:
            print(f"FAILED: {step.__name__}: {e}", flush=True)
            for log in sorted(scratch().glob("*.log")) + sorted(scratch().glob("*.err")):
                lines = log.read_text(errors="replace").splitlines()[-40:]
                print(f"--- {log.name}\n" + "\n".join(lines), flush=True)
            sys.exit(1)
        print(f"ok: {step.__name__} ({time.monotonic() - begun:.1f} s)", flush=True)

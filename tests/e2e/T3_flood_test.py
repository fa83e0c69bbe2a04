# trust.md T3 against `mansio serve` with default limits: one address gets its share, ten thousand silent peers do not keep anybody out.
# labels: catalogue
# timeout: 120
import resource
import selectors
import socket
import time

import harness
from harness import BINARY, Certificates, check, check_equal, isolate, need, run, scratch, start, wait_for

need("openssl", "ip", "unshare")
isolate()
resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
data = scratch() / "data"
data.mkdir(mode=0o700)
cert, key = Certificates().make("mail.example.org")
config = scratch() / "mansio.toml"
config.write_text(f'hostname = "mail.example.org"\ndata = "{data}"\n[log]\nfile = "{scratch() / "serve.log"}"\n[tls]\ncertificate = "{cert}"\nkey = "{key}"\n'
                  '[listen]\nmx = ["127.0.0.1:25"]\nimap = ["127.0.0.1:143"]\nmetrics = ["127.0.0.1:9090"]\n')
server = start([BINARY, "serve", "--config", config], stderr=open(scratch() / "serve.err", "w"))
wait_for("the server", lambda: run([BINARY, "status", "--socket", data / "run/admin.sock"], check=False).returncode == 0)


def connect(source, port):
    s = socket.socket()
    s.bind((source, 0))
    s.settimeout(10)
    s.connect(("127.0.0.1", port))
    return s


def greeting(s):
    try:
        return s.recv(200)
    except ConnectionResetError:
        return b""


def one_address_gets_thirty():
    for port, welcome, refusal in ((143, b"* OK", b"* BYE"), (25, b"220 ", b"421 ")):
        source = f"127.0.1.{port % 100 + 1}"
        held = [connect(source, port) for _ in range(30)]
        check(all(greeting(s).startswith(welcome) for s in held), f"port {port}: one of the first thirty was refused")
        extra = connect(source, port)
        check(greeting(extra).startswith(refusal), f"port {port}: the thirty-first was not refused")
        other = connect("127.0.2.1", port)
        check(greeting(other).startswith(welcome), f"port {port}: another address was refused")
        for s in (*held, extra, other):
            s.close()


def three_hundred_a_minute():
    answers = []
    for _ in range(310):
        s = connect("127.0.3.1", 143)
        answers.append(greeting(s)[:5])
        s.close()
    check_equal(answers[:300].count(b"* OK "), 300, "welcome among the first three hundred")
    check_equal(answers[300:].count(b"* BYE"), 10, "refused beyond them")


def ten_thousand_silent_peers():
    """4,096 may be open before sign-in; the oldest make room, so a newcomer is always greeted, and soon."""
    held = []
    slowest = 0.0
    for n in range(10_000):
        begun = time.monotonic()
        s = connect(f"127.1.{n // 25 // 250}.{n // 25 % 250 + 1}", 143)
        check(greeting(s).startswith(b"* OK"), f"peer {n} was refused")
        slowest = max(slowest, time.monotonic() - begun)
        held.append(s)
    watch = selectors.DefaultSelector()
    for s in held:
        watch.register(s, selectors.EVENT_READ)
    gone = len(watch.select(1))
    check(gone >= 10_000 - 4_096 - 100, f"only {gone} of the oldest made room")
    print(f"  slowest greeting {slowest * 1000:.0f} ms, {gone} of the oldest were closed", flush=True)
    for s in held:
        s.close()


harness.main(one_address_gets_thirty, three_hundred_a_minute, ten_thousand_silent_peers)

"""What benches share: our server and the peers' on loopback, mailbench, interleaved rounds, one JSON line a workload."""
import argparse
import atexit
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import tomllib
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tools"))
import peers  # noqa: E402

BINARY = ROOT / "build" / "release" / "mansio"
MAILBENCH = ROOT / "build" / "release" / "e2e" / "mailbench"
_running = []


@atexit.register
def stop_all():
    # unshare waits for what runs inside and passes no signal on, so everything below is told too.
    for p in reversed(_running):
        if p.poll() is None:
            for pid in reversed(tree(p.pid)):
                try:
                    os.kill(pid, signal.SIGTERM)
                except ProcessLookupError:
                    pass
    for p in _running:
        try:
            p.wait(timeout=20)
        except subprocess.TimeoutExpired:
            p.kill()
            p.wait()


def start(argv, **kwargs):
    p = subprocess.Popen(list(map(str, argv)), **kwargs)
    _running.append(p)
    return p


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def scratch():
    """On the disk that the repository is on: both sides write to the same one."""
    (ROOT / "build").mkdir(exist_ok=True)
    path = pathlib.Path(tempfile.mkdtemp(prefix="bench-", dir=ROOT / "build"))
    path.chmod(0o755)
    atexit.register(shutil.rmtree, path, ignore_errors=True)
    return path


def wait_port(port, process, seconds=20):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if process.poll() is not None:
            raise SystemExit(f"bench: {process.args[0]} ended with {process.returncode}")
        try:
            socket.create_connection(("127.0.0.1", port), 0.2).close()
            return
        except OSError:
            time.sleep(0.05)
    raise SystemExit(f"bench: nobody answers on port {port}")


def tree(pid):
    """A process and its descendants."""
    children = {}
    for d in os.listdir("/proc"):
        if d.isdigit():
            try:
                stat = open(f"/proc/{d}/stat").read()
            except OSError:
                continue
            children.setdefault(int(stat[stat.rindex(")") + 2:].split()[1]), []).append(int(d))
    found, todo = [], [pid]
    while todo:
        found.append(todo.pop())
        todo += children.get(found[-1], [])
    return found


def cpu_seconds(pid):
    """User and system time of a process tree, reaped children included."""
    ticks = 0
    for p in tree(pid):
        try:
            stat = open(f"/proc/{p}/stat").read()
        except OSError:
            continue
        ticks += sum(map(int, stat[stat.rindex(")") + 2:].split()[11:15]))
    return ticks / os.sysconf("SC_CLK_TCK")


class Ours:
    name = "Mansio"

    def __init__(self, users, extra=()):
        self.data = scratch()
        self.process = start([BINARY, "demo", "--json", "--port-base", "0", "--cleartext", "--folders", "none", "--users", users, "--data", self.data / "data", *extra], stdout=subprocess.PIPE, text=True)
        line = self.process.stdout.readline()
        self.ready = json.loads(line or '{"ready":false,"error":"it ended"}')
        if not self.ready["ready"]:
            raise SystemExit(f"bench: mansio demo: {self.ready['error']}")
        self.pid, self.password = self.process.pid, self.ready.get("users_secret", "")
        self.ports = {"lmtp": self.ready["lmtp"], "imap": self.ready["imap"], "smtp": self.ready["smtp"], "imaps": self.ready["imaps"]}
        self.user, self.rcpt = "u%d", "u%d@example.test"

    def metric(self, name):
        text = urllib.request.urlopen(self.ready["metrics"]).read().decode()
        return sum(float(line.rsplit(" ", 1)[1]) for line in text.splitlines() if re.match(rf"{name}(\{{|\s)", line))

    def configuration(self):
        return "mansio demo --cleartext: durability exactly as in serve; one synced write for each group of commits"


class Dovecot:
    name = "Dovecot sdbox"
    CONFIG = """
protocols = imap lmtp
listen = 127.0.0.1
base_dir = /bench/run
state_dir = /bench/state
log_path = /bench/dovecot.log
ssl = no
disable_plaintext_auth = no
mail_location = sdbox:/bench/mail/%n
mail_uid = dovecot
mail_gid = dovecot
first_valid_uid = 1
passdb {
  driver = static
  args = password=secret
}
userdb {
  driver = static
  args = uid=dovecot gid=dovecot home=/bench/mail/%n allow_all_users=yes
}
service imap-login {
  service_count = 0
  process_min_avail = 2
  client_limit = 1000
  inet_listener imap {
    port = @IMAP@
  }
  inet_listener imaps {
    port = 0
  }
}
service imap {
  service_count = 0
  process_min_avail = 20
  process_limit = 2000
}
service lmtp {
  process_min_avail = 10
  inet_listener lmtp {
    address = 127.0.0.1
    port = @LMTP@
  }
}
protocol lmtp {
  auth_username_format = %n
}
auth_username_format = %n
mail_max_userip_connections = 1000
"""

    def __init__(self, users):
        self.data = scratch()
        self.ports = {"lmtp": free_port(), "imap": free_port()}
        text = self.CONFIG.replace("@IMAP@", str(self.ports["imap"])).replace("@LMTP@", str(self.ports["lmtp"]))
        (self.data / "dovecot.conf").write_text(text)
        for sub in ("mail", "state", "run"):
            (self.data / sub).mkdir()
        inside = f"chown -R dovecot /bench/mail && exec /usr/sbin/dovecot -F -c /bench/dovecot.conf"
        peers.make("dovecot")
        self.process = start(peers.enter_argv("dovecot", ["sh", "-c", inside], [(self.data, "/bench")]), stderr=sys.stderr)
        self.pid, self.password, self.user, self.rcpt = self.process.pid, "secret", "u%d", "u%d"
        wait_port(self.ports["imap"], self.process)
        wait_port(self.ports["lmtp"], self.process)

    def configuration(self):
        return subprocess.run(peers.enter_argv("dovecot", ["/usr/bin/doveconf", "-n", "-c", "/bench/dovecot.conf"], [(self.data, "/bench")]), capture_output=True, text=True).stdout


class Postfix:
    name = "Postfix"

    def __init__(self):
        self.data = scratch()
        self.ports = {"smtp": free_port()}
        for sub in ("spool", "lib"):
            (self.data / sub).mkdir()
        settings = {"queue_directory": "/bench/spool", "data_directory": "/bench/lib", "inet_interfaces": "127.0.0.1", "inet_protocols": "ipv4", "mynetworks": "127.0.0.0/8", "mydestination": "example.test",
                    "local_recipient_maps": "", "local_transport": "discard:", "default_transport": "discard:", "smtpd_client_connection_count_limit": "0", "default_process_limit": "200", "maillog_file": "/bench/maillog",
                    "maillog_file_prefixes": "/bench", "smtpd_error_sleep_time": "0", "compatibility_level": "3.6", "alias_maps": "", "myhostname": "mail.example.test"}
        edits = " ".join(f"'{k}={v}'" for k, v in settings.items())
        inside = (f"cp -a /etc/postfix /bench/etc && chown root:root /bench/etc && chown postfix /bench/lib && cd /bench/etc && sed -i -E 's/^smtp +inet.*smtpd$/127.0.0.1:{self.ports['smtp']} inet n - n - - smtpd/; s/^(\\w+ +(unix|fifo) +\\S+ +\\S+ +)y/\\1n/' master.cf && "
                  f"touch main.cf && postconf -c /bench/etc -e {edits} && postconf -c /bench/etc -M discard/unix='discard unix - - n - - discard' && postfix -c /bench/etc set-permissions >/dev/null 2>&1; exec postfix -c /bench/etc start-fg")
        peers.make("postfix")
        self.process = start(peers.enter_argv("postfix", ["sh", "-c", inside], [(self.data, "/bench")]), stdout=subprocess.DEVNULL, stderr=open(self.data / "start.log", "w"))
        self.pid, self.rcpt = self.process.pid, "u%d@example.test"
        wait_port(self.ports["smtp"], self.process)

    def configuration(self):
        return subprocess.run(peers.enter_argv("postfix", ["postconf", "-c", "/bench/etc", "-n"], [(self.data, "/bench")]), capture_output=True, text=True).stdout


def mailbench(workload, side, port, argv):
    """One run: (rate, cpu seconds of the server, operations)."""
    before = cpu_seconds(side.pid)
    words = [MAILBENCH, workload, "--port", side.ports[port], *argv]
    done = subprocess.run(list(map(str, words)), capture_output=True, text=True)
    lines = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    if done.returncode != 0 or not lines:
        raise SystemExit(f"bench: {' '.join(map(str, words))}\n{done.stdout}{done.stderr}")
    last = lines[-1]
    if last.get("errors"):
        raise SystemExit(f"bench: {side.name} made {last['errors']} errors in {workload}: {last.get('first_error', '')}")
    return last["rate"], cpu_seconds(side.pid) - before, last["n"]


def syncs_during(side, action):
    """fsync and fdatasync calls of a server while `action` runs, counted by strace; and what the action returned."""
    out = scratch() / "strace"
    pids = [w for p in tree(side.pid) for w in ("-p", str(p))]
    tracer = start(["strace", "-f", "-q", "-o", out, "-e", "trace=fsync,fdatasync,sync_file_range,syncfs", *pids], stderr=subprocess.PIPE)
    time.sleep(1)  # strace says nothing when it has attached to all
    value = action()
    tracer.send_signal(signal.SIGINT)
    tracer.wait(timeout=30)
    calls = sum(1 for line in open(out, errors="replace") if re.search(r"\b(fsync|fdatasync|syncfs)\(", line))
    return calls, value


def options(description):
    p = argparse.ArgumentParser(description=description)
    p.add_argument("--json", action="store_true", help="one JSON line for each workload on stdout, everything else on stderr")
    p.add_argument("--quick", action="store_true", help="fewer rounds; ends within ten minutes")
    return p.parse_args()


def targets(name):
    return tomllib.load(open(ROOT / "bench" / "targets.toml", "rb"))[name]


def say(text):
    print(text, file=sys.stderr, flush=True)


def median_and_spread(values):
    m = statistics.median(values)
    return m, (max(values) - min(values)) / m if m else 0.0

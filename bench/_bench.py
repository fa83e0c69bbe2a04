"""What benches share: our server and the peers' on loopback, mailbench, interleaved rounds, one JSON line a workload."""
import argparse
import atexit
import json
import os
import pathlib
import re
import resource
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import tomllib

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tools"))  # for peers

BINARY = ROOT / "build" / "release" / "mansio"
MAILBENCH = ROOT / "build" / "release" / "e2e" / "mailbench"
_running = []


def tell_to_end(p):
    """unshare waits for what runs inside and passes no signal on, so everything below is told too."""
    for pid in reversed(tree(p.pid)):
        try:
            os.kill(pid, signal.SIGTERM)
        except ProcessLookupError:
            pass


def end(p):
    """Ends a process that `start` began, and waits until it and all below have gone."""
    if p.poll() is None:
        tell_to_end(p)
    try:
        p.wait(timeout=40)
    except subprocess.TimeoutExpired:
        p.kill()
        p.wait()
    _running.remove(p)


def give_up(*_):
    sys.exit(143)


signal.signal(signal.SIGTERM, give_up)  # so that what follows runs then, too


@atexit.register
def stop_all():
    for p in reversed(_running):
        if p.poll() is None:
            tell_to_end(p)
    for p in list(_running):
        end(p)


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


def drop_from_page_cache(folder):
    """What a folder's files hold in the page cache goes to the disk and out of memory. Files that are still mapped keep their pages: stop the server first."""
    for path in pathlib.Path(folder).rglob("*"):
        if path.is_file() and not path.is_symlink():
            fd = os.open(path, os.O_RDONLY)
            try:
                os.fsync(fd)
                os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
            finally:
                os.close(fd)


def mailbench_lines(workload, side, port, argv):
    """One run of mailbench: (its results, cpu seconds of the server). A server that makes errors ends the bench."""
    before = cpu_seconds(side.pid)
    words = [MAILBENCH, workload, "--port", side.ports[port], *argv]
    done = subprocess.run(list(map(str, words)), capture_output=True, text=True)
    lines = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    if done.returncode != 0 or not lines:
        raise SystemExit(f"bench: {side.name}: {' '.join(map(str, words))}\n{done.stdout}{done.stderr}")
    for line in lines:
        if line.get("errors") or line.get("result", "OK") != "OK":
            raise SystemExit(f"bench: {side.name} made errors in {workload}: {line.get('first_error') or line.get('result') or line['errors']}\n{' '.join(map(str, words))}\n{done.stderr}")
    return lines, cpu_seconds(side.pid) - before


def mailbench(workload, side, port, argv):
    """One run: (rate, cpu seconds of the server, operations)."""
    lines, used = mailbench_lines(workload, side, port, argv)
    return lines[-1]["rate"], used, lines[-1]["n"]


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


def options(description, rows=False):
    p = argparse.ArgumentParser(description=description)
    p.add_argument("--json", action="store_true", help="one JSON line for each workload on stdout, everything else on stderr")
    p.add_argument("--quick", action="store_true", help="fewer rounds; ends within ten minutes")
    if rows:
        p.add_argument("rows", nargs="*", help="only these workloads")
    return p.parse_args()


def more_descriptors(wanted):
    """Lets this process and its children hold as many descriptors."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < wanted:
        raise SystemExit(f"bench: {wanted} descriptors are needed, this shell allows {hard}: raise it (ulimit -Hn)")
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def targets(name):
    return tomllib.load(open(ROOT / "bench" / "targets.toml", "rb"))[name]


def say(text):
    print(text, file=sys.stderr, flush=True)


def median_and_spread(values):
    m = statistics.median(values)
    return m, (max(values) - min(values)) / m if m else 0.0

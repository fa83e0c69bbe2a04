"""./dev run, and ./dev run --check: start, submit, read, stop."""
import json
import os
import re
import secrets
import select
import signal
import subprocess
import sys
import tempfile
import time

from build import release_binary
from common import ROOT, Failed, say


def command(args):
    binary = release_binary()
    if args.check:
        return check(binary)
    sys.stdout.flush()
    os.execv(binary, [str(binary), "demo", "--data", str(ROOT / ".demo"), *args.demo])


def read_line(process, seconds):
    """One line of the demo's stdout, or Failed when it does not come in time."""
    line, deadline = b"", time.monotonic() + seconds
    while not line.endswith(b"\n"):
        ready, _, _ = select.select([process.stdout], [], [], max(0, deadline - time.monotonic()))
        if not ready:
            raise Failed(f"the demo printed no ready line within {seconds} seconds")
        piece = os.read(process.stdout.fileno(), 65536)
        if not piece:
            raise Failed(f"the demo ended before it was ready, exit code {process.wait()}")
        line += piece
    return line.decode()


def client(*argv):
    """Runs a client program; its output comes back, and is shown when it fails."""
    done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60)
    if done.returncode != 0:
        raise Failed(f"{argv[0]} failed with exit code {done.returncode}:\n{done.stdout}{done.stderr}")
    return done.stdout


def submit(at, sender, recipient, subject):
    client("swaks", "--server", at["host"], "--port", str(at["submissions"]), "--tls-on-connect", "--tls-verify", "--tls-ca-path", at["ca"],
           "--auth", "PLAIN", "--auth-user", sender["address"], "--auth-password", sender["app_password"], "--timeout", "30",
           "--from", sender["address"], "--to", recipient["address"], "--header", f"Subject: {subject}", "--body", "written by ./dev run --check")


def read_back(at, account, subject):
    """Polls, because 250 means stored and delivery to another account follows it."""
    inbox = f"imaps://{at['host']}:{at['imaps']}/INBOX"
    # Credentials go by a file: an argument list can be read by everybody on the machine.
    with tempfile.NamedTemporaryFile("w", prefix="mansio-check-", suffix=".curlrc") as settings:
        settings.write(f'user = "{account["address"]}:{account["app_password"]}"\ncacert = "{at["ca"]}"\nsilent\nshow-error\nmax-time = 30\n')
        settings.flush()
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            found = re.findall(r"\d+", client("curl", "-K", settings.name, f"{inbox}?SUBJECT%20{subject}"))
            if found:
                return client("curl", "-K", settings.name, f"{inbox};MAILINDEX={found[-1]}")
            time.sleep(0.3)
    raise Failed("the message was submitted but did not appear in the recipient's INBOX within 30 seconds")


def check(binary):
    subject = "check" + secrets.token_hex(8)
    with tempfile.TemporaryDirectory(prefix="mansio-check-") as data:
        process = subprocess.Popen([binary, "demo", "--data", data, "--port-base", "0", "--json"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
        try:
            at = json.loads(read_line(process, 60))
            if not at.get("ready"):
                raise Failed(f"the demo did not start: {at.get('error')}")
            alice, bob = at["accounts"][:2]
            submit(at, alice, bob, subject)
            message = read_back(at, bob, subject)
            if f"Subject: {subject}" not in message or "written by ./dev run --check" not in message:
                raise Failed(f"the message came back changed:\n{message}")
            process.send_signal(signal.SIGTERM)
            try:
                code = process.wait(40)
            except subprocess.TimeoutExpired:
                raise Failed("the demo did not stop within 40 seconds of SIGTERM") from None
            if code != 0:
                raise Failed(f"the demo stopped with exit code {code} after SIGTERM instead of 0")
        except Failed as e:
            raise Failed(f"run --check: {e}") from None
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()
    say("run --check: passed")
    return 0

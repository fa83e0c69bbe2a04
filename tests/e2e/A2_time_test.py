# trust.md A2 at every door: how long a failed sign-in takes tells nothing about whether, and how, an account exists.
# labels: catalogue
# timeout: 300
import base64
import json
import os
import random
import socket
import statistics
import subprocess
import time

import harness
from harness import BINARY, check, check_equal, isolate, need, run, scratch, start

need("ip", "unshare")
isolate()
TRIES = 10_000 if os.environ.get("MANSIO_FULL") else 700
MOST = 50.0  # microseconds between medians; or three times what two groups that are the same differ by, where the machine is busier than that
A_CONNECTION = 9  # the tenth failure would end it

server = start([BINARY, "demo", "--json", "--port-base", "0", "--cleartext", "--data", scratch() / "demo"], stdout=subprocess.PIPE, text=True)
ready = json.loads(server.stdout.readline())
check(ready["ready"], f"demo: {ready}")


def account(*words):
    return json.loads(run([BINARY, "account", *words, "--json", "--socket", scratch() / "demo/run/admin.sock"]).stdout)


alice, secret = ready["accounts"][0]["address"], ready["accounts"][0]["app_password"]
domain = alice.split("@")[1]
gone = account("add", f"gone@{domain}")
gone_secret = gone["app_password"]
account("set", f"gone@{domain}", "--disable")
GROUPS = {
    "existing": (alice, gone_secret),
    "the same again": (alice, gone_secret),  # the control
    "absent": (f"nobody@{domain}", gone_secret),
    "elsewhere": ("nobody@nowhere.example", gone_secret),
    "disabled": (f"gone@{domain}", secret),
    "disabled, right secret": (f"gone@{domain}", gone_secret),
}


class Door:
    def __init__(self, port):
        self.port, self.left, self.s = port, 0, None

    def line(self):
        while b"\r\n" not in self.unread:
            more = self.s.recv(4096)
            check(more, "the connection was closed")
            self.unread += more
        line, self.unread = self.unread.split(b"\r\n", 1)
        return line

    def ready(self):
        if self.left == 0:
            if self.s:
                self.s.close()
            self.s = socket.create_connection(("127.0.0.1", self.port), 10)
            self.s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.unread, self.left = b"", A_CONNECTION
            self.line()
            self.prepare()
        self.left -= 1

    def prepare(self):
        pass

    def timed(self, octets):
        begun = time.perf_counter_ns()
        self.s.sendall(octets)
        answer = self.line()
        return (time.perf_counter_ns() - begun) / 1000, answer


class Imap(Door):
    def attempt(self, user, password):
        return self.timed(f'a LOGIN "{user}" "{password}"\r\n'.encode())


class Pop3(Door):
    def attempt(self, user, password):
        self.s.sendall(f"USER {user}\r\n".encode())
        self.line()
        return self.timed(f"PASS {password}\r\n".encode())


class Submission(Door):
    def prepare(self):
        self.s.sendall(b"EHLO a.example\r\n")
        while not self.line().startswith(b"250 "):
            pass

    def attempt(self, user, password):
        return self.timed(b"AUTH PLAIN " + base64.b64encode(f"\0{user}\0{password}".encode()) + b"\r\n")


def judge(door):
    taken, said = {g: [] for g in GROUPS}, set()
    order = list(GROUPS)
    dice = random.Random(2)
    for _ in range(TRIES):
        dice.shuffle(order)  # what the machine does meanwhile falls on all alike
        for group in order:
            door.ready()
            micros, answer = door.attempt(*GROUPS[group])
            taken[group].append(micros)
            said.add(answer)
    check_equal(len(said), 1, f"answers {said}")
    median = {g: statistics.median(t) for g, t in taken.items()}
    control = abs(median["the same again"] - median["existing"])
    print("  " + type(door).__name__ + ": " + ", ".join(f"{g} {m:.1f}" for g, m in median.items()) + " us", flush=True)
    for group, m in median.items():
        check(abs(m - median["existing"]) <= max(MOST, 3 * control), f"{group}: {m:.1f} us, existing: {median['existing']:.1f} us, control {control:.1f} us apart")


def imap_takes_the_same_time():
    judge(Imap(ready["imap"]))


def pop3_takes_the_same_time():
    judge(Pop3(ready["pop3"]))


def submission_takes_the_same_time():
    judge(Submission(ready["submission"]))


harness.main(imap_takes_the_same_time, pop3_takes_the_same_time, submission_takes_the_same_time)

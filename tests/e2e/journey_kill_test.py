# One message to five recipients, local and remote, with SIGKILL at each step: each gets it, none twice beyond what D3 allows.
# peers: nsd
# timeout: 180
import threading
import time

import harness
from harness import check, count_copies, wait_for
from journey import Stage

stage = Stage()
LOCAL, REMOTE = ("al", "amy", "ann"), ("bob", "bea")
RECIPIENTS = [f"{n}@alpha.example" for n in LOCAL] + [f"{n}@beta.example" for n in REMOTE]
# The steps of a queued message, as the log names them, and a little beyond each.
STEPS = [("queued", 1), *(("delivered", n) for n in range(1, 9)), ("queue_done", 1)]


def kill_at(server, event, count, offset):
    """Kills the server as soon as its log has the event so many times behind `offset`."""
    end = time.monotonic() + 20
    while time.monotonic() < end:
        with open(server.log, "rb") as f:
            f.seek(offset)
            seen = sum((" " + event + " ").encode() in line for line in f)
        if seen >= count:
            server.kill()
            return
        time.sleep(0.0005)
    raise harness.Failed(f"{event} was not logged {count} times")


def copies(name, needle):
    server, domain = (stage.a, "alpha") if name in LOCAL else (stage.b, "beta")
    return count_copies(server, f"{name}@{domain}.example", stage.secret[name], needle)


def round_with(event, count, victim):
    subject = f"kill {victim.host.name} at {event} {count}"
    needle = f"Subject: {subject}\r\n"
    offset = victim.log.stat().st_size
    killer = threading.Thread(target=kill_at, args=(victim, event, count, offset))
    killer.start()
    sent = stage.swaks("ann", *RECIPIENTS, subject=subject, check=False)
    accepted = sent.returncode == 0
    killer.join()
    victim.start()
    if not accepted:
        return  # never acknowledged: nothing is promised, and the next round shows that nothing is stuck
    wait_for("an empty queue", lambda: stage.a.cli("queue", "list")["total"] == 0, 40)
    for name in LOCAL:
        check(copies(name, needle) == 1, f"{subject}: {name} has {copies(name, needle)} copies, not one")
    for name in REMOTE:
        check(1 <= copies(name, needle) <= 2, f"{subject}: {name} has {copies(name, needle)} copies; one, or two after one crash, are right")


def a_is_killed_at_each_step():
    for event, count in STEPS:
        round_with(event, count, stage.a)


def b_is_killed_when_it_accepts():
    round_with("message_accepted", 1, stage.b)


def the_stores_are_whole():
    for server in (stage.a, stage.b):
        server.stop()
        harness.run([harness.BINARY, "verify", "--data", server.data, "--deep"])


harness.main(a_is_killed_at_each_step, b_is_killed_when_it_accepts, the_stores_are_whole)

"""./dev bench imap: reading mail, against Debian's Dovecot (as shipped and in its fast mode) and Cyrus, interleaved in one run."""
import concurrent.futures
import imaplib
import json
import os
import platform
import statistics
import sys
import time
from dataclasses import dataclass
from typing import Callable

import idle
from _bench import cpu_seconds, drop_from_page_cache, mailbench, mailbench_lines, median_and_spread, more_descriptors, options, say, syncs_during, targets
from _servers import Cyrus, Dovecot, Ours

USERS = 100
# Who has what: (user, mailbox, messages, profile). The other users begin with an empty INBOX.
BIG, MIDDLE, MIXED, WORK = (1, "big", 100_000, "small"), (2, "middle", 20_000, "small"), (3, "INBOX", 10_000, "mixed"), (4, "INBOX", 10_000, "small")
GROWING = [(5, f"grow{n}", n, "small") for n in (1000, 10_000, 100_000)]
MILLION = (5, "grow1000000", 1_000_000, "small")


@dataclass
class Result:
    value: float
    cpu: float
    operations: int


@dataclass
class Row:
    name: str
    unit: str
    run: Callable  # side -> Result
    rate: bool = False  # more is better; else a time
    writes: bool = False  # then syncs are counted
    warm_up: bool = True
    needs: str = ""  # a capability without which the row cannot run
    where: tuple = ()  # the mailbox it needs
    rounds: int = 1  # times as many as the others have: of what is over in a moment


def mailbox(side, name):
    return name if name == "INBOX" else side.below_inbox + name


def who(side, first=1, count=1):
    return ["--user", side.user, "--pass", side.password, "--user-base", first, "--users", count]


# How rows are run.

@dataclass
class Pace:
    seconds: float = 10.0
    rounds: int = 5


pace = Pace()


def for_seconds(workload, port, first, argv):
    """A workload that goes on for a while; its users are those from `first` on."""
    def run(side):
        account = ["--rcpt", side.rcpt, "--user-base", first, "--users", 20] if workload == "smtp" else who(side, first, 20)
        return Result(*mailbench(workload, side, port, [*argv, *account, "--secs", pace.seconds]))
    return run


def speak(side, user, argv):
    lines, cpu = mailbench_lines("imap-cmd", side, "imap", [*argv, *who(side, user)])
    return lines, cpu


def say_all(side, user, *commands):
    """Commands that are not measured."""
    speak(side, user, ["--no-select", *(w for c in commands for w in ("--cmd", c))])


def command(where, text, repeat=1):
    """The time of one command in a selected mailbox; of several, the median."""
    def run(side):
        user, name = where[:2]
        lines, cpu = speak(side, user, ["--mailbox", mailbox(side, name), "--cmd", text, "--repeat", repeat])
        return Result(lines[1]["median_rest_ms"], cpu, repeat)
    return run


def select(where, repeat):
    def run(side):
        user, name = where[:2]
        lines, cpu = speak(side, user, ["--no-select", "--cmd", f'SELECT "{mailbox(side, name)}"', "--cmd", "UNSELECT", "--repeat", repeat])
        return Result(lines[0]["median_rest_ms"], cpu, repeat)
    return run


def after_restart(run, drop=False):
    """The same once more, first thing in a server's life."""
    def cold(side):
        side.stop()
        if drop:
            drop_from_page_cache(side.data)
        side.launch()
        settle(side)
        return run(side)
    return cold


def settle(side):
    """Waits until a server's start has ended: it uses no processor any more."""
    last, end = cpu_seconds(side.pid), time.monotonic() + 15
    while time.monotonic() < end:
        time.sleep(0.3)
        now = cpu_seconds(side.pid)
        if now - last <= 0.02:
            return
        last = now


def changing(text, before=(), after=(), selected=WORK[1]):
    """A command that changes 10,000 messages, with what makes it possible before and what undoes it after. @M is the mailbox with the
    messages, @T and @S are for the row's own use."""
    def run(side):
        user, names = WORK[0], {"@M": WORK[1], "@T": "scratch", "@S": "second"}

        def word(c):
            for mark, name in names.items():
                c = c.replace(mark, f'"{mailbox(side, name)}"')
            return c
        if before:
            say_all(side, user, *map(word, before))
        lines, cpu = speak(side, user, ["--mailbox", mailbox(side, selected), "--cmd", word(text)])
        if after:
            say_all(side, user, *map(word, after))
        return Result(lines[1]["first_ms"], cpu, 1)
    return run


def retrieve(where):
    def run(side):
        lines, cpu = mailbench_lines("pop3-retr", side, "pop3", [*who(side, where[0]), "--count", where[2], "--pipeline", 64])
        return Result(lines[-1]["rate"], cpu, lines[-1]["n"])
    return run


COPIED = ("CREATE @T", "SELECT @M", "COPY 1:10000 @T")
ROWS = [
    Row("login_cleartext", "logins/s", for_seconds("imap-login", "imap", 61, ["--conns", 20]), rate=True),
    Row("login_tls13", "logins/s", for_seconds("imap-login", "imaps", 61, ["--conns", 20, "--tls"]), rate=True),
    Row("noop", "commands/s", for_seconds("imap-noop", "imap", 61, ["--conns", 20]), rate=True),
    Row("select_warm", "ms", select(BIG, 10), where=BIG),
    Row("select_after_restart", "ms", after_restart(select(BIG, 1)), warm_up=False, where=BIG, rounds=3),
    Row("fetch_flags", "ms", command(BIG, "UID FETCH 1:* (UID FLAGS)", 3), where=BIG),
    Row("fetch_envelope_first", "ms", after_restart(command(MIDDLE, "FETCH 1:* (ENVELOPE BODYSTRUCTURE)")), warm_up=False, where=MIDDLE),
    Row("fetch_envelope_warm", "ms", command(MIDDLE, "FETCH 1:* (ENVELOPE BODYSTRUCTURE)", 3), where=MIDDLE),
    Row("fetch_body_warm", "ms", command(MIXED, "FETCH 1:* (BODY.PEEK[])"), where=MIXED),
    Row("fetch_body_from_disk", "ms", after_restart(command(MIXED, "FETCH 1:* (BODY.PEEK[])"), drop=True), warm_up=False, where=MIXED),
    Row("search_text", "ms", command(MIDDLE, "SEARCH TEXT zq777x"), where=MIDDLE),
    Row("sort", "ms", command(MIDDLE, "SORT (SUBJECT REVERSE DATE) UTF-8 ALL"), needs="SORT", where=MIDDLE),
    Row("thread", "ms", command(MIDDLE, "THREAD REFERENCES UTF-8 ALL"), needs="THREAD=REFERENCES", where=MIDDLE),
    Row("pop3_retr", "messages/s", retrieve(WORK), rate=True, where=WORK),
    Row("store_flags", "ms", changing("STORE 1:10000 +FLAGS.SILENT (\\Flagged)", after=("SELECT @M", "STORE 1:10000 -FLAGS.SILENT (\\Flagged)")), writes=True, where=WORK),
    Row("copy", "ms", changing("COPY 1:10000 @T", before=("CREATE @T",), after=("DELETE @T",)), writes=True, where=WORK),
    Row("move", "ms", changing("MOVE 1:10000 @S", before=(*COPIED, "CREATE @S"), after=("DELETE @T", "DELETE @S"), selected="scratch"), writes=True, where=WORK),
    Row("expunge", "ms", changing("EXPUNGE", before=(*COPIED, "SELECT @T", "STORE 1:10000 +FLAGS.SILENT (\\Deleted)"), after=("DELETE @T",), selected="scratch"), writes=True, where=WORK),
    Row("append_1", "messages/s", for_seconds("imap-append", "imap", 81, ["--conns", 1]), rate=True, writes=True),
    Row("append_20", "messages/s", for_seconds("imap-append", "imap", 21, ["--conns", 20]), rate=True, writes=True),
    Row("lmtp_10", "messages/s", for_seconds("smtp", "lmtp", 41, ["--lmtp", "--conns", 10, "--per-session", 100]), rate=True, writes=True),
]


def offers(side, capability):
    with imaplib.IMAP4("127.0.0.1", side.ports["imap"]) as c:
        c.login(side.user.replace("%d", "1"), side.password)
        return capability in c.capability()[1][0].decode().split()


def not_run(name, unit, why):
    say(f"  {name}: not run: {why}")
    return {"workload": name, "ours": None, "unit": unit, "peer": None, "peer_name": None, "ratio": None, "target": target_of(name), "spread": None, "cpu_us_per_op": None}


def target_of(name):
    return targets("imap")[name].get("ratio", 1.0)


def interleave(row, sides):
    """Every side once, then every side again: what the machine does meanwhile happens to all."""
    seen = {side: [] for side in sides}
    for n in range(pace.rounds * row.rounds + row.warm_up):
        warming = row.warm_up and n == 0
        for side in sides:
            r = row.run(side)
            say(f"  {row.name} {'warm-up' if warming else f'round {n + 1 - row.warm_up}'}: {side.name} {r.value:.1f} {row.unit}, {1e6 * r.cpu / max(r.operations, 1):.0f} us CPU each")
            if not warming:
                seen[side].append(r)
    return seen


def count_syncs(row, sides):
    found = {}
    for side in sides:
        calls, r = syncs_during(side, lambda s=side: row.run(s))
        found[side] = calls
        say(f"  {row.name}: {side.name} made {calls} syncs for {r.operations} operations")
    return found


def cpu_of(results):
    return 1e6 * sum(r.cpu for r in results) / max(sum(r.operations for r in results), 1)


def measure(row, ours, peers):
    missing = [s.name for s in (ours, *peers) if row.needs and not offers(s, row.needs)]
    if ours.name in missing:
        return [not_run(row.name, row.unit, f"{ours.name} does not offer {row.needs}")]
    peers = [p for p in peers if p.name not in missing]
    seen = interleave(row, (ours, *peers))
    medians = {side: median_and_spread([r.value for r in results]) for side, results in seen.items()}
    best = (max if row.rate else min)(peers, key=lambda p: medians[p][0])
    (mine, my_spread), (theirs, their_spread) = medians[ours], medians[best]
    line = {"workload": row.name, "ours": round(mine, 2), "unit": row.unit, "peer": round(theirs, 2), "peer_name": best.name, "ratio": round(mine / theirs if row.rate else theirs / mine, 2), "target": target_of(row.name),
            "spread": round(max(my_spread, their_spread), 2), "cpu_us_per_op": round(cpu_of(seen[ours]), 1), "peer_cpu_us_per_op": round(cpu_of(seen[best]), 1)}
    for p in peers:
        if p is not best:
            line.setdefault("others", {})[p.name] = round(medians[p][0], 2)
    if row.writes:
        syncs = count_syncs(row, (ours, best))
        line |= {"syncs": syncs[ours], "peer_syncs": syncs[best]}
    lines = [line]
    if row.name == "fetch_body_warm":
        lines.append(processor_row(seen[ours], seen[best], best, ours.filled_octets))
    return lines


def processor_row(mine, theirs, peer, octets):
    """Of a row, the server's own work for each megabyte; only what both sides spent, not how long they took."""
    a, b = (cpu_of(r) / (octets / 1e6) for r in (mine, theirs))
    return {"workload": "fetch_body_warm_cpu", "ours": round(a, 1), "unit": "us CPU/MB", "peer": round(b, 1), "peer_name": peer.name, "ratio": round(b / max(a, 0.1), 2), "target": target_of("fetch_body_warm_cpu"), "spread": 0, "cpu_us_per_op": round(a, 1)}


# Rows of ours alone.

def push_latency(ours):
    lines, cpu = mailbench_lines("imap-idle", ours, "imaps", ["--tls", "--conns", 500, *who(ours, 61, 40), "--probe", 60])
    p = next(x for x in lines if x.get("phase") == "push")
    most = targets("imap")["push_latency"]["most"]
    if p["lost"]:
        return not_run("push_latency", "ms", f"{p['lost']} of {p['n']} pushes never came")
    return {"workload": "push_latency", "ours": p["p50_ms"], "unit": "ms", "peer": None, "peer_name": None, "ratio": round(most / p["p50_ms"], 2), "target": 1.0, "spread": round((p["p90_ms"] - p["p50_ms"]) / p["p50_ms"], 2), "cpu_us_per_op": None, "p90": p["p90_ms"]}


def idle_memory(quick):
    connections = 2000 if quick else idle.CONNECTIONS
    each, alive, _, _ = idle.measure(connections)
    most = targets("imap")["idle_memory"]["most"]
    if alive != connections:
        return not_run("idle_memory", "KiB PSS a connection", f"{alive} of {connections} alive")
    return {"workload": "idle_memory", "ours": round(each, 2), "unit": "KiB PSS a connection", "peer": None, "peer_name": None, "ratio": round(most / each, 2), "target": 1.0, "spread": 0, "cpu_us_per_op": None, "connections": connections}


def growth(ours, boxes):
    """How time grows with the mailbox, ours alone. The smallest is measured often, for it is quick."""
    runs = {"growth_select": lambda w, n: select(w, n), "growth_fetch_flags": lambda w, n: command(w, "UID FETCH 1:* (UID FLAGS)", n), "growth_append": None}
    rows = []
    for name, make in runs.items():
        times = {}
        for where in boxes * pace.rounds:
            if make is None:
                rate, _, _ = mailbench("imap-append", ours, "imap", ["--conns", 1, "--count", 300, "--mailbox", where[1], *who(ours, where[0])])
                value = 1000 / rate
            else:
                value = make(where, max(3, min(50, 100_000 // where[2])))(ours).value
            times.setdefault(where[2], []).append(value)
        medians = {n: statistics.median(v) for n, v in times.items()}
        sizes = sorted(medians)
        more = 1 if make is None else sizes[-1] / sizes[0]
        say(f"  {name}: " + ", ".join(f"{n} messages {medians[n]:.3f} ms" for n in sizes))
        rows.append({"workload": name, "ours": round(medians[sizes[-1]], 3), "unit": "ms", "peer": None, "peer_name": "ours, smallest mailbox", "ratio": round(more * medians[sizes[0]] / medians[sizes[-1]], 2), "target": target_of(name),
                     "spread": round(max((max(v) - min(v)) / statistics.median(v) for v in times.values()), 2), "cpu_us_per_op": None, "by_size_ms": {str(n): round(medians[n], 3) for n in sizes}})
    return rows


def fill(side, boxes):
    """Makes the mailboxes, quickly, then starts the side again as it is to be measured."""
    side.restart(filling=True)
    for user, name, count, profile in boxes:
        began = time.monotonic()
        lines, _ = mailbench_lines("imap-fill", side, "imap", [*who(side, user), "--mailbox", mailbox(side, name), "--count", count, "--profile", profile])
        say(f"  {side.name}: {name} with {count} messages in {time.monotonic() - began:.0f} s")
        if (user, name) == MIXED[:2]:
            side.filled_octets = lines[-1]["MBps"] * lines[-1]["secs"] * 1e6
    side.restart()
    settle(side)


def safely(name, unit, action):
    """A row that cannot be run is said to be so, and the rest goes on."""
    try:
        value = action()
    except SystemExit as e:
        value = not_run(name, unit, str(e))
    return value if isinstance(value, list) else [value]


def show(row, as_json):
    if as_json:
        print(json.dumps(row), flush=True)
        return
    ratio = "not run" if row["ratio"] is None else f"ratio {row['ratio']} (target {row['target']})"
    print(f"{row['workload']:22} {row['ours']} {row['unit']}  {row['peer_name'] or ''} {row['peer'] or ''}  {ratio}", flush=True)


def main():
    o = options(__doc__, rows=True)
    pace.seconds, pace.rounds = (2.5, 3) if o.quick else (10.0, 5)
    more_descriptors(idle.CONNECTIONS + 2000)
    say(f"conditions: {os.cpu_count()} cores ({platform.machine()}), Linux {platform.release()}, loopback, clients on the same machine, one disk, {pace.rounds} rounds, interleaved, medians")
    wanted = [r for r in ROWS if not o.rows or r.name in o.rows]
    ours = Ours(USERS)
    certificate = ours.certificate()
    dovecot, cyrus = Dovecot(USERS, certificate), Cyrus(USERS, certificate)
    shipped = Dovecot(USERS, certificate, fast=False)
    for side in (ours, dovecot, shipped, cyrus):
        say(f"--- configuration of {side.name}\n{side.configuration()}")
    boxes = list(dict.fromkeys(r.where for r in wanted if r.where))
    grow = [] if o.rows and "growth" not in o.rows else [*GROWING, *([] if o.quick else [MILLION])]
    with concurrent.futures.ThreadPoolExecutor() as pool:
        list(pool.map(lambda job: fill(*job), [(dovecot, boxes), (cyrus, boxes), (ours, [*boxes, *grow])]))
    by_name = {"best": [dovecot, cyrus], "Dovecot": [dovecot], "Cyrus": [cyrus]}
    rows = []

    def add(name, unit, action):
        for row in safely(name, unit, action):
            rows.append(row)
            show(row, o.json)

    for row in wanted:
        peers = by_name[targets("imap")[row.name]["peer"]]
        if row.name.startswith("login"):
            # Cyrus 3.6 takes P-256 alone, which the load client, quick as it must be, does not offer.
            peers = [*peers, shipped] + ([] if o.quick or row.name == "login_tls13" else [cyrus])
        add(row.name, row.unit, lambda r=row, p=peers: measure(r, ours, p))
    for name, unit, action in (("push_latency", "ms", lambda: push_latency(ours)), ("idle_memory", "KiB PSS a connection", lambda: idle_memory(o.quick)), ("growth", "ms", lambda: growth(ours, grow))):
        if not o.rows or name in o.rows:
            add(name, unit, action)
    if any(r["ratio"] is None for r in rows):
        return 1
    return 2 if any(r["ratio"] < r["target"] for r in rows) else 0


if __name__ == "__main__":
    sys.exit(main())

"""./dev bench journey: accepting mail, against Debian's Dovecot and Postfix, interleaved in one run."""
import json
import os
import platform
import sys

from _bench import mailbench, median_and_spread, options, say, syncs_during, targets
from _servers import Dovecot, Ours, Postfix

USERS = 100
WORKLOADS = [
    # name, peer, mailbench's workload, port, its arguments (users' names differ by side)
    ("lmtp_delivery", Dovecot, "smtp", "lmtp", ["--lmtp", "--conns", 10, "--profile", "small", "--users", USERS, "--per-session", 100]),
    ("append", Dovecot, "imap-append", "imap", ["--conns", 20, "--profile", "small", "--users", USERS]),
    ("smtp_acceptance", Postfix, "smtp", "smtp", ["--conns", 10, "--profile", "fixed:2000", "--users", USERS, "--per-session", 100]),
]


def arguments(side, workload, common):
    if workload == "imap-append":
        return [*common, "--user", side.user, "--pass", side.password]
    return [*common, "--rcpt", side.rcpt]


def measure(row, ours, peer, seconds, rounds):
    name, _, workload, port, common = row
    rates, cpu, results = {"ours": [], "peer": []}, {"ours": [0.0, 0], "peer": [0.0, 0]}, {}
    for n in range(rounds + 1):  # the first round warms both up and does not count
        for key, side in (("ours", ours), ("peer", peer)):
            rate, used, done = mailbench(workload, side, port, [*arguments(side, workload, common), "--secs", seconds if n else 2])
            say(f"  {name} round {n or 'warm-up'}: {side.name} {rate:.0f}/s, {1e6 * used / max(done, 1):.0f} us CPU each")
            if n:
                rates[key].append(rate)
                cpu[key][0] += used
                cpu[key][1] += done
    for key, side in (("ours", ours), ("peer", peer)):
        calls, (_, _, done) = syncs_during(side, lambda s=side: mailbench(workload, s, port, [*arguments(s, workload, common), "--secs", 3]))
        results[key] = (calls, done)
        say(f"  {name}: {side.name} made {calls} syncs for {done} messages: {done / max(calls, 1):.2f} messages a sync")
    mine, spread_mine = median_and_spread(rates["ours"])
    theirs, spread_theirs = median_and_spread(rates["peer"])
    target = targets("journey")[name]["ratio"]
    return {"workload": name, "ours": round(mine, 1), "unit": "messages/s", "peer": round(theirs, 1), "peer_name": peer.name, "ratio": round(mine / theirs, 2), "target": target,
            "spread": round(max(spread_mine, spread_theirs), 2), "cpu_us_per_op": round(1e6 * cpu["ours"][0] / cpu["ours"][1], 1), "peer_cpu_us_per_op": round(1e6 * cpu["peer"][0] / cpu["peer"][1], 1),
            "messages_per_sync": round(results["ours"][1] / max(results["ours"][0], 1), 2), "peer_messages_per_sync": round(results["peer"][1] / max(results["peer"][0], 1), 2)}


def main():
    o = options(__doc__)
    seconds, rounds = (8, 3) if o.quick else (20, 5)
    say(f"conditions: {os.cpu_count()} cores ({platform.machine()}), Linux {platform.release()}, loopback, clients on the same machine, one disk, {rounds} rounds of {seconds} s, interleaved, medians")
    ours, dovecot, postfix = Ours(USERS), Dovecot(USERS), Postfix()
    sides = {Dovecot: dovecot, Postfix: postfix}
    for side in (ours, dovecot, postfix):
        say(f"--- configuration of {side.name}\n{side.configuration()}")
    rows = [measure(row, ours, sides[row[1]], seconds, rounds) for row in WORKLOADS]
    for r in rows:
        print(json.dumps(r) if o.json else f"{r['workload']:16} {r['ours']:9.0f} {r['unit']}  {r['peer_name']} {r['peer']:.0f}  ratio {r['ratio']} (target {r['target']}), {r['messages_per_sync']} messages a sync", flush=True)
    return 2 if any(r["ratio"] < r["target"] for r in rows) else 0


sys.exit(main())

"""./dev bench idle: 10,000 signed-in IMAP connections over TLS that say nothing; memory of the server for each (PSS)."""
import json
import os
import platform
import subprocess
import sys
import time

from _bench import MAILBENCH, more_descriptors, options, say, start, targets, tree
from _servers import Ours

CONNECTIONS = 10_000


def pss(pid):
    """Octets, of a process tree."""
    total = 0
    for p in tree(pid):
        for line in open(f"/proc/{p}/smaps_rollup"):
            if line.startswith("Pss:"):
                total += int(line.split()[1]) * 1024
    return total


def measure(connections):
    """(KiB PSS a connection, connections alive at the end, octets held, octets before)."""
    # Per-address limits off, as load tools need; everything else as shipped.
    ours = Ours(connections, ["--limits", "off"])
    base = pss(ours.pid)
    ready = ours.data / "ready"
    client = start([MAILBENCH, "imap-idle", "--tls", "--port", ours.ports["imaps"], "--user", "u%d", "--users", connections, "--pass", ours.password, "--conns", connections, "--hold", 20, "--out", ready], stdout=subprocess.PIPE, text=True)
    first = json.loads(client.stdout.readline())
    say(f"  {first['n']} connections in {first['secs']:.0f} s")
    time.sleep(5)  # settle: allocators give back what handshakes used
    held = pss(ours.pid)
    last = json.loads(client.stdout.readlines()[-1])
    ours.stop()
    return (held - base) / connections / 1024, last["alive"], held, base


def main():
    o = options(__doc__)
    more_descriptors(CONNECTIONS + 1000)
    say(f"conditions: {os.cpu_count()} cores ({platform.machine()}), Linux {platform.release()}, loopback, TLS 1.3, one account for each connection, INBOX selected, IDLE")
    each, alive, held, base = measure(CONNECTIONS)
    most = targets("idle")["imap_tls"]["most_kib_per_connection"]
    row = {"workload": "imap_tls", "ours": round(each, 2), "unit": "KiB PSS a connection", "peer": None, "peer_name": None, "ratio": round(most / each, 2) if alive == CONNECTIONS else None, "target": 1.0, "spread": 0, "cpu_us_per_op": None,
           "connections": CONNECTIONS, "alive": alive, "server_pss_mib": round(held / 1048576, 1), "before_mib": round(base / 1048576, 1)}
    print(json.dumps(row) if o.json else f"{alive} of {CONNECTIONS} alive, {each:.2f} KiB PSS a connection (at most {most}), server {row['server_pss_mib']} MiB", flush=True)
    if row["ratio"] is None:
        return 1
    return 2 if each > most else 0


if __name__ == "__main__":
    sys.exit(main())

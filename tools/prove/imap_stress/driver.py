"""The run: server, clients, kills, the end where all must agree, the report."""
import argparse
import asyncio
import random
import sys
import time

from . import mutants
from .client import Client, tls_context
from .ledger import Contradiction, Ledger
from .server import Server
from .session import Over

SHOWN = 5  # contradictions told in full


class World:
    """What all clients share."""

    def __init__(self, options):
        self.options, self.seed = options, options.seed
        self.ledger = Ledger([f"s{i}" for i in range(options.mailboxes)])
        self.server, self.proxy = Server(), None
        self.stopping, self.up = asyncio.Event(), asyncio.Event()
        self.user = self.secret = self.tls = None

    async def start_server(self):
        await self.server.start()
        ready = self.server.ready
        self.user, self.secret = "u1@example.test", ready["users_secret"]
        self.tls = tls_context(ready["ca"])
        if self.options.mutant and not self.proxy:
            self.proxy = mutants.Proxy(self.options.mutant, self.seed)
            await self.proxy.start(ready["imap"])
        self.up.set()

    async def kill_and_restart(self):
        self.up.clear()
        await self.server.kill()
        await self.start_server()
        self.ledger.count("kills")

    def address(self, number):
        """A fifth of the clients speak TLS; with a mutant all go through it, in clear."""
        if self.proxy:
            return "127.0.0.1", self.proxy.port, None
        if number % 5 == 4:
            return "127.0.0.1", self.server.ready["imaps"], self.tls
        return "127.0.0.1", self.server.ready["imap"], None


async def make_mailboxes(world):
    maker = Client(0, world)
    await maker.connect()
    for box in world.ledger.mailboxes:
        await maker.need(maker.session, "CREATE", f"CREATE {box.name}")
    maker.lost()


async def kills(world):
    """Spread over the run; the moment is the dice's."""
    o, dice = world.options, random.Random(f"{world.seed}/kills")
    for _ in range(o.kills):
        await asyncio.sleep(o.seconds / (o.kills + 1) * dice.uniform(0.5, 1.4))
        if world.stopping.is_set():
            return
        await world.kill_and_restart()


async def audit(world):
    """A fresh look at each mailbox, with every message's own mark. Answers {mailbox: {UID: (flags, MODSEQ)}}."""
    auditor = Client(0, world)
    await auditor.connect()
    s, seen = auditor.session, {}
    if not s.condstore:
        await auditor.need(s, "ENABLE", "ENABLE CONDSTORE")
        s.condstore = True
    for box in world.ledger.mailboxes:
        await auditor.open(box, examine=True)
        o = s.opened
        if o.list:
            await auditor.need(s, "FETCH", "FETCH 1:* (UID FLAGS MODSEQ BODY.PEEK[HEADER.FIELDS (X-Stress-Id)])")
        await auditor.need(s, "STATUS", f"STATUS {box.name} (MESSAGES UNSEEN UIDNEXT HIGHESTMODSEQ)")
        seen[box] = {m.uid: (m.flags, m.modseq) for m in o.list}
        told = s.status[box.name]
        unseen = sum("\\Seen" not in flags for flags, _ in seen[box].values())
        if (told["MESSAGES"], told["UNSEEN"], told["UIDNEXT"]) != (len(o.list), unseen, o.uid_next):
            raise Contradiction(f"STATUS says {told}; SELECT and FETCH {len(o.list)} messages, {unseen} unseen, UIDNEXT {o.uid_next}")
        if unnamed := [u for u in seen[box] if u not in box.ident]:
            raise Contradiction(f"UID {unnamed[0]} of {box.name} has no mark of ours")
    auditor.lost()
    return seen


def agree(client, seen):
    """A client's map against the fresh look, when nothing moves any more."""
    o = client.opened
    fresh = seen[o.mailbox]
    if [m.uid for m in o.list] != sorted(fresh):
        raise Contradiction(f"at the end {len(o.list)} messages here and {len(fresh)} in a fresh SELECT: UIDs {sorted(set(o.by_uid) ^ set(fresh))[:5]} differ")
    if back := o.missing & fresh.keys():
        raise Contradiction(f"UID {min(back)} was there all the time and never told here")
    for m in o.list:
        if m.flags != fresh[m.uid][0]:
            raise Contradiction(f"lost FETCH: at the end UID {m.uid} has flags {sorted(m.flags)} here and {sorted(fresh[m.uid][0])} in a fresh SELECT")
        if m.modseq is not None and m.modseq != fresh[m.uid][1]:
            raise Contradiction(f"lost FETCH: at the end UID {m.uid} has MODSEQ {m.modseq} here and {fresh[m.uid][1]} in a fresh SELECT")


async def settle(world, clients):
    """Nobody changes anything any more; two rounds, then all must say the same. Then once more after SIGKILL: what was told is durable."""
    for _ in range(2):
        for c in clients:
            await guarded(c, c.sync())
    seen = await audited(world)
    if seen is None:
        return
    for c in clients:
        if c.session and c.opened:
            try:
                agree(c, seen)
            except Contradiction as e:
                c.session.contradict(str(e))
            world.ledger.count("final maps compared")
    for c in clients:
        c.lost()
    if world.options.mutant:
        return
    await world.kill_and_restart()
    after = await audited(world)
    if after is not None and after != seen:
        box = next(b for b in seen if seen[b] != after[b])
        change = sorted(seen[box].items() ^ after[box].items())[:4]
        world.ledger.contradictions.append((f"after SIGKILL with nothing under way, {box.name}", f"messages, flags or MODSEQs changed: {change}", []))


async def guarded(client, doing):
    try:
        return await doing
    except Contradiction as e:
        client.session.contradict(str(e))
    except Over:
        pass
    return None


async def audited(world):
    try:
        return await audit(world)
    except (Contradiction, Over, OSError) as e:
        world.ledger.contradictions.append(("the last look", str(e) or repr(e), []))
        return None


async def work(world):
    o = world.options
    await world.start_server()
    await make_mailboxes(world)
    clients = [Client(n, world) for n in range(1, o.clients + 1)]
    lives = [asyncio.create_task(c.live()) for c in clients]
    killer = asyncio.create_task(kills(world))
    end = time.monotonic() + o.seconds
    # A liar is found once; an honest server is asked until the end, or until it is plainly broken.
    enough = 1 if o.mutant else 20
    while time.monotonic() < end and len(world.ledger.contradictions) < enough and not any(t.done() for t in lives):
        await asyncio.sleep(0.05)
    await world.up.wait()
    killer.cancel()
    await asyncio.gather(killer, return_exceptions=True)
    if not world.up.is_set():
        await world.start_server()
    world.stopping.set()
    for t in asyncio.as_completed(lives, timeout=120):
        await t
    if len(world.ledger.contradictions) < enough:
        await settle(world, clients)
    for c in clients:
        c.lost()


def report(world, seconds):
    o, found = world.options, world.ledger.contradictions
    for who, sentence, lines in found[:SHOWN]:
        print(f"\n{who}:\n  {sentence}")
        for line in lines[-25:]:
            print("    " + line.decode(errors="backslashreplace").rstrip("\r\n").replace("\0", "{literal}"))
    if len(found) > SHOWN:
        print(f"\nand {len(found) - SHOWN} more:")
        for who, sentence, _ in found[SHOWN:SHOWN + 15]:
            print(f"  {who}: {sentence}")
    counts = world.ledger.counts
    print("imap-stress: " + ", ".join(f"{n} {what}" for what, n in sorted(counts.items())))
    if world.proxy:
        print(f"imap-stress: mutant {o.mutant}: {world.proxy.lies} lies told")
    print(f"imap-stress: {o.clients} clients, {o.mailboxes} mailboxes, seed {o.seed}, {seconds:.0f} s, {counts.get('responses', 0)} untagged responses checked, "
          f"{len(found)} contradictions: {'FAILED' if found else 'passed'}")
    sys.stdout.flush()


async def run(options):
    world = World(options)
    begun = time.monotonic()
    good = False
    try:
        await work(world)
        good = not world.ledger.contradictions
    finally:
        if world.proxy:
            await world.proxy.stop()
        keep = not good and not options.mutant
        code = await world.server.end(keep)
        if keep:
            print(f"imap-stress: the store stays in {world.server.dir}", file=sys.stderr)
    if code not in (0, None):
        world.ledger.contradictions.append(("the server", f"ended with {code}", []))
    report(world, time.monotonic() - begun)
    return 1 if world.ledger.contradictions else 0


def main(description):
    p = argparse.ArgumentParser(prog="./dev prove imap-stress", description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--seconds", type=float, default=60)
    p.add_argument("--clients", type=int, default=50)
    p.add_argument("--mailboxes", type=int, default=10)
    p.add_argument("--seed", type=int, default=1)
    p.add_argument("--kills", type=int, help="SIGKILLs of the server within the run (one in 15 s, none with a mutant)")
    p.add_argument("--mutant", choices=sorted(mutants.MUTANTS), help="lies to the clients in this way: the run must fail")
    options = p.parse_args()
    if options.kills is None:
        options.kills = 0 if options.mutant else int(options.seconds // 15)
    return asyncio.run(run(options))

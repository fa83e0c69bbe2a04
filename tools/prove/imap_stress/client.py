"""One of the clients: connects in its own way, keeps a mailbox open, does what its dice say, comes back after every loss."""
import asyncio
import random
import ssl

from . import actions
from .ledger import Contradiction
from .session import Message, Over, Session
from .wire import set_of

HEADER = "BODY.PEEK[HEADER.FIELDS (X-Stress-Id)]"


class Cache:
    """What a client keeps while it is away."""

    def __init__(self, opened):
        self.mailbox, self.modseq = opened.mailbox, opened.modseq_synced
        self.known = {uid: (m.flags, m.modseq) for uid, m in opened.by_uid.items() if m.flags is not None and m.modseq is not None}
        self.whole = opened.modseq_synced > 0


class Client:
    def __init__(self, number, world):
        self.number, self.world, self.ledger = number, world, world.ledger
        self.dice = random.Random(f"{world.seed}/client/{number}")
        self.session = self.cache = None
        self.silent = False       # a .SILENT STORE is not answered yet: the flags we count with may be wrong
        self.keyword = f"$c{number}"
        self.sent = self.connections = 0

    @property
    def opened(self):
        return self.session.opened if self.session else None

    # ---- the round of life

    async def live(self):
        """Until the world stops; then answers with a session that has a mailbox open and nothing under way."""
        while True:
            try:
                if self.session is None:
                    await self.connect()
                if self.opened is None:
                    await self.open(self.choose_mailbox())
                if self.world.stopping.is_set():
                    return
                await actions.one(self)
            except (Over, OSError) as e:
                if isinstance(e, TimeoutError) and self.world.up.is_set() and self.session:
                    self.session.contradict("no greeting, or no continuation, within 30 s")
                self.lost()
                await self.world.up.wait()
            except Contradiction as e:
                self.session.contradict(str(e))
                self.lost()

    def lost(self):
        s, self.session = self.session, None
        if s is None:
            return
        if s.opened and not s.opened.in_select and s.condstore and not self.silent:
            self.cache = Cache(s.opened)
        self.silent = False
        s.end()
        self.ledger.count("sessions lost")

    def choose_mailbox(self):
        return self.dice.choice(self.ledger.mailboxes)

    # ---- connecting

    async def connect(self):
        self.connections += 1
        s = Session(f"client {self.number}, connection {self.connections}", self.ledger)
        host, port, tls = self.world.address(self.number)
        self.session = s
        async with asyncio.timeout(30):
            await asyncio.get_running_loop().create_connection(lambda: s.wire, host, port, ssl=tls, server_hostname="localhost" if tls else None)
            await s.ready
        s.own_keyword = self.keyword
        await self.need(s, "LOGIN", f"LOGIN {self.world.user} {self.world.secret}")
        await self.need(s, "CAPABILITY", "CAPABILITY")
        if "COMPRESS=DEFLATE" in s.capabilities and not tls and self.dice.random() < 0.5:
            await self.need(s, "COMPRESS", "COMPRESS DEFLATE")
            self.ledger.count("compressed connections")
        await self.enable(s)

    async def need(self, s, name, text):
        answer = await s.command(name, text.encode())
        if answer.status != "OK":
            raise Contradiction(f"{text.split()[0]} was refused: {answer.status} [{answer.code}] {answer.text}")
        return answer

    async def enable(self, s):
        """A fifth each: plain rev1, rev1 with CONDSTORE, rev2, rev2 with CONDSTORE; and where it is offered, QRESYNC."""
        kind = self.dice.choice(("plain", "condstore", "rev2", "both", "qresync"))
        words = []
        if kind in ("rev2", "both") and "IMAP4rev2" in s.capabilities:
            words.append("IMAP4rev2")
        if kind == "qresync" and "QRESYNC" in s.capabilities:
            words.append("QRESYNC")
            s.qresync = s.condstore = True
        elif kind in ("condstore", "both", "qresync"):
            words.append("CONDSTORE")
            s.condstore = True
        if words:
            await self.need(s, "ENABLE", "ENABLE " + " ".join(words))
            if missing := set(words) - s.enabled:
                raise Contradiction(f"ENABLE did not enable {missing}")
        self.ledger.count(f"{kind} sessions")

    # ---- opening a mailbox

    async def open(self, mailbox, examine=False):
        s = self.session
        resync = self.cache if self.cache and s.condstore and self.cache.whole and self.dice.random() < 0.8 else None
        if resync:
            mailbox, examine, self.cache = resync.mailbox, False, None
        o = s.start_select(mailbox, examine)
        verb = "EXAMINE" if examine else "SELECT"
        param, known = "", ""
        if resync and s.qresync:
            known = f" {set_of(resync.known)}" if resync.known and self.dice.random() < 0.5 else ""
            param = f" (QRESYNC ({mailbox.validity} {resync.modseq}{known}))"
        elif s.condstore and self.dice.random() < 0.3:
            param = " (CONDSTORE)"
        await self.need(s, verb, f"{verb} {mailbox.name}{param}")
        if resync and s.qresync:
            self.merge_qresync(o, resync, bool(known))
        elif resync:
            await self.merge_condstore(o, resync)
        await self.fill()
        if self.session.opened is o:
            s.check_opened()

    def merge_qresync(self, o, cache, named):
        """RFC 7162 §3.2.5: what we kept, less what vanished, more what was told, is the mailbox, exactly. When we `named` what we kept, nothing is told of
        other messages (§3.2.5.1): they came after and stand at the end."""
        kept = cache.known.keys() - o.vanished_earlier - o.by_uid.keys()
        uids = sorted(kept | o.by_uid.keys())
        if len(uids) > len(o.list) or (len(uids) < len(o.list) and not named):
            raise Contradiction(f"QRESYNC from MODSEQ {cache.modseq}: {len(uids)} messages are left of what was kept and told, and EXISTS said {len(o.list)}: "
                                f"kept {set_of(kept) or 'none'}, told {set_of(o.by_uid) or 'none'}")
        for place, uid in enumerate(uids):
            if o.list[place].uid not in (None, uid):
                raise Contradiction(f"QRESYNC: message {place + 1} was told as UID {o.list[place].uid} and must be UID {uid}")
            self.place(o, place, uid, cache)
        self.ledger.count("QRESYNC resynchronisations")

    async def merge_condstore(self, o, cache):
        """RFC 7162 §6: changes since, then what is there at all."""
        s = self.session
        o.by_uid.clear()
        for m in o.list:
            m.uid = None
        changed = {}
        before = len(o.list), o.shifts
        answer = await self.need(s, "UID SEARCH", "UID SEARCH ALL")
        if (len(o.list), o.shifts) != before:
            return  # something changed between SELECT and this: what was kept cannot be laid out, all is asked for
        uids = answer.command.found or []
        if len(uids) != len(o.list):
            raise Contradiction(f"UID SEARCH ALL found {len(uids)} of {len(o.list)} messages")
        for place, uid in enumerate(sorted(uids)):
            if uid in cache.known:
                changed[uid] = place
                self.place(o, place, uid, cache)
        if changed:
            await self.need(s, "UID FETCH", f"UID FETCH {set_of(changed)} (FLAGS) (CHANGEDSINCE {cache.modseq})")
        self.ledger.count("CONDSTORE resynchronisations")

    def place(self, o, place, uid, cache):
        message = o.list[place]
        if message.uid is None:
            self.session.learn_uid(o, place, message, uid)
            message.flags, message.modseq = cache.known[uid]

    # ---- what all actions need

    async def fill(self):
        """Asks for the UIDs and flags of messages that are only numbers yet."""
        s, o = self.session, self.opened
        for _ in range(20):
            unknown = o.unknown()
            if not unknown:
                return
            items = "UID FLAGS" + (" MODSEQ" if s.condstore else "") + (f" {HEADER}" if self.dice.random() < 0.3 else "")
            answer = await s.command("FETCH", f"FETCH {set_of(unknown)} ({items})".encode())
            if answer.status == "NO":  # RFC 2180 §4.1: some are gone; NOOP tells which
                await s.command("NOOP", b"NOOP")
        raise Contradiction(f"FETCH never tells the UID of message {o.unknown()[0]}")

    async def sync(self):
        """NOOP, and everything anybody was told before it must be known after it."""
        s, o = self.session, self.opened
        upto = len(o.mailbox.log)
        await self.need(s, "NOOP", "NOOP")
        await self.synced(upto)

    async def synced(self, upto):
        s, o = self.session, self.opened
        told, stale = o.modseq_told, set(o.stale)
        await self.fill()
        s.check_synced(upto, told, stale)

    def pick(self, most):
        """Some messages of the map, near each other or not, by UID."""
        known = [m.uid for m in self.opened.list if m.uid is not None]
        if not known:
            return []
        n = self.dice.randint(1, min(most, len(known)))
        if self.dice.random() < 0.5:
            return sorted(self.dice.sample(known, n))
        first = self.dice.randint(0, len(known) - n)
        return known[first:first + n]

    def numbers_of(self, uids):
        wanted = set(uids)
        return [i + 1 for i, m in enumerate(self.opened.list) if m.uid in wanted]

    def new_ident(self):
        self.sent += 1
        ident = f"{self.number}-{self.sent}"
        self.ledger.tried.add(ident)
        return ident


def tls_context(ca):
    context = ssl.create_default_context(cafile=ca)
    context.check_hostname = False
    return context


__all__ = ["Cache", "Client", "Message", "tls_context"]

"""One connection and what its client knows: the number map of the open mailbox, checked response by response.

The map is built from what the server says and nothing else. RFC sections stand beside the rule they make.
"""
import asyncio
import itertools

from .ledger import Contradiction
from .wire import Wire, number_set

PATIENCE = 40  # seconds for one answer; a server under load is slow, a lost answer never comes
# RFC 9051 §7.5.1: no EXPUNGE while one of these is being answered. Their UID forms may.
NUMBERS_STAND_STILL = {"FETCH", "STORE", "SEARCH", "SORT", "THREAD"}
_ids = itertools.count(1)


class Over(Exception):
    """The connection is gone."""


class Command:
    __slots__ = ("name", "done", "found", "copied")

    def __init__(self, name):
        self.name, self.done = name, asyncio.get_running_loop().create_future()
        self.found = None   # what SEARCH answered
        self.copied = None  # an untagged COPYUID


class Message:
    __slots__ = ("uid", "flags", "modseq")

    def __init__(self):
        self.uid = self.flags = self.modseq = None


class Opened:
    """A selected mailbox as this client sees it."""

    def __init__(self, mailbox, examined):
        self.mailbox, self.examined = mailbox, examined
        self.number = next(_ids)
        self.list, self.by_uid = [], {}
        self.uid_next = self.modseq = self.claimed_count = 0
        self.counted_at_select = 0
        self.shifts = 0          # messages that were told gone
        self.vanished_earlier = set()
        self.in_select = True
        self.modseq_synced = 0   # everything up to here was told: what a client may keep for a resynchronisation
        self.modseq_told = 0
        self.verified = len(mailbox.log)
        self.missing = set()     # UIDs that ought to have been told and may be gone: they must be gone at the end
        self.stale = set()       # an older MODSEQ was told again: only a message that is gone may do that
        # What was known to somebody before this SELECT began.
        self.before_gone = mailbox.gone.copy()
        self.before_alive = mailbox.alive.copy()
        self.before_newest = mailbox.newest.copy()
        self.before_uid, self.before_modseq = mailbox.highest_uid, mailbox.highest_modseq

    def unknown(self):
        return [i + 1 for i, m in enumerate(self.list) if m.uid is None or m.flags is None]


class Session:
    """Commands in, facts out. A contradiction closes the connection and is kept in the ledger."""

    def __init__(self, name, ledger, rev2=False):
        self.name, self.ledger = name, ledger
        self.wire = Wire(self)
        self.tags = itertools.count(1)
        self.inflight = {}
        self.capabilities, self.enabled = set(), set()
        self.opened = None
        self.ready = asyncio.get_running_loop().create_future()  # the greeting
        self.waiting = None                                      # for "+"
        self.condstore = self.qresync = False
        self.own_keyword = None
        self.status = {}
        self.bye = None
        self.opening = None

    # ---- speaking

    async def command(self, name, octets):
        """Sends one command and waits for its tagged answer; BAD is a contradiction, everything we say is right."""
        return await self.finish(*self.begin(name, octets))

    def begin(self, name, octets):
        if self.wire.lost:
            raise Over()
        tag = f"t{next(self.tags)}"
        command = self.inflight[tag] = Command(name)
        self.wire.send(tag.encode() + b" " + octets + b"\r\n")
        self.ledger.count("commands")
        return tag, command

    async def finish(self, tag, command):
        try:
            async with asyncio.timeout(PATIENCE):
                answer = await command.done
        except TimeoutError:
            self.contradict(f"{command.name} was not answered within {PATIENCE} s")
            raise Over() from None
        if answer.status == "BAD":
            self.contradict(f"{command.name} was answered BAD [{answer.code}] {answer.text}")
            raise Over()
        answer.command = command
        return answer

    def contradict(self, sentence):
        self.ledger.count("contradictions")
        if not self.wire.lost:
            where = f" ({self.opened.mailbox.name}, {len(self.opened.list)} messages)" if self.opened else ""
            self.ledger.contradictions.append((self.name + where, sentence, list(self.wire.recent)))
        self.end()

    def end(self):
        self.wire.close()
        self.wire.lost = True
        self.on_lost()

    # ---- hearing

    def on_lost(self):
        self.wire.lost = True
        waiting = [c.done for c in self.inflight.values()] + [self.ready] + ([self.waiting] if self.waiting else [])
        self.inflight.clear()
        for future in waiting:
            if not future.done():
                future.set_exception(Over())
                future.exception()  # somebody may have gone already

    def on_garbage(self, text):
        self.contradict(f"not IMAP: {text[:200]!r}")

    def on_continue(self):
        if self.waiting and not self.waiting.done():
            self.waiting.set_result(None)

    def on_tagged(self, answer):
        command = self.inflight.pop(answer.tag, None)
        if command is None:
            return self.contradict(f"an answer to no command: {answer.tag} {answer.status}")
        if answer.status == "OK" and command.name == "COMPRESS":
            self.wire.compress()
        if answer.status == "OK" and command.name in ("SELECT", "EXAMINE"):
            self.checked(self.end_select)
        if not command.done.done():
            command.done.set_result(answer)
        return None

    def checked(self, what, *args):
        self.ledger.count("responses")
        try:
            what(*args)
        except Contradiction as e:
            self.contradict(str(e))
        except (ValueError, IndexError, KeyError, TypeError) as e:
            self.contradict(f"not understood: {e!r}")

    def on_number(self, number, name):
        self.checked({"EXISTS": self.exists, "RECENT": self.recent, "EXPUNGE": self.expunge}[name], number)

    def on_fetch(self, number, items):
        self.checked(self.fetch, number, items)

    def on_untagged(self, name, rest, literals):
        self.checked(self.untagged, name, rest, literals)

    # ---- the number map

    def box(self, what):
        if self.opened is None:
            raise Contradiction(f"{what} with no mailbox open")
        return self.opened

    def exists(self, count):
        o = self.box("EXISTS")
        if count < len(o.list):
            raise Contradiction(f"EXISTS fell from {len(o.list)} to {count} without an EXPUNGE")  # RFC 9051 §7.4.1
        o.list.extend(Message() for _ in range(count - len(o.list)))

    def recent(self, count):
        o = self.box("RECENT")
        if "IMAP4rev2" in self.enabled:
            raise Contradiction("RECENT after ENABLE IMAP4rev2")
        if count > len(o.list):
            raise Contradiction(f"{count} RECENT of {len(o.list)} messages")

    def may_shift(self, what):
        if not self.inflight:
            raise Contradiction(f"{what} while no command was in progress")  # RFC 9051 §7.5.1
        if wrong := [c.name for c in self.inflight.values() if c.name in NUMBERS_STAND_STILL]:
            raise Contradiction(f"{what} during {wrong[0]}")

    def expunge(self, number):
        o = self.box("EXPUNGE")
        if self.qresync:
            raise Contradiction("EXPUNGE after ENABLE QRESYNC")  # RFC 7162 §3.2.10: VANISHED from then on
        self.may_shift("EXPUNGE")
        if not 1 <= number <= len(o.list):
            raise Contradiction(f"EXPUNGE of message {number} of {len(o.list)}")
        self.forget(o, o.list.pop(number - 1))

    def forget(self, o, message):
        o.shifts += 1
        self.ledger.count("expunges told")
        if message.uid is None:
            return  # told before its UID was asked for
        del o.by_uid[message.uid]
        o.stale.discard(message.uid)
        o.mailbox.saw_gone(message.uid)

    def vanished(self, text):
        o = self.box("VANISHED")
        if not self.qresync:
            raise Contradiction("VANISHED without ENABLE QRESYNC")
        uids = number_set(text.removeprefix(b"(EARLIER) ").decode())
        if text.startswith(b"(EARLIER) "):  # RFC 7162 §3.2.10.1: shrinks no map; of what was kept it takes away
            o.vanished_earlier.update(uids)
            return
        self.may_shift("VANISHED")
        for uid in uids:
            if uid not in o.by_uid:
                # RFC 7162 §3.2.10.2: VANISHED shrinks the map; of a message whose UID was never asked for it is the first unknown that fits.
                self.vanish_unknown(o, uid)
                continue
            message = o.by_uid[uid]
            o.list.remove(message)
            self.forget(o, message)

    def vanish_unknown(self, o, uid):
        place = self.place_of_unknown(o, uid)
        if place is None:
            raise Contradiction(f"VANISHED names UID {uid}, which this session never counted")
        o.shifts += 1
        del o.list[place]
        o.mailbox.saw_gone(uid)

    @staticmethod
    def place_of_unknown(o, uid):
        for i in range(len(o.list) - 1, -1, -1):
            if o.list[i].uid is None:
                below = next((m.uid for m in reversed(o.list[:i]) if m.uid), 0)
                if below < uid:
                    return i
            elif o.list[i].uid < uid:
                return None
        return None

    # ---- FETCH

    def fetch(self, number, items):
        o = self.box("FETCH")
        if not 1 <= number <= len(o.list):
            raise Contradiction(f"FETCH of message {number} of {len(o.list)}")
        message = o.list[number - 1]
        if "UID" in items:
            self.learn_uid(o, number - 1, message, items["UID"])
        if not any(c.name.endswith("FETCH") for c in self.inflight.values()):
            # Asked for by no FETCH: what the session enabled comes along (RFC 7162 §3.1.4.2, §3.2.4).
            if self.condstore and "MODSEQ" not in items:
                raise Contradiction("FETCH without MODSEQ to a client that enabled CONDSTORE")
            if self.qresync and "UID" not in items:
                raise Contradiction("FETCH without UID to a client that enabled QRESYNC")
        if message.uid is None:
            return  # flags of a message whose UID we do not know yet: asked for again with it
        self.learn_flags(o, message, items)
        for name, value in items.items():
            if name.startswith("BODY[HEADER.FIELDS") and value is not None:
                self.learn_ident(o, message.uid, value[1])

    def learn_uid(self, o, place, message, uid):
        if message.uid is not None:
            if message.uid != uid:
                raise Contradiction(f"message {place + 1} is UID {message.uid} in this session and is told as UID {uid}")
            return
        below = next((m.uid for m in reversed(o.list[:place]) if m.uid), 0)
        above = next((m.uid for m in o.list[place + 1:] if m.uid), 1 << 32)
        if not below < uid < above:
            raise Contradiction(f"message {place + 1} is UID {uid}, between UIDs {below} and {above}")  # RFC 9051 §2.3.1.1
        if not o.in_select and place >= o.counted_at_select and uid < o.uid_next:
            raise Contradiction(f"UID reused: UID {uid} arrived after SELECT said UIDNEXT {o.uid_next}")
        if uid in o.before_gone:
            raise Contradiction(f"UID reused: UID {uid} was gone before this SELECT")
        message.uid = uid
        o.by_uid[uid] = message
        o.mailbox.saw_uid(uid)

    def learn_flags(self, o, message, items):
        uid, flags, modseq = message.uid, items.get("FLAGS"), items.get("MODSEQ")
        if flags is not None and "\\Recent" in flags:
            if "IMAP4rev2" in self.enabled:
                raise Contradiction("\\Recent after ENABLE IMAP4rev2")
            if not o.examined:
                o.mailbox.claims_recent(uid, o.number)
            flags = flags - {"\\Recent"}
        if flags is not None:
            o.mailbox.saw_flags(uid, flags, modseq)
        if modseq is not None:
            o.modseq_told = max(o.modseq_told, modseq)
            if message.modseq is not None and modseq < message.modseq:
                o.stale.add(uid)
                return
            message.modseq = modseq
        if flags is None:
            return
        message.flags = flags
        own = o.mailbox.own.get((uid, self.own_keyword))
        if own and own[1] is not None and own[1] != (self.own_keyword in flags):
            o.stale.add(uid)  # only of a message that is gone may something older be told

    def learn_ident(self, o, uid, header):
        ident = header.strip().removeprefix(b"X-Stress-Id: ").decode()
        if not ident and o.mailbox.may_go(uid):
            return  # gone while it was read
        if ident not in self.ledger.tried:
            raise Contradiction(f"UID {uid} is a message nobody appended: {header!r}")
        self.ledger.count("contents compared")
        o.mailbox.identify(uid, ident)

    # ---- everything else

    def untagged(self, name, rest, literals):
        if name in ("OK", "NO", "BAD", "BYE", "PREAUTH"):
            return self.status_line(name, rest)
        if name == "VANISHED":
            return self.vanished(rest)
        if name in ("SEARCH", "ESEARCH"):
            return self.searched(name, rest)
        if name == "STATUS":
            return self.status_answer(rest, literals)
        if name == "CAPABILITY":
            self.capabilities = set(rest.decode().split())
            return None
        if name == "ENABLED":
            self.enabled |= set(rest.decode().split())
            return None
        if name in ("FLAGS", "LIST"):
            return None
        raise Contradiction(f"an untagged {name}, which was not asked for")

    def status_line(self, name, rest):
        code = rest[1:].partition(b"]")[0].decode(errors="replace") if rest.startswith(b"[") else ""
        word, _, value = code.partition(" ")
        if not self.ready.done():
            if word == "CAPABILITY":
                self.capabilities = set(value.split())
            self.ready.set_result(None)
            return
        if name == "BYE":
            self.bye = rest.decode(errors="replace")
        elif word == "CLOSED":
            self.opened, self.opening = self.opening or self.opened, None
        elif word == "COPYUID":
            for c in self.inflight.values():
                c.copied = code
        elif word == "UIDVALIDITY":
            self.box(word).mailbox.valid(int(value))
        elif word == "UIDNEXT":
            self.box(word).uid_next = int(value)
        elif word == "HIGHESTMODSEQ":
            self.highest(int(value))

    def highest(self, value):
        o = self.box("HIGHESTMODSEQ")
        if value < o.modseq:
            raise Contradiction(f"HIGHESTMODSEQ fell from {o.modseq} to {value}")
        o.modseq = value
        o.modseq_told = max(o.modseq_told, value) if o.in_select else o.modseq_told

    def searched(self, name, rest):
        asking = next((c for c in self.inflight.values() if c.name.endswith("SEARCH") and c.found is None), None)
        if asking is None:
            raise Contradiction(f"{name} without a search")
        text = rest.decode()
        if name == "ESEARCH":
            words = text.split()
            asking.found = number_set(words[words.index("ALL") + 1]) if "ALL" in words else []
        else:
            asking.found = [int(n) for n in text.partition("(")[0].split()]
        if not asking.name.startswith("UID") and asking.found and max(asking.found) > len(self.box(name).list):
            raise Contradiction(f"SEARCH found message {max(asking.found)} of {len(self.opened.list)}")

    def status_answer(self, rest, _literals):
        name, _, items = rest.partition(b" ")
        words = items.decode().strip("()").split()
        self.status[name.decode().strip('"')] = {k: int(v) for k, v in zip(words[::2], words[1::2])}

    # ---- opening a mailbox

    def start_select(self, mailbox, examined):
        """Before SELECT is sent: what comes until [CLOSED] still belongs to the mailbox open before."""
        fresh = Opened(mailbox, examined)
        if self.opened is None:
            self.opened = fresh
        else:
            self.opening = fresh
        return fresh

    def end_select(self):
        if self.opening:
            raise Contradiction("SELECT closed a mailbox without [CLOSED]")  # RFC 9051 §7.1
        o = self.opened
        o.in_select = False
        o.counted_at_select = len(o.list)
        if o.uid_next <= o.before_uid:
            raise Contradiction(f"UIDNEXT is {o.uid_next}, and UID {o.before_uid} was given before")
        if o.modseq < o.before_modseq:
            raise Contradiction(f"HIGHESTMODSEQ is {o.modseq}, and {o.before_modseq} was told before")

    def check_opened(self):
        """When the whole map has been read after SELECT: it must hold what anybody knew before."""
        o = self.opened
        if back := o.before_gone & o.by_uid.keys():
            raise Contradiction(f"SELECT counts UID {min(back)}, which was told gone before")
        o.missing |= o.before_alive - o.by_uid.keys()
        self.check_missing(o)
        for uid, message in o.by_uid.items():
            if message.modseq is not None and message.modseq < o.before_newest.get(uid, 0):
                raise Contradiction(f"lost FETCH: UID {uid} has MODSEQ {message.modseq} after SELECT, and {o.before_newest[uid]} was told before")
        self.settle(o.stale)
        o.modseq_synced = o.modseq

    @staticmethod
    def check_missing(o):
        o.missing -= o.mailbox.gone
        if lost := o.missing - o.mailbox.deleted - o.mailbox.moved:
            raise Contradiction(f"UID {min(lost)} was told to others before, is not here, and nobody removed it")

    @staticmethod
    def settle(stale):
        if stale:
            raise Contradiction(f"older flags of UID {min(stale)} were told again, and the message is still there")

    @staticmethod
    def check_flags(o, uid, message, least):
        if message.modseq < least:
            raise Contradiction(f"lost FETCH: UID {uid} has MODSEQ {message.modseq} here, and {least} was told to others before")
        told = o.mailbox.flags_at[uid].get(message.modseq)
        if told is not None and told != message.flags:
            raise Contradiction(f"lost FETCH: UID {uid} at MODSEQ {message.modseq} has flags {sorted(message.flags)} here, and others were told {sorted(told)}")

    def check_synced(self, upto, told, stale):
        """After a command that tells everything (NOOP, the end of IDLE): what stood in the log when it was sent is known here. The map has no holes.

        `upto`: the log's length when it was sent. `told`, `stale`: as they were when it was answered, before UIDs of new messages were asked for.
        """
        o = self.opened
        for kind, uid, detail, more in o.mailbox.log[o.verified:upto]:
            message = o.by_uid.get(uid)
            if kind == "gone" and message:
                raise Contradiction(f"UID {uid} was told gone to others before, and is still counted here")
            if kind == "arrived" and not message:
                o.missing.add(uid)
            elif kind == "flags" and message and message.modseq is not None:
                self.check_flags(o, uid, message, detail)
            elif kind == "own" and message and o.mailbox.own[uid, detail][0] == more[0] and (detail in message.flags) != more[1]:
                raise Contradiction(f"lost FETCH: {detail} of UID {uid} is {'not ' if more[1] else ''}told here; its owner was answered before that it {'set' if more[1] else 'cleared'} it")
        self.ledger.count("changes compared", upto - o.verified)
        o.verified = max(o.verified, upto)
        o.missing -= o.by_uid.keys()
        self.check_missing(o)
        self.settle(stale & o.stale)
        o.modseq_synced = told

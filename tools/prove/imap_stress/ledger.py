"""What any client was ever told, outside the server. Whatever was told was committed before: it must hold for all others, also after SIGKILL.

Nothing here knows what the server ought to have done; two answers that cannot both be true are a contradiction.
"""
import asyncio
import contextlib

LOST_COPY_ENDS = 10  # seconds after its connection was lost


class Contradiction(Exception):
    """Two things the server said do not go together."""


class Mailbox:
    """All that is known of one mailbox. `log` is in the order of telling: a client that asks after entry i was written must know it when answered."""

    def __init__(self, name, exact_flags):
        self.name = name
        self.exact_flags = exact_flags  # nobody replaces flags or takes \Deleted back here: keywords of clients and \Deleted can be counted on
        self.validity = None
        self.ident = {}     # UID → the message's own mark
        self.flags_at = {}  # UID → {MODSEQ: flags}
        self.newest = {}    # UID → the highest MODSEQ told
        self.alive = set()  # UIDs told of and not told gone
        self.gone = set()
        self.deleted = set()  # UIDs somebody tried to mark \Deleted, or was told are
        self.moved = set()    # UIDs somebody tried to MOVE away
        self.arriving = []    # of each COPY and MOVE hither that is under way: the highest UID known when it began
        self.recent = {}    # UID → the session whose \Recent it is
        self.own = {}       # (UID, keyword) → [number of the last change begun, what it left; None: not known]
        self.highest_uid = 0
        self.highest_modseq = 0
        self.log = []

    def may_go(self, uid):
        return uid in self.deleted or uid in self.moved or any(uid > above for above in self.arriving)

    @contextlib.contextmanager
    def receiving(self, above):
        """Around a COPY or MOVE hither: what is \\Deleted arrives so, and others may see it and expunge it before the copier has read which UIDs it got."""
        self.arriving.append(above)
        try:
            yield
        except BaseException:
            # Nobody will say which UIDs they were: those told of until the server is done with it keep the benefit of the doubt.
            asyncio.get_running_loop().call_later(LOST_COPY_ENDS, self.arriving.remove, above)
            raise
        self.arriving.remove(above)

    def valid(self, validity):
        if self.validity is None:
            self.validity = validity
        if self.validity != validity:
            raise Contradiction(f"UIDVALIDITY of {self.name} was {self.validity} and is {validity}")

    def saw_uid(self, uid):
        if uid in self.alive or uid in self.gone:
            return
        self.alive.add(uid)
        self.highest_uid = max(self.highest_uid, uid)
        self.log.append(("arrived", uid, None, None))

    def given_uid(self, uid, above):
        """A new message got `uid`; when the command began, `above` was the highest UID anybody knew."""
        if uid <= above:
            raise Contradiction(f"UID reused: {self.name} gave UID {uid} to a new message, but {above} was given before")
        self.saw_uid(uid)

    def identify(self, uid, ident):
        if self.ident.setdefault(uid, ident) != ident:
            raise Contradiction(f"UID reused: UID {uid} of {self.name} is message {ident}, and was {self.ident[uid]}")

    def saw_flags(self, uid, flags, modseq):
        """`flags` without \\Recent."""
        if "\\Deleted" in flags:
            self.deleted.add(uid)
        if modseq is None:
            return
        self.highest_modseq = max(self.highest_modseq, modseq)
        if self.flags_at.setdefault(uid, {}).setdefault(modseq, flags) != flags:
            raise Contradiction(f"UID {uid} of {self.name} at MODSEQ {modseq} has flags {sorted(flags)}, and others were told {sorted(self.flags_at[uid][modseq])}")
        if modseq > self.newest.get(uid, 0):
            self.newest[uid] = modseq
            self.log.append(("flags", uid, modseq, None))

    def saw_gone(self, uid):
        if not self.may_go(uid):
            raise Contradiction(f"wrong EXPUNGE: UID {uid} of {self.name} is said to be gone, and nobody removed it")
        if uid not in self.gone:
            self.gone.add(uid)
            self.alive.discard(uid)
            self.log.append(("gone", uid, None, None))

    def claims_recent(self, uid, session):
        holder = self.recent.setdefault(uid, session)
        if holder != session:
            raise Contradiction(f"UID {uid} of {self.name} is \\Recent for session {session}, and was for session {holder}")

    def begin_own(self, uid, keyword):
        """A client is about to change its own keyword: until told otherwise, either state is right."""
        entry = self.own.setdefault((uid, keyword), [0, None])
        before = entry[1]
        entry[0] += 1
        entry[1] = None
        return entry[0], before

    def end_own(self, uid, keyword, number, value):
        self.own[uid, keyword][1] = value
        if value is not None:
            self.log.append(("own", uid, keyword, (number, value)))


class Ledger:
    def __init__(self, names):
        # In the last fifth of the mailboxes clients replace flags.
        self.mailboxes = [Mailbox(n, exact_flags=i < max(1, len(names) * 4 // 5)) for i, n in enumerate(names)]
        self.by_name = {m.name: m for m in self.mailboxes}
        self.tried = set()     # marks of every message that was ever appended, answered or not
        self.churned = {}      # name of a mailbox made and deleted again and again → its highest UIDVALIDITY
        self.contradictions = []
        self.counts = {}

    def count(self, what, n=1):
        self.counts[what] = self.counts.get(what, 0) + n

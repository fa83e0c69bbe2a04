"""What a client may do, with how often; each speaks, and says to the ledger what it tried before and what it was promised after."""
import asyncio

from .ledger import Contradiction
from .wire import number_set, set_of

FULL, SCARCE = 160, 25  # messages: above, things are deleted more often; below, appended
SYSTEM = ("\\Seen", "\\Flagged", "\\Answered", "\\Draft")


def message(ident, size):
    body = ("stress " * (size // 7 + 1))[:size]
    text = f"X-Stress-Id: {ident}\r\nFrom: a@example.test\r\nTo: b@example.test\r\nSubject: {ident}\r\nDate: Thu, 1 Jan 2026 00:00:00 +0000\r\n\r\n{body}\r\n"
    return text.encode()


def check_no(answer, *codes):
    """A refusal is right for messages that went meanwhile, and for nothing else."""
    if answer.status == "NO" and answer.code.split(" ")[0] not in codes:
        raise Contradiction(f"{answer.command.name} was refused: [{answer.code}] {answer.text}")


async def noop(c):
    await c.sync()


async def idle(c):
    s, o = c.session, c.opened
    s.waiting = asyncio.get_running_loop().create_future()
    tag, command = s.begin("IDLE", b"IDLE")
    async with asyncio.timeout(30):
        await s.waiting
    try:
        async with asyncio.timeout(c.dice.uniform(0.02, 1.0)):
            await c.world.stopping.wait()
    except TimeoutError:
        pass
    upto = len(o.mailbox.log)
    if not s.wire.lost:
        s.wire.send(b"DONE\r\n")
    answer = await s.finish(tag, command)
    check_no(answer)
    await c.synced(upto)


async def append(c):
    s = c.session
    box = c.opened.mailbox if c.dice.random() < 0.6 else c.choose_mailbox()
    n = c.dice.choice((1, 1, 1, 2, 5)) if "MULTIAPPEND" in s.capabilities else 1
    idents, octets = [], b"APPEND " + box.name.encode()
    for _ in range(n):
        idents.append(c.new_ident())
        flags = " ".join(f for f in (*SYSTEM, c.keyword) if c.dice.random() < 0.2)
        text = message(idents[-1], c.dice.choice((20, 300, 3000)))
        octets += f" ({flags}) {{{len(text)}+}}\r\n".encode() + text
    above = box.highest_uid
    answer = await s.command("APPEND", octets)
    check_no(answer)
    word, validity, uids = answer.code.split()
    if word != "APPENDUID":
        raise Contradiction(f"APPEND was answered [{answer.code}] and not APPENDUID")
    box.valid(int(validity))
    uids = number_set(uids)
    if len(uids) != n:
        raise Contradiction(f"APPENDUID names {len(uids)} messages of {n}")
    for uid, ident in zip(uids, idents):
        box.given_uid(uid, above)
        box.identify(uid, ident)
    c.ledger.count("appended", n)


def words_of_set(c, uids):
    """The set by UID or by number, and the prefix of the command."""
    if c.dice.random() < 0.5:
        return "UID ", set_of(uids)
    return "", set_of(c.numbers_of(uids))


def apply(flags, sign, names):
    return flags | names if sign == "+" else flags - names if sign == "-" else names


async def change(c, uids, sign, names, silent):
    """STORE and the client's own reckoning of it. Answers with the UIDs that were refused as MODIFIED."""
    s, o = c.session, c.opened
    by_uid, words = words_of_set(c, uids)
    since, condition = None, ""
    if s.condstore and not silent and c.dice.random() < 0.25:
        since = min((o.by_uid[u].modseq or 0) for u in uids) if c.dice.random() < 0.5 else max((o.by_uid[u].modseq or 0) for u in uids)
        condition = f"(UNCHANGEDSINCE {since}) "
    before = {u: o.mailbox.newest.get(u, 0) for u in uids}
    if silent:  # what the server does not tell, the client reckons (RFC 9051 §6.4.6); whatever is told after this is later
        c.silent = True
        for u in uids:
            if o.by_uid[u].flags is not None:
                o.by_uid[u].flags = apply(o.by_uid[u].flags, sign, frozenset(names))
    text = f"{by_uid}STORE {words} {condition}{sign if sign != '=' else ''}FLAGS{'.SILENT' if silent else ''} ({' '.join(names)})"
    numbers = dict(zip(c.numbers_of(uids), sorted(uids)))
    answer = await s.command(f"{by_uid}STORE", text.encode())
    check_no(answer, "EXPUNGEISSUED", "MODIFIED")
    c.silent = False
    if not answer.code.startswith("MODIFIED"):
        refused = set()
    else:
        named = number_set(answer.code.split()[1])
        refused = set(named) if by_uid else {numbers[n] for n in named}
    if refused - set(uids) or (refused and since is None):
        raise Contradiction(f"MODIFIED names {sorted(refused)}; STORE named {sorted(uids)}")
    if since is not None:
        for u in set(uids) - refused - o.mailbox.deleted - o.mailbox.moved:
            if before[u] > since:
                raise Contradiction(f"STORE UNCHANGEDSINCE {since} changed UID {u}, whose MODSEQ was {before[u]} before")
        c.ledger.count("conditional stores")
    return refused


async def store_own(c):
    box = c.opened.mailbox
    uids = c.pick(8)
    if not uids or not box.exact_flags:
        return
    add = c.dice.random() < 0.6
    begun = {u: box.begin_own(u, c.keyword) for u in uids}
    refused = await change(c, uids, "+" if add else "-", (c.keyword,), c.dice.random() < 0.4)
    for u, (number, before) in begun.items():
        box.end_own(u, c.keyword, number, before if u in refused else add)


async def store_system(c):
    uids = c.pick(12)
    if uids:
        names = tuple(c.dice.sample(SYSTEM, c.dice.randint(1, 3)))
        await change(c, uids, c.dice.choice("++-"), names, c.dice.random() < 0.4)


async def store_replace(c):
    uids = c.pick(6)
    if uids and not c.opened.mailbox.exact_flags:
        await change(c, uids, "=", tuple(c.dice.sample(SYSTEM, c.dice.randint(1, 3))), c.dice.random() < 0.3)


async def store_deleted(c):
    uids = c.pick(20 if len(c.opened.list) > FULL else 4)
    if uids:
        c.opened.mailbox.deleted.update(uids)
        await change(c, uids, "+", ("\\Deleted",), c.dice.random() < 0.5)


def must_be_gone(c, uids, why):
    if left := set(uids) & c.opened.by_uid.keys():
        raise Contradiction(f"{why}: UID {min(left)} is still counted after the answer")


def deleted_ones(c):
    return [u for u, m in c.opened.by_uid.items() if m.flags is not None and "\\Deleted" in m.flags]


async def expunge(c):
    o, going = c.opened, deleted_ones(c)
    check_no(await c.session.command("EXPUNGE", b"EXPUNGE"))
    if o.mailbox.exact_flags:  # there nobody takes \Deleted back
        must_be_gone(c, going, "EXPUNGE")


async def uid_expunge(c):
    o, going = c.opened, deleted_ones(c)
    if not going:
        return
    going = c.dice.sample(going, c.dice.randint(1, len(going)))
    check_no(await c.session.command("UID EXPUNGE", f"UID EXPUNGE {set_of(going)}".encode()))
    if o.mailbox.exact_flags:
        must_be_gone(c, going, "UID EXPUNGE")


async def fetch(c):
    uids = c.pick(40)
    if not uids:
        return
    by_uid, words = words_of_set(c, uids)
    items = c.dice.choice(("FLAGS", "(UID FLAGS)", "(FLAGS INTERNALDATE RFC822.SIZE)", "(UID FLAGS ENVELOPE)", "(UID BODY.PEEK[HEADER.FIELDS (X-Stress-Id)])", "(UID BODYSTRUCTURE)"))
    check_no(await c.session.command(f"{by_uid}FETCH", f"{by_uid}FETCH {words} {items}".encode()), "EXPUNGEISSUED")


async def read(c):
    """Bodies; sets \\Seen."""
    uids = c.pick(3)
    if uids:
        by_uid, words = words_of_set(c, uids)
        check_no(await c.session.command(f"{by_uid}FETCH", f"{by_uid}FETCH {words} BODY[TEXT]".encode()), "EXPUNGEISSUED")


async def fetch_changed(c):
    s, o = c.session, c.opened
    if not s.condstore or not o.modseq_synced:
        return
    vanished = " VANISHED" if s.qresync and c.dice.random() < 0.5 else ""
    await c.need(s, "UID FETCH", f"UID FETCH 1:* (FLAGS) (CHANGEDSINCE {o.modseq_synced}{vanished})")


async def search(c):
    """Our own keyword: nobody else sets or clears it, so the answer is known wherever the ledger knows."""
    o = c.opened
    by_uid = c.dice.random() < 0.5
    order = [m.uid for m in o.list]  # as numbers stand while SEARCH is answered
    answer = await c.session.command("UID SEARCH" if by_uid else "SEARCH", f"{'UID ' if by_uid else ''}SEARCH KEYWORD {c.keyword}".encode())
    check_no(answer)
    if not o.mailbox.exact_flags:
        return
    numbers = answer.command.found or []
    found = set(numbers) if by_uid else {order[n - 1] for n in numbers}
    for uid in order:
        own = o.mailbox.own.get((uid, c.keyword))
        if uid is None or own is None or own[1] is None or own[1] == (uid in found) or o.mailbox.may_go(uid):
            continue
        raise Contradiction(f"SEARCH KEYWORD {c.keyword} {'found' if uid in found else 'did not find'} UID {uid}, whose owner was answered otherwise before")


async def copy(c):
    s, o = c.session, c.opened
    uids, to = c.pick(5), c.choose_mailbox()
    if not uids or len(o.list) > FULL:
        return
    by_uid, words = words_of_set(c, uids)
    above = to.highest_uid
    with to.receiving(above):
        answer = await s.command(f"{by_uid}COPY", f"{by_uid}COPY {words} {to.name}".encode())
        check_no(answer, "EXPUNGEISSUED")
        if answer.code:
            copied(c, o.mailbox, uids, to, above, answer.code)


def copied(c, source, uids, to, above, code):
    word, validity, old, new = code.split()
    if word != "COPYUID":
        raise Contradiction(f"[{code}] is not COPYUID")
    to.valid(int(validity))
    old, new = number_set(old), number_set(new)
    if len(old) != len(new) or set(old) - set(uids):
        raise Contradiction(f"[{code}] of messages {sorted(uids)}")
    for before, after in zip(old, new):
        if before in source.deleted:
            to.deleted.add(after)  # \Deleted is copied with the rest
        to.given_uid(after, above)
        if before in source.ident:
            to.identify(after, source.ident[before])
    c.ledger.count("copied", len(new))
    return old


async def move(c):
    s, o = c.session, c.opened
    uids, to = c.pick(8 if len(o.list) > FULL else 3), c.choose_mailbox()
    if not uids:
        return
    by_uid, words = words_of_set(c, uids)
    above = to.highest_uid
    o.mailbox.moved.update(uids)
    with to.receiving(above):
        answer = await s.command(f"{by_uid}MOVE", f"{by_uid}MOVE {words} {to.name}".encode())
        check_no(answer, "EXPUNGEISSUED")
        code = answer.command.copied or (answer.code if answer.code.startswith("COPYUID") else "")
        if code and answer.status == "OK":
            must_be_gone(c, copied(c, o.mailbox, uids, to, above, code), "MOVE")
    c.ledger.count("moves")


async def status(c):
    box = c.choose_mailbox()
    above, modseq = box.highest_uid, box.highest_modseq
    await c.need(c.session, "STATUS", f"STATUS {box.name} (MESSAGES UIDNEXT UIDVALIDITY HIGHESTMODSEQ)")
    got = c.session.status[box.name]
    box.valid(got["UIDVALIDITY"])
    if got["UIDNEXT"] <= above or got["HIGHESTMODSEQ"] < modseq:
        raise Contradiction(f"STATUS {box.name} says {got}; UID {above} and MODSEQ {modseq} were told before")


async def reselect(c):
    if c.dice.random() < 0.4:
        verb = c.dice.choice(("UNSELECT", "CLOSE"))  # CLOSE removes what is \Deleted, without a word
        await c.need(c.session, verb, verb)
        c.session.opened = None
    await c.open(c.choose_mailbox(), examine=c.dice.random() < 0.15)


async def reconnect(c):
    """Goes away, politely or not, keeping what was synchronised."""
    await c.sync()
    if c.dice.random() < 0.5:
        await c.need(c.session, "LOGOUT", "LOGOUT")
    c.lost()


async def pipeline(c):
    """Several commands that count with numbers, sent at once: nothing may shift until the last is answered (RFC 9051 §5.5)."""
    uids = c.pick(5)
    if not uids:
        return
    words = set_of(c.numbers_of(uids))
    lines = [("FETCH", f"FETCH {words} (UID FLAGS)"), ("SEARCH", "SEARCH UNSEEN"), ("FETCH", f"FETCH {words} FLAGS")]
    if not c.opened.examined:
        lines.insert(1, ("STORE", f"STORE {words} +FLAGS (\\Answered)"))
    begun = [c.session.begin(name, text.encode()) for name, text in lines]
    for tag, command in begun:
        check_no(await c.session.finish(tag, command), "EXPUNGEISSUED")


async def churn(c):
    """Makes and deletes a mailbox of one name: its UIDVALIDITY must rise, or UIDs would be used twice."""
    name, s = f"churn-{c.number}", c.session
    answer = await s.command("CREATE", f"CREATE {name}".encode())
    check_no(answer, "ALREADYEXISTS")
    text = message(c.new_ident(), 10)
    answer = await s.command("APPEND", f"APPEND {name} {{{len(text)}+}}\r\n".encode() + text)
    check_no(answer)
    validity = int(answer.code.split()[1])
    if validity <= c.ledger.churned.get(name, 0):
        raise Contradiction(f"UIDVALIDITY of a new {name} is {validity}, and was {c.ledger.churned[name]} before")
    answer = await s.command("DELETE", f"DELETE {name}".encode())
    check_no(answer)
    c.ledger.churned[name] = validity


READING = {noop: 10, idle: 8, fetch: 8, search: 4, status: 2, reselect: 3, fetch_changed: 2, append: 6}
WRITING = {**READING, append: 9, store_own: 14, store_system: 8, store_replace: 3, store_deleted: 4, expunge: 3, uid_expunge: 2, read: 2, copy: 2, move: 3, reconnect: 2, pipeline: 3, churn: 0.3}
CROWDED = {**WRITING, append: 1, copy: 0, store_deleted: 12, expunge: 8}
EMPTY = {**WRITING, append: 40, expunge: 1, move: 1}
TABLES = {id(t): (list(t), list(t.values())) for t in (READING, WRITING, CROWDED, EMPTY)}


async def one(c):
    o = c.opened
    table = READING if o.examined else CROWDED if len(o.list) > FULL else EMPTY if len(o.list) < SCARCE else WRITING
    what, weights = TABLES[id(table)]
    action = c.dice.choices(what, weights)[0]
    c.ledger.count("actions")
    await action(c)

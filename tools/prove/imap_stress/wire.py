"""IMAP on the wire: octets to responses, over TCP or TLS, compressed or not. Knows grammar, no meaning."""
import asyncio
import collections
import functools
import re
import zlib

LITERAL = re.compile(rb"\{(\d+)\}$")
TOKEN = re.compile(rb'\(|\)|"(?:\\.|[^"\\])*"|\x00|BODY\[[^\]]*\](?:<\d+>)?|[^\s()"\x00]+')
NUMBERED = re.compile(rb"\* (\d+) (EXISTS|RECENT|EXPUNGE)$")
SHORT_FETCH = re.compile(rb"\* (\d+) FETCH \((?:UID (\d+))? ?(?:FLAGS \(([^)]*)\))? ?(?:MODSEQ \((\d+)\))?\)$")
STATUS_LINE = re.compile(rb"(?:\[([^\]]*)\] ?)?(.*)$", re.S)


class Garbage(Exception):
    """The server said what no grammar allows."""


class Tagged:
    __slots__ = ("tag", "status", "code", "text", "command")

    def __init__(self, tag, status, rest):
        found = STATUS_LINE.match(rest)
        self.tag, self.status, self.command = tag, status, None
        self.code, self.text = (found.group(1) or b"").decode(), found.group(2).decode(errors="replace")


@functools.lru_cache(maxsize=65536)
def flags_of(text):
    """Flags as a set, system flags in one spelling."""
    return frozenset("\\" + w[1:].capitalize() if (w := f.decode()).startswith("\\") else w for f in text.split())


def tree(text, literals):
    """Nested lists of a parenthesised text; atoms as bytes, NIL as None, literals and quoted strings as ("s", octets)."""
    top, stack, rest = [], [], iter(literals)
    here = top
    for token in TOKEN.findall(text):
        if token == b"(":
            stack.append(here)
            here.append([])
            here = here[-1]
        elif token == b")":
            if not stack:
                raise Garbage(f"a parenthesis too many: {text!r}")
            here = stack.pop()
        elif token == b"\0":
            here.append(("s", next(rest)))
        elif token[:1] == b'"':
            here.append(("s", re.sub(rb"\\(.)", rb"\1", token[1:-1])))
        else:
            here.append(None if token == b"NIL" else token)
    if stack:
        raise Garbage(f"a parenthesis too few: {text!r}")
    return top


def number_set(text):
    """ "1:3,7" → [1, 2, 3, 7], in the order written (COPYUID pairs them)."""
    out = []
    for part in text.split(","):
        first, _, last = part.partition(":")
        low, high = int(first), int(last or first)
        out.extend(range(low, high + 1) if low <= high else range(high, low + 1))
    return out


def set_of(numbers):
    """[3, 1, 2, 7] → "1:3,7"."""
    out, run = [], []
    for n in [*sorted(numbers), None]:
        if run and n != run[-1] + 1:
            out.append(f"{run[0]}:{run[-1]}" if len(run) > 1 else str(run[0]))
            run = []
        run.append(n)
    return ",".join(out)


class Wire(asyncio.Protocol):
    """One connection. `listener` gets on_tagged(Tagged), on_continue(), on_number(n, name), on_fetch(n, items), on_untagged(name, rest, literals), on_lost().

    `items` of on_fetch: {"UID": int, "FLAGS": frozenset, "MODSEQ": int, other names in upper case: tree}.
    """

    def __init__(self, listener):
        self.listener, self.transport = listener, None
        self.buffer, self.literals, self.text = bytearray(), [], b""
        self.inflate = self.deflate = None
        self.recent = collections.deque(maxlen=40)  # of both directions, for a report
        self.lost = False

    def connection_made(self, transport):
        self.transport = transport

    def connection_lost(self, exc):
        self.lost = True
        self.listener.on_lost()

    def send(self, octets):
        self.recent.append(b"C: " + octets.partition(b"\r\n")[0][:300])
        if self.deflate:
            octets = self.deflate.compress(octets) + self.deflate.flush(zlib.Z_SYNC_FLUSH)
        self.transport.write(octets)

    def compress(self):
        """From now on both directions are raw deflate (RFC 4978 §3)."""
        self.deflate, self.inflate = zlib.compressobj(wbits=-15), zlib.decompressobj(wbits=-15)
        rest, self.buffer = bytes(self.buffer), bytearray()
        if rest:
            self.buffer += self.inflate.decompress(rest)

    def close(self):
        if self.transport:
            self.transport.abort()

    def data_received(self, data):
        if self.lost:
            return
        if self.inflate:
            data = self.inflate.decompress(data)
        self.buffer += data
        while not self.lost and (response := self.cut()) is not None:
            self.dispatch(*response)

    def cut(self):
        """The next whole response: its text with \\0 for each literal, and the literals. None: more octets are needed."""
        while True:
            end = self.buffer.find(b"\r\n")
            if end < 0:
                return None
            line = bytes(self.buffer[:end])
            head = LITERAL.search(line)
            if not head:
                del self.buffer[:end + 2]
                text, literals = self.text + line, self.literals
                self.text, self.literals = b"", []
                self.recent.append(b"S: " + text[:200])
                return text, literals
            size = int(head.group(1))
            if len(self.buffer) < end + 2 + size:
                return None
            self.text += line[:head.start()] + b"\0"
            self.literals.append(bytes(self.buffer[end + 2:end + 2 + size]))
            del self.buffer[:end + 2 + size]

    def dispatch(self, text, literals):
        short = SHORT_FETCH.match(text)
        if short:
            number, uid, flags, modseq = short.groups()
            items = {}
            if uid:
                items["UID"] = int(uid)
            if flags is not None:
                items["FLAGS"] = flags_of(flags)
            if modseq:
                items["MODSEQ"] = int(modseq)
            return self.listener.on_fetch(int(number), items)
        plain = NUMBERED.match(text)
        if plain:
            return self.listener.on_number(int(plain.group(1)), plain.group(2).decode())
        if text.startswith(b"* "):
            return self.untagged(text[2:], literals)
        if text.startswith(b"+ "):
            return self.listener.on_continue()
        tag, _, rest = text.partition(b" ")
        status, _, rest = rest.partition(b" ")
        if status not in (b"OK", b"NO", b"BAD"):
            return self.listener.on_garbage(text)
        return self.listener.on_tagged(Tagged(tag.decode(errors="replace"), status.decode(), rest))

    def untagged(self, text, literals):
        name, _, rest = text.partition(b" ")
        if not name.isdigit():
            return self.listener.on_untagged(name.decode(errors="replace").upper(), rest, literals)
        what, _, rest = rest.partition(b" ")
        try:
            if what != b"FETCH":
                raise Garbage(f"a number with {what!r}")
            self.listener.on_fetch(int(name), self.items(rest, literals))
        except (Garbage, ValueError, TypeError, IndexError, StopIteration) as e:
            self.listener.on_garbage(text + b" (" + str(e).encode() + b")")

    @staticmethod
    def items(text, literals):
        (words,) = tree(text, literals)
        if len(words) % 2:
            raise Garbage("an item without a value")
        items = {}
        for name, value in zip(words[::2], words[1::2]):
            name = name.decode().upper()
            if name == "FLAGS":
                value = flags_of(b" ".join(value))
            elif name == "UID":
                value = int(value)
            elif name == "MODSEQ":
                value = int(value[0])
            items[name] = value
        return items

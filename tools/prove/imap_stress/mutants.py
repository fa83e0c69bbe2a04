"""A proxy between clients and server that lies in one way. The checker is right only if it finds each of them."""
import asyncio
import random
import re

EXPUNGE = re.compile(rb"\* (\d+) EXPUNGE\r\n$")
VANISHED = re.compile(rb"\* VANISHED (\d+)\r\n$")
FLAGS = re.compile(rb"\* \d+ FETCH \((?:UID \d+ )?FLAGS \([^)]*\)(?: MODSEQ \(\d+\))?\)\r\n$")
APPENDED = re.compile(rb"(\S+ OK \[APPENDUID \d+ )(\d+)(\].*)$", re.S)
ASKING = re.compile(rb"\S+ (NOOP|IDLE)\r\n$")


class Liar:
    """One connection's server side. line() answers with what the client is told instead. `truthful` says that nothing was changed."""

    def __init__(self, proxy):
        self.proxy, self.dice = proxy, proxy.dice
        self.asked = False  # the client's last command was NOOP or IDLE

    def line(self, line):
        return line

    def lie(self, chance):
        if self.dice.random() >= chance:
            return False
        self.proxy.lies += 1
        return True


class WrongExpunge(Liar):
    """Says that the neighbour of an expunged message went."""

    def line(self, line):
        for shape, form in ((EXPUNGE, b"* %d EXPUNGE\r\n"), (VANISHED, b"* VANISHED %d\r\n")):
            found = shape.match(line)
            if found and int(found.group(1)) > 1 and self.lie(0.1):
                return form % (int(found.group(1)) - 1)
        return line


class LostFetch(Liar):
    """Keeps a change of flags to itself that the client did not make."""

    def line(self, line):
        return b"" if self.asked and FLAGS.match(line) and self.lie(0.2) else line


class ReusedUid(Liar):
    """Says that a new message got the UID of the one before it."""

    def line(self, line):
        found = APPENDED.match(line)
        if found and int(found.group(2)) > 1 and self.lie(0.1):
            return found.group(1) + b"%d" % (int(found.group(2)) - 1) + found.group(3)
        return line


MUTANTS = {"wrong-expunge": WrongExpunge, "lost-fetch": LostFetch, "reused-uid": ReusedUid}


class Proxy:
    """Line by line in clear; COMPRESS=DEFLATE is taken out of what the server offers."""

    def __init__(self, mutant, seed):
        self.kind, self.dice = MUTANTS[mutant], random.Random(f"{seed}/{mutant}")
        self.port, self.target, self.lies = 0, 0, 0
        self.tasks, self.server = set(), None

    async def start(self, target):
        self.target = target
        self.server = await asyncio.start_server(self.serve, "127.0.0.1", 0, limit=1 << 22)
        self.port = self.server.sockets[0].getsockname()[1]

    async def stop(self):
        self.server.close()
        for t in list(self.tasks):
            t.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)

    async def serve(self, reader, writer):
        task = asyncio.current_task()
        self.tasks.add(task)
        liar, onward = self.kind(self), None
        try:
            back, onward = await asyncio.open_connection("127.0.0.1", self.target, limit=1 << 22)
            await asyncio.gather(self.upward(liar, reader, onward), self.downward(liar, back, writer))
        except (OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            writer.close()
            if onward:
                onward.close()
            self.tasks.discard(task)

    @staticmethod
    async def upward(liar, reader, writer):
        while line := await reader.readline():
            if not line.startswith(b"DONE"):
                liar.asked = bool(ASKING.match(line))
            writer.write(line)
        writer.close()

    @staticmethod
    async def downward(liar, reader, writer):
        while line := await reader.readline():
            told = liar.line(line.replace(b" COMPRESS=DEFLATE", b""))
            if told:
                writer.write(told)
        writer.close()

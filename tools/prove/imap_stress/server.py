"""The release binary under test: mansio demo on a directory of its own, killed and started again on the same data."""
import asyncio
import ctypes
import json
import os
import pathlib
import shutil
import signal
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[3]
BINARY = os.environ.get("MANSIO_BINARY", str(ROOT / "build" / "release" / "mansio"))


def die_with_parent():
    """No server outlives the proof, also when the proof is killed."""
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)


class Server:
    def __init__(self):
        (ROOT / "build").mkdir(exist_ok=True)
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="mansio-stress-", dir=ROOT / "build"))
        self.process = self.ready = None

    async def start(self):
        words = ["demo", "--json", "--port-base", "0", "--cleartext", "--folders", "none", "--users", "1", "--data", str(self.dir / "data")]
        self.process = await asyncio.create_subprocess_exec(BINARY, *words, stdout=asyncio.subprocess.PIPE, preexec_fn=die_with_parent)
        line = await self.process.stdout.readline()
        self.ready = json.loads(line or b'{"ready":false,"error":"it ended"}')
        if not self.ready["ready"]:
            raise SystemExit(f"imap-stress: the server does not start: {self.ready['error']}")

    async def kill(self):
        if self.process.returncode is None:
            self.process.kill()
        await self.process.wait()

    async def end(self, keep):
        """`keep`: leaves the store as it was when the trouble showed. Answers with the exit code of a clean stop."""
        code = None
        if self.process and keep:
            await self.kill()
        elif self.process and self.process.returncode is None:
            self.process.terminate()
            code = await asyncio.wait_for(self.process.wait(), 40)
        if not keep:
            shutil.rmtree(self.dir, ignore_errors=True)
        return code

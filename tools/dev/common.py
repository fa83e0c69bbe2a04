"""What the commands of ./dev share: where things are, running programs, saying things."""
import os
import pathlib
import re
import shlex
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
BUILD = ROOT / "build"
BINARY = BUILD / "release" / "mansio"


class Failed(Exception):
    """Ends the command with one sentence and an exit code."""

    def __init__(self, sentence, code=1):
        super().__init__(sentence)
        self.code = code


def say(text):
    print(text, flush=True)


def run(*argv, env=None, check=True, cwd=ROOT, stdout=None):
    """Runs a program with our own output; its exit code comes back, or Failed when `check`."""
    sys.stdout.flush()
    argv = [str(a) for a in argv]
    code = subprocess.run(argv, cwd=cwd, stdin=subprocess.DEVNULL, stdout=stdout, env={**os.environ, **(env or {})}).returncode
    if check and code != 0:
        raise Failed(f"`{shlex.join(argv)}` failed with exit code {code}")
    return code


def output(*argv, check=True):
    """What a program prints, without the last line end."""
    done = subprocess.run([str(a) for a in argv], cwd=ROOT, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    if check and done.returncode != 0:
        raise Failed(f"`{shlex.join(str(a) for a in argv)}` failed: {done.stderr.strip()}")
    return done.stdout.rstrip("\n")


def tracked(*patterns):
    """Files git knows or would add, relative to the root, as they are in the work tree."""
    names = output("git", "ls-files", "--cached", "--others", "--exclude-standard", "--", *patterns).splitlines()
    return sorted({n for n in names if (ROOT / n).is_file()})


class Stopwatch:
    """Minutes of each part, for the summary."""

    def __init__(self):
        self.parts = []

    def measure(self, name):
        watch = self

        class Part:
            def __enter__(self):
                self.begin = time.monotonic()

            def __exit__(self, *_):
                watch.parts.append((name, (time.monotonic() - self.begin) / 60))

        return Part()

    def text(self):
        return "minutes: " + ", ".join(f"{name} {minutes:.1f}" for name, minutes in self.parts)


def header_setting(path, word):
    """The names after `word:` in a comment at the head of a file: `// links: mime net`, `# peers: nsd`."""
    with open(path, encoding="utf-8", errors="replace") as file:
        for line, _ in zip(file, range(20)):
            found = re.match(rf"\s*(?://|#)\s*{word}:\s*(.*)", line)
            if found:
                return found.group(1).replace(",", " ").split()
    return []

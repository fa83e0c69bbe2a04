# Many clients over ten mailboxes with a SIGKILL in between: no contradiction; and a lying proxy of each kind is found.
# timeout: 120
import os
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
FULL = bool(os.environ.get("MANSIO_FULL"))


def stress(*words):
    done = subprocess.run([sys.executable, ROOT / "tools" / "prove" / "imap-stress.py", *words], stdout=subprocess.PIPE, text=True, timeout=100 if not FULL else 200)
    return done.returncode, done.stdout


def honest():
    code, text = stress("--seconds", "60" if FULL else "10", "--clients", "50", "--kills", "4" if FULL else "1", "--seed", "2026")
    print(text, end="", flush=True)
    return code == 0


def found(mutant, sentence):
    """The mutant must be found, by the contradiction it is, and must have lied."""
    code, text = stress("--seconds", "15", "--clients", "16", "--seed", "2026", "--mutant", mutant)
    last = "\n".join(text.splitlines()[-2:])
    good = code == 1 and re.search(sentence, text) is not None and re.search(r"mutant \S+: [1-9]\d* lies told", last) is not None
    print((last if good else text) + ("" if good else f"\nimap_stress: the mutant {mutant} was not found (exit code {code})"), flush=True)
    return good


results = [honest(),
           found("wrong-expunge", r"wrong EXPUNGE: |is still counted after the answer|is told as UID|and is still counted here"),
           found("lost-fetch", r"lost FETCH: "),
           found("reused-uid", r"UID reused: |APPENDUID names")]
sys.exit(0 if all(results) else 1)

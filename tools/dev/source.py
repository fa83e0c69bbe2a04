"""Reading C++ well enough for lint: code without its comments and strings, and what it includes."""
import functools
import re

from common import ROOT

_TOKEN = re.compile(
    r'//[^\n]*|/\*.*?\*/|R"(?P<tag>[^()\\\s]{0,16})\(.*?\)(?P=tag)"|"(?:\\.|[^"\\\n])*"|(?<![0-9A-Fa-f])\'(?:\\.|[^\'\\\n])+\'', re.S)
_INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*"([^"]+)"', re.M)


def code_only(text):
    """Comments and literals become blanks, so that line numbers stay."""
    return _TOKEN.sub(lambda m: re.sub(r"[^\n]", " ", m.group()), text)


def read(path):
    return (ROOT / path).read_text(encoding="utf-8", errors="replace")


def line_of(text, position):
    return text.count("\n", 0, position) + 1


def quoted_includes(text):
    """(line, name) of each `#include "name"`."""
    return [(line_of(text, m.start(1)), m.group(1)) for m in _INCLUDE.finditer(text)]


@functools.cache
def resolve(name):
    """The file in the tree an include names, seen from src/, tests/ or fuzz/; None when there is none."""
    for folder in ("src", "tests", "fuzz", "bench"):
        if (ROOT / folder / name).is_file():
            return f"{folder}/{name}"
    return None


@functools.cache
def closure(path):
    """A file and every file of ours it includes, however far away: what its compilation depends on."""
    seen, waiting = set(), [path]
    while waiting:
        at = waiting.pop()
        if at in seen:
            continue
        seen.add(at)
        for _, name in quoted_includes(read(at)):
            beside = (ROOT / at).parent / name
            target = str(beside.resolve().relative_to(ROOT)) if beside.is_file() and beside.resolve().is_relative_to(ROOT) else resolve(name)
            if target:
                waiting.append(target)
    return frozenset(seen)

"""The rules of ./dev lint that need no compiler."""
import fnmatch
import re

import source
from common import ROOT, say, tracked

CODE = ("src/*.hpp", "src/*.cpp", "src/*.def")


class Allowed:
    """tools/lint_allow: `CHECK PATH REASON` on each line. An exception that excuses nothing any more is reported."""

    def __init__(self, check):
        self.entries, self.used = {}, set()
        for number, line in enumerate(source.read("tools/lint_allow").splitlines(), 1):
            words = line.split(None, 2)
            if not words or words[0].startswith("#") or words[0] != check:
                continue
            self.entries[words[1]] = (number, words[2] if len(words) > 2 else "")

    def covers(self, path):
        for pattern in self.entries:
            if fnmatch.fnmatch(path, pattern):
                self.used.add(pattern)
                return True
        return False

    def complaints(self):
        for pattern, (number, reason) in self.entries.items():
            if not reason:
                yield f"tools/lint_allow:{number}: give a reason"
            if pattern not in self.used:
                yield f"tools/lint_allow:{number}: excuses nothing any more, remove it"


def include_table():
    """folder → folders it may include, from docs/architecture.md; 'everything' is None."""
    table = {}
    for line in source.read("docs/architecture.md").splitlines():
        cells = [c.strip() for c in line.strip().strip("|").split("|")]
        folders = re.findall(r"`src/(\w+)`", cells[0]) if line.startswith("|") and len(cells) == 3 else []
        for folder in folders:
            table[folder] = None if cells[2] == "everything" else set(cells[2].split()) - {"-"}
    return table


def uses_of(folder):
    """What src/FOLDER/CMakeLists.txt links of ours, or None when the folder has none."""
    path = ROOT / "src" / folder / "CMakeLists.txt"
    if not path.exists():
        return None
    text = re.sub(r"#[^\n]*", "", path.read_text())
    found = set()
    for call in re.findall(r"mansio_(?:folder|program)\(([^)]*)\)", text):
        words = call.split()
        if "USES" in words:
            for word in words[words.index("USES") + 1:]:
                if word.isupper():
                    break
                found.add(word)
    return found


def includes(_):
    table = include_table()
    if len(table) < 20:
        yield "docs/architecture.md: the table `| folder | holds | may include |` is missing or too short to be the law"
        return
    for folder in sorted(p.name for p in (ROOT / "src").iterdir() if p.is_dir()):
        if folder not in table:
            yield f"docs/architecture.md: src/{folder} exists but has no row in the include table"
            continue
        may, uses = table[folder], uses_of(folder)
        if may is not None and uses is not None:
            for other in sorted(uses - may):
                yield f"src/{folder}/CMakeLists.txt: USES {other}, which the table in docs/architecture.md does not allow"
        for path in tracked(f"src/{folder}/*.hpp", f"src/{folder}/*.cpp"):
            for line, name in source.quoted_includes(source.read(path)):
                other = name.split("/")[0]
                if source.resolve(name) is None or not (ROOT / "src" / name).is_file():
                    yield f'{path}:{line}: "{name}" is no file below src/ (name it from there)'
                elif other == folder:
                    continue
                elif may is not None and other not in may:
                    yield f'{path}:{line}: src/{folder} may not include "{name}" (table in docs/architecture.md)'
                elif uses is not None and other not in uses and folder != "app":
                    yield f'{path}:{line}: includes "{name}" but src/{folder}/CMakeLists.txt does not USE {other}'


# kind: (folders that may, pattern, what to use instead). A lookbehind keeps members and our own functions out.
_FREE = r"(?<![\w.:>])(?:::|std::)?"
RAW = {
    "clock": ({"base", "net"},
              _FREE + r"(?:time\s*\(\s*(?:nullptr|NULL|0|&)|(?:gettimeofday|clock_gettime|timespec_get)\s*\()|\w*_clock::now\s*\(",
              "base::clock"),
    "sleep": ({"base", "net"}, _FREE + r"(?:usleep|nanosleep|sleep)\s*\(|std::this_thread::sleep_", "base::sleep_for"),
    "random": ({"base"}, r"std::(?:random_device|mt19937|default_random_engine)|" + _FREE + r"(?:s?rand|getrandom|getentropy|RAND_bytes|arc4random|randombytes_\w+)\s*\(",
               "base::random"),
    "file": ({"base", "net", "store"},
             r"std::[io]?fstream|" + _FREE + r"(?:fopen|freopen|creat|mkstemp|tmpfile|opendir)\s*\(|(?<![\w>])::(?:open|openat|rename|unlink|mkdir|rmdir|truncate|ftruncate)\s*\("
             r"|(?<![\w.:>])open(?:at)?\s*\([^;]*\bO_[A-Z]+|std::filesystem::(?:remove|remove_all|rename|create_director\w+|copy\w*|resize_file|(?:recursive_)?directory_iterator)\b",
             "store"),
    "socket": ({"base", "net", "store"},
               r"(?<![\w>])::(?:socket|connect|bind|listen|accept4?|send|sendto|sendmsg|recv|recvfrom|recvmsg|setsockopt|shutdown)\s*\(|" + _FREE + r"(?:socket|socketpair)\s*\(\s*(?:AF|PF)_|" +
               _FREE + r"(?:getaddrinfo|gethostbyname\w*|res_query|res_search)\s*\(",
               "net::stream"),
    "process": (set(), _FREE + r"(?:system|popen|fork|vfork|execl|execv|execve|execvp|posix_spawnp?)\s*\(", "nothing: no program is started"),
    "asio": ({"net", "http"}, r"#\s*include\s*<boost/(?:asio|beast)", "net's headers"),
}


def raw_calls(_):
    for kind, (folders, pattern, instead) in RAW.items():
        allowed = Allowed(f"raw-{kind}")
        expression = re.compile(pattern)
        for path in tracked(*CODE):
            if path.split("/")[1] in folders:
                continue
            text = source.code_only(source.read(path))
            hits = list(expression.finditer(text))
            if not hits or allowed.covers(path):
                continue
            for hit in hits:
                yield f"{path}:{source.line_of(text, hit.start())}: `{hit.group().strip()}` is a raw {kind} call; use {instead}"
        yield from allowed.complaints()


def sizes(_):
    allowed = Allowed("size")
    for path in tracked("src/*", "tests/*.?pp", "tests/*.py", "fuzz/*.cpp", "bench/*.cc", "bench/*.?pp", "bench/*.py", "tools/*", "dev", ".ci/run", "cmake/*"):
        lines = source.read(path).count("\n")
        if "/data/" not in path and lines > 700 and not allowed.covers(path):
            yield f"{path}: {lines} lines; over 700, ask if it is two ideas"
    yield from allowed.complaints()


def catalogue_rows():
    rows = {}
    for number, line in enumerate(source.read("docs/catalogue.md").splitlines(), 1):
        found = re.match(r"\| ([A-Z]\d+) \|.*\| (\w+) \|$", line)
        if found:
            rows[found.group(1)] = (number, found.group(2))
    return rows


def catalogue_tests():
    """row → where a test named after it stands."""
    where = {}
    for path in tracked("tests/*.cpp", "tests/*.py"):
        text = source.read(path)
        for found in re.finditer(r"\bTEST(?:_F|_P)?\(\s*catalogue\w*,\s*([A-Z]\d+)_\w+|^\s*def (?:test_)?([A-Z]\d+)_\w+", text, re.M):
            where.setdefault(found.group(1) or found.group(2), []).append(path)
    for path in tracked("tests/dialogs/*", "tests/e2e/*"):
        found = re.match(r"([A-Z]\d+)_", path.split("/")[-1])
        if found:
            where.setdefault(found.group(1), []).append(path)
    return where


def catalogue(_):
    rows, tests = catalogue_rows(), catalogue_tests()
    expected = [f"{letter}{n}" for letter, last in (("W", 13), ("R", 8), ("I", 15), ("A", 9), ("T", 3), ("M", 8)) for n in range(1, last + 1)]
    for row in expected:
        if row not in rows:
            yield f"docs/catalogue.md: row {row} is missing"
    for row, (number, state) in rows.items():
        if state not in ("built", "part", "planned"):
            yield f"docs/catalogue.md:{number}: the state of {row} is `{state}`; it is built, part or planned"
        elif state != "planned" and row not in tests:
            yield f"docs/catalogue.md:{number}: {row} is marked {state} and no test is named {row}_…"
    for row in sorted(set(tests) - set(rows)):
        yield f"{tests[row][0]}: a test names row {row}, which docs/catalogue.md does not have"
    ready = [row for row, (_, state) in rows.items() if state == "planned" and row in tests]
    if ready:
        say(f"   have tests and are still marked planned: {' '.join(ready)}")


def readmes(_):
    for folder in sorted(p for p in (ROOT / "src").iterdir() if p.is_dir()):
        readme = folder / "README.md"
        if not readme.exists():
            yield f"src/{folder.name}: has no README.md (what it promises, its main types, what it must never do)"
        elif readme.read_text(encoding="utf-8").count("\n") > 60:
            yield f"src/{folder.name}/README.md: is longer than a screen"


def links(_):
    """Every relative link of a document leads to a file."""
    for path in tracked("*.md"):
        text = re.sub(r"```.*?```|`[^`\n]*`", lambda m: re.sub(r"[^\n]", " ", m.group()), source.read(path), flags=re.S)
        for found in re.finditer(r"\]\(([^)#\s]+)(?:#[^)\s]*)?\)", text):
            target = found.group(1)
            if not re.match(r"[a-z]+:", target) and not ((ROOT / path).parent / target).exists():
                yield f"{path}:{source.line_of(text, found.start())}: leads to {target}, which is not there"


# The repository stands alone: no text points at somebody's own disk or beside the repository.
PLACES = re.compile(r"(?<![\w./-])/(?:work|root|Users|home/\w+)/|(?<![\w/.])\.\./shared\b|https?://(?:10\.|192\.168\.)")


def places(_):
    allowed = Allowed("place")
    for path in tracked(":(exclude)tests/data", ":(exclude)web/dist", ":(exclude)fuzz/corpus", ":(exclude)LICENSE"):
        text = source.read(path)
        hits = list(PLACES.finditer(text))
        if not hits or path == "tools/dev/lint_rules.py" or allowed.covers(path):
            continue
        for hit in hits:
            yield f"{path}:{source.line_of(text, hit.start())}: `{hit.group()}` is a place outside the repository"
    yield from allowed.complaints()

"""./dev lint: the checks, in order, each a function that yields `place: what to do`."""
import hashlib
import os
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor

import generated
import lint_rules
import source
from common import BUILD, ROOT, Failed, Stopwatch, output, run, say, tracked

CXX = ("src/*.hpp", "src/*.cpp", "tests/*.hpp", "tests/*.cpp", "fuzz/*.hpp", "fuzz/*.cpp", "bench/*.hpp", "bench/*.cpp", "bench/*.cc")
FLAGS = ["-std=c++23", "-fsyntax-only", "-Wall", "-Wextra", "-Wpedantic", "-Wshadow", "-Wnon-virtual-dtor", "-Woverloaded-virtual",
         "-Isrc", "-Itests", "-DSPDLOG_FMT_EXTERNAL", "-DSPDLOG_COMPILED_LIB", '-DMANSIO_TEST_DATA="tests/data"', '-DMANSIO_SOURCE="."']


class Cache:
    """Remembers what passed by the hash of all it depends on, below build/lint."""

    def __init__(self, name, *salt):
        self.folder = BUILD / "lint" / name
        self.folder.mkdir(parents=True, exist_ok=True)
        self.salt = "\0".join(salt)

    def mark(self, path):
        digest = hashlib.sha256(self.salt.encode())
        for part in sorted(source.closure(path)):
            digest.update(part.encode() + b"\0" + (ROOT / part).read_bytes() + b"\0")
        return self.folder / digest.hexdigest()

    def knows(self, path):
        return self.mark(path).exists()

    def remember(self, path):
        self.mark(path).touch()


def in_parallel(work, items):
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        yield from pool.map(work, items)


def tool(*argv):
    done = subprocess.run(argv, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    return done.returncode, done.stdout.strip()


def headers(_):
    cache = Cache("headers", *FLAGS, output("clang++-19", "--version"))

    def compile_alone(path):
        if cache.knows(path):
            return None
        code, text = tool("clang++-19", *FLAGS, "-Werror", "-Wno-pragma-once-outside-header", "-x", "c++", path)
        if code == 0:
            return cache.remember(path)
        return f"{path}: does not compile alone:\n{text}"

    yield from filter(None, in_parallel(compile_alone, tracked("src/*.hpp", "tests/*.hpp", "fuzz/*.hpp")))


def format_layout(args):
    allowed = lint_rules.Allowed("format")
    files = [f for f in tracked(*CXX) if not allowed.covers(f)]
    if args.format_fix:
        for start in range(0, len(files), 50):
            run("clang-format-19", "-i", *files[start:start + 50])
        return

    def compare(path):
        code, text = tool("clang-format-19", "--dry-run", "-Werror", path)
        return None if code == 0 else f"{path}: {text.count('error:')} places are laid out differently: ./dev lint --format-fix"

    yield from filter(None, in_parallel(compare, files))
    yield from allowed.complaints()


def changed_files(args):
    """Changed in the work tree, or when it is clean by the last commit; a merge counts everything it brought."""
    if args.all:
        return tracked(*CXX)
    if args.base:
        names = output("git", "diff", "--name-only", args.base, "--").splitlines()
    else:
        names = output("git", "status", "--porcelain", "--untracked-files=all", "--no-renames", "--", *CXX).splitlines()
        names = [n[3:] for n in names]
        if not names:
            if subprocess.run(["git", "rev-parse", "-q", "--verify", "HEAD^"], cwd=ROOT, capture_output=True).returncode != 0:
                return tracked(*CXX)  # the first commit, or a clone without history
            names = output("git", "diff", "--name-only", "HEAD^", "HEAD", "--").splitlines()
    return [n for n in tracked(*CXX) if n in set(names)]


def tidy(args):
    allowed = lint_rules.Allowed("tidy")
    files = [f for f in changed_files(args) if f.endswith((".cpp", ".cc")) and not allowed.covers(f)]
    cache = Cache("tidy", *FLAGS, source.read(".clang-tidy"))
    end = float("inf") if args.all else time.monotonic() + args.tidy_minutes * 60
    left = []

    def examine(path):
        if cache.knows(path):
            return None
        if time.monotonic() > end:
            return left.append(path)
        code, text = tool("clang-tidy-19", "--quiet", "--warnings-as-errors=*", path, "--", *FLAGS)
        if code == 0:
            return cache.remember(path)
        kept = [line for line in text.splitlines() if " warnings generated" not in line and not line.startswith(("Suppressed ", "Use -header-filter"))]
        return f"{path}: clang-tidy:\n" + "\n".join(kept)

    yield from filter(None, in_parallel(examine, files))
    if left:
        say(f"   {len(left)} of {len(files)} changed files were not examined within {args.tidy_minutes:g} minutes; ./dev lint --all does all")


def generated_documents(args):
    try:
        want = generated.limits()
    except ValueError as e:
        yield f"src/base/limits.def: {e}"
        return
    path = ROOT / generated.LIMITS
    if args.generate:
        path.write_text(want, encoding="utf-8")
    elif not path.exists() or path.read_text(encoding="utf-8") != want:
        yield f"{generated.LIMITS}: is not what src/base/limits.def says: ./dev lint --generate"


CHECKS = {
    "includes": lint_rules.includes,
    "raw-calls": lint_rules.raw_calls,
    "sizes": lint_rules.sizes,
    "generated": generated_documents,
    "catalogue": lint_rules.catalogue,
    "readmes": lint_rules.readmes,
    "links": lint_rules.links,
    "places": lint_rules.places,
    "format": format_layout,
    "headers": headers,
    "tidy": tidy,
}


def command(args):
    if args.generate and not args.only:
        args.only = "generated"
    if args.format_fix and not args.only:
        args.only = "format"
    names = args.only.split(",") if args.only else list(CHECKS)
    unknown = [n for n in names if n not in CHECKS]
    if unknown:
        raise Failed(f"there is no check '{unknown[0]}'; checks are {', '.join(CHECKS)}", 2)
    watch, passed, failed = Stopwatch(), 0, []
    for name in names:
        with watch.measure(name):
            found = list(CHECKS[name](args))
        for line in found:
            say(line)
        say(f"{name}: {'ok' if not found else f'{len(found)} to mend'}")
        if found:
            failed.append(name)
        else:
            passed += 1
    if failed:
        say(f"failed: {', '.join(failed)}")
    say(watch.text())
    say(f"{passed} passed, {len(failed)} failed")
    return 1 if failed else 0

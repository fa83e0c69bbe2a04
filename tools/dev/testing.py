"""./dev test: builds two presets, runs ctest, and takes nothing but a pass for a pass."""
import os
import pathlib
import sys
import xml.etree.ElementTree

import build
from common import BUILD, ROOT, Failed, Stopwatch, header_setting, run, say

sys.path.insert(0, str(ROOT / "tools"))
TSAN_FOLDERS = ("base", "net", "store", "queue", "auth")


class Part:
    """One preset's share: what is built and which tests are asked for."""

    def __init__(self, preset, targets, select):
        self.preset, self.targets, self.select = preset, targets, select


def parts(args):
    folders = [f for f in TSAN_FOLDERS if list((ROOT / "tests" / f).glob("*_test.cpp"))]
    known = {
        "asan": Part("asan", ["unit_tests", "fuzz_targets"], ["-L", "unit|fuzz-corpus"]),
        "release": Part("release", ["mansio", "e2e_support"], ["-L", "e2e"]),
        "tsan": Part("tsan", [f"test_{f}" for f in folders], ["-L", "unit"] + (["-R", rf"^({'|'.join(folders)})\."] if not args.regex else [])),
    }
    names = args.part or ["asan", "release"] + (["tsan"] if args.tsan or args.all else [])
    return [known[n] for n in names]


def needed_peers():
    """Private roots the end-to-end tests ask for in their `# peers:` line."""
    names = set()
    for path in (ROOT / "tests" / "e2e").glob("*_test.py"):
        names.update(header_setting(path, "peers"))
    return sorted(names)


class Results:
    """What ctest's own report says. Skipped, disabled and not-run tests are failures: a test that does not run has rotted."""

    def __init__(self):
        self.passed, self.failed, self.slow = 0, [], []

    def read(self, preset, path):
        for case in xml.etree.ElementTree.parse(path).getroot().iter("testcase"):
            name, status = case.get("name"), case.get("status")
            if status == "run":
                self.passed += 1
            elif case.find("skipped") is not None:
                self.failed.append(f"{preset}: {name} (skipped)")
            elif status in ("disabled", "notrun"):
                self.failed.append(f"{preset}: {name} ({status})")
            else:
                self.failed.append(f"{preset}: {name}")
            if float(case.get("time") or 0) > 60:
                self.slow.append(f"{preset}: {name} {float(case.get('time')):.0f} s")


def run_part(part, args, watch, results):
    with watch.measure(f"build {part.preset}"):
        build.build(part.preset, part.targets)
    if part.preset == "release":
        with watch.measure("peers"):
            import peers
            for name in needed_peers():
                peers.make(name)
    report = BUILD / part.preset / "junit.xml"
    report.unlink(missing_ok=True)
    select = list(part.select) + (["-R", args.regex] if args.regex else [])
    environment = {
        "ASAN_OPTIONS": "detect_stack_use_after_return=1:strict_string_checks=1:check_initialization_order=1",
        "UBSAN_OPTIONS": "print_stacktrace=1:halt_on_error=1",
        "TSAN_OPTIONS": "halt_on_error=1:second_deadlock_stack=1",
        "MANSIO_BINARY": str(build.BINARY),
    }
    for tool in ("ASAN", "UBSAN", "TSAN"):
        environment[f"{tool}_SYMBOLIZER_PATH"] = "/usr/bin/llvm-symbolizer-19"
    if args.all:
        environment["MANSIO_FULL"] = "1"
    # End-to-end tests wait for each other's processor time, not only for their own: one at a time keeps their deadlines honest.
    jobs = 1 if part.preset == "release" else os.cpu_count()
    with watch.measure(f"test {part.preset}"):
        code = run("ctest", "--preset", part.preset, "-j", jobs, "--output-junit", report, *select, env=environment, check=False)
    if not report.exists():
        raise Failed(f"ctest left no report for {part.preset} (exit code {code}): no test was found, or its set-up failed")
    before = len(results.failed)
    results.read(part.preset, report)
    if code != 0 and len(results.failed) == before:
        results.failed.append(f"{part.preset}: ctest ended with exit code {code}")


def command(args):
    watch, results = Stopwatch(), Results()
    for part in parts(args):
        try:
            run_part(part, args, watch, results)
        except Failed as e:
            results.failed.append(f"{part.preset}: {e}")
    say("")
    for line in results.slow:
        say(f"slower than 60 s: {line}")
    for line in results.failed:
        say(f"failed: {line}")
    say(watch.text())
    say(f"{results.passed} passed, {len(results.failed)} failed")
    return 1 if results.failed else 0

"""./dev fuzz: libFuzzer over the targets in fuzz/, with saved corpora and a ledger."""
import datetime
import os
import re
import subprocess

import build
from common import BUILD, ROOT, Failed, output, say

LEDGER = BUILD / "fuzz-ledger.csv"


def targets():
    return sorted(p.stem.removesuffix("_fuzz") for p in (ROOT / "fuzz").glob("*_fuzz.cpp"))


def figure(text, name):
    found = re.findall(rf"^stat::{name}:\s+(\d+)", text, re.M)
    return int(found[-1]) if found else 0


def run_target(name, minutes):
    """Runs one target; its ledger line is written whatever happens. True when it found nothing."""
    working, findings, saved = BUILD / "fuzz-corpus" / name, BUILD / "fuzz-findings" / name, ROOT / "fuzz" / "corpus" / name
    for folder in (working, findings):
        folder.mkdir(parents=True, exist_ok=True)
    dictionary = ROOT / "fuzz" / "dict" / f"{name}.dict"
    argv = [str(BUILD / "fuzz" / "fuzz" / f"fuzz_{name}"), str(working), *([str(saved)] if saved.is_dir() else []),
            f"-max_total_time={max(1, round(minutes * 60))}", f"-artifact_prefix={findings}/", "-print_final_stats=1", "-rss_limit_mb=2048", "-timeout=20",
            *([f"-dict={dictionary}"] if dictionary.exists() else [])]
    say(f"fuzz {name}: {minutes:g} minutes")
    environment = {**os.environ, "ASAN_SYMBOLIZER_PATH": "/usr/bin/llvm-symbolizer-19", "UBSAN_OPTIONS": "print_stacktrace=1"}
    done = subprocess.run(argv, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace", env=environment)
    text = done.stdout
    coverage = (re.findall(r"\bcov: (\d+)", text) or ["0"])[-1]
    executions, found = figure(text, "number_of_executed_units"), len(list(findings.iterdir()))
    new = not LEDGER.exists()
    with open(LEDGER, "a", encoding="utf-8") as ledger:
        if new:
            ledger.write("when,commit,target,minutes,executions,coverage,corpus,findings,exit\n")
        when = datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
        commit = output("git", "describe", "--always", "--dirty")
        ledger.write(f"{when},{commit},{name},{minutes:g},{executions},{coverage},{len(list(working.iterdir()))},{found},{done.returncode}\n")
    say(f"fuzz {name}: {executions:,} executions, coverage {coverage}, {found} findings")
    if done.returncode != 0:
        say("\n".join(text.splitlines()[-40:]))
    return done.returncode == 0


def save(name):
    """Keeps what reaches new code: fuzz/corpus/NAME grows by the fewest inputs that do."""
    saved = ROOT / "fuzz" / "corpus" / name
    saved.mkdir(parents=True, exist_ok=True)
    before = len(list(saved.iterdir()))
    subprocess.run([str(BUILD / "fuzz" / "fuzz" / f"fuzz_{name}"), "-merge=1", str(saved), str(BUILD / "fuzz-corpus" / name)], cwd=ROOT, check=True,
                   stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    say(f"fuzz {name}: saved {len(list(saved.iterdir())) - before} inputs")


def command(args):
    known = targets()
    if args.target == "list":
        say("\n".join(known))
        return 0
    names = known if args.target == "all" else [args.target]
    for name in names:
        if name not in known:
            raise Failed(f"there is no fuzz target '{name}'; there are: {', '.join(known) or 'none yet'}", 2)
    if not names:
        raise Failed("there is no fuzz target yet: write fuzz/NAME_fuzz.cpp", 2)
    build.build("fuzz", [f"fuzz_{name}" for name in names])
    good = [run_target(name, args.minutes) for name in names]
    if args.save:
        for name in names:
            save(name)
    say(f"ledger: {LEDGER.relative_to(ROOT)}")
    return 0 if all(good) else 1

"""The commands of ./dev that are more than shell; ./dev has installed what they need."""
import argparse
import os
import sys

import common


def parser():
    top = argparse.ArgumentParser(prog="./dev", add_help=False)
    commands = top.add_subparsers(dest="command", required=True)

    def add(name):
        return commands.add_parser(name, prog=f"./dev {name}", add_help=False, usage=f"see ./dev help {name}")

    p = add("build")
    p.add_argument("preset", nargs="?", default="release")
    p.add_argument("--target", action="append")
    p = add("run")
    p.add_argument("--check", action="store_true")
    p.add_argument("demo", nargs="*")
    p = add("test")
    p.add_argument("--tsan", action="store_true")
    p.add_argument("--all", action="store_true")
    p.add_argument("-R", dest="regex")
    p.add_argument("--part", action="append", choices=["asan", "release", "tsan"])
    p = add("lint")
    p.add_argument("--all", action="store_true")
    p.add_argument("--only")
    p.add_argument("--format-fix", action="store_true")
    p.add_argument("--generate", action="store_true")
    p.add_argument("--base")
    p.add_argument("--tidy-minutes", type=float, default=10)
    p = add("fuzz")
    p.add_argument("target")
    p.add_argument("--minutes", type=float, default=1)
    p.add_argument("--save", action="store_true")
    p = add("prove-fresh")
    p.add_argument("--as", dest="users", default="root,user")
    p.add_argument("--steps", default="run,test,offline")
    p.add_argument("--keep", action="store_true")
    p.add_argument("--ccache")
    for name in ("bench", "prove"):
        p = add(name)
        p.add_argument("name")
        p.add_argument("rest", nargs=argparse.REMAINDER)
    return top


def script(folder, args):
    """bench NAME and prove NAME are programs of their own: bench/NAME.py, tools/prove/NAME.py."""
    import build
    path = common.ROOT / folder / f"{args.name}.py"
    if not path.exists():
        known = sorted(p.stem for p in (common.ROOT / folder).glob("*.py") if not p.stem.startswith("_"))
        raise common.Failed(f"there is no {folder}/{args.name}.py; there are: {', '.join(known) or 'none yet'}", 2)
    sys.stdout.flush()
    # The build's own words go to stderr: stdout belongs to the script (one JSON line per workload).
    saved = os.dup(1)
    os.dup2(2, 1)
    build.build("release", ["mansio", "e2e_support"])
    os.dup2(saved, 1)
    os.environ["PYTHONPATH"] = os.pathsep.join([str(common.ROOT / "tools"), str(common.ROOT / "tests" / "e2e")])
    os.execv(sys.executable, [sys.executable, str(path), *args.rest])


def dispatch(args):
    if args.command == "build":
        import build
        return build.command(args)
    if args.command == "run":
        import demo
        return demo.command(args)
    if args.command == "test":
        import testing
        return testing.command(args)
    if args.command == "lint":
        import lint
        return lint.command(args)
    if args.command == "fuzz":
        import fuzz
        return fuzz.command(args)
    if args.command == "prove-fresh":
        import fresh
        return fresh.command(args)
    return script("bench" if args.command == "bench" else "tools/prove", args)


def main():
    os.chdir(common.ROOT)
    try:
        return dispatch(parser().parse_args()) or 0
    except common.Failed as e:
        print(f"dev: {e}", file=sys.stderr)
        return e.code
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())

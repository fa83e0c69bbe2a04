"""Configuring and building a preset."""
import os

from common import BINARY, BUILD, Failed, run, say

PRESETS = ("release", "dev", "asan", "tsan", "fuzz")
# What an unqualified build of a preset makes. Release holds no unit tests and asan no server: each is built once (time).
DEFAULT_TARGETS = {"release": ["mansio", "e2e_support"], "asan": ["unit_tests", "fuzz_targets"], "tsan": ["unit_tests"],
                   "fuzz": ["fuzz_targets"], "dev": ["all"]}


def build(preset, targets=None):
    if preset not in PRESETS:
        raise Failed(f"there is no preset '{preset}'; presets are {', '.join(PRESETS)}", 2)
    # CMake itself notices changed files, so configuring again is needed only when the presets changed or nothing is there.
    tree = BUILD / preset
    if not (tree / "build.ninja").exists() or (tree / "build.ninja").stat().st_mtime < os.path.getmtime("CMakePresets.json"):
        run("cmake", "--preset", preset)
    run("cmake", "--build", "--preset", preset, "--target", *(targets or DEFAULT_TARGETS[preset]))


def release_binary():
    build("release", ["mansio"])
    if not BINARY.exists():
        raise Failed(f"the build left no {BINARY}")
    return BINARY


def command(args):
    build(args.preset, args.target)
    if args.preset == "release" and not args.target:
        say(f"built {BINARY}")

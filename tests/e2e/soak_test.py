# Twenty kills within mixed traffic: nothing acknowledged is lost, changed or doubled.
# timeout: 240
import os
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
cycles = "200" if os.environ.get("MANSIO_FULL") else "20"
sys.exit(subprocess.run([sys.executable, ROOT / "tools" / "prove" / "soak.py", "--cycles", cycles, "--seed", "2026"]).returncode)

# The soak must catch a server that acknowledges before it has written: a test of the test.
# timeout: 120
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
done = subprocess.run([sys.executable, ROOT / "tools" / "prove" / "soak.py", "--cycles", "6", "--seed", "2026", "--break-sync-on-purpose"], capture_output=True, text=True)
print(done.stdout + done.stderr)
if done.returncode != 1 or " 0 lost" in done.stdout or "acknowledged" not in done.stdout:
    sys.exit("the soak did not notice that nothing was synced")
print("the soak noticed")

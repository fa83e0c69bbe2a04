#!/usr/bin/python3
"""Private roots for servers and mail programs that tests and benches need: build/peers/NAME, never installed on the host.

  tools/peers.py make NAME...        makes what is missing (nsd, dovecot, postfix, cyrus, clients, pebble)
  tools/peers.py exec NAME COMMAND…  runs a command inside, in mount and process namespaces of its own (as root)
  tools/peers.py list

A root is made with mmdebstrap and the host's apt settings (mirror, keys, proxies), in a temporary folder that is renamed when it is
whole, so an interrupted attempt leaves nothing behind that looks finished. Packages start nothing in it. Its files belong to
whoever made it; a plain user reaches root's powers over it with `unshare -Urnm`.
"""
import os
import pathlib
import re
import shlex
import shutil
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
PEERS = ROOT / "build" / "peers"
PACKAGES = {
    "nsd": ["nsd", "ldnsutils"],
    "dovecot": ["dovecot-imapd", "dovecot-lmtpd", "dovecot-pop3d"],
    "postfix": ["postfix"],
    "cyrus": ["cyrus-imapd", "cyrus-pop3d", "sasl2-bin", "libsasl2-modules", "libeatmydata1"],
    "clients": ["isync", "offlineimap3", "fetchmail", "getmail6", "mutt", "neomutt", "imapfilter", "curl", "ca-certificates"],
    "pebble": ["pebble"],
}
# Enough to know whether a root is whole.
PROOF = {"nsd": "usr/sbin/nsd", "dovecot": "usr/sbin/dovecot", "postfix": "usr/sbin/postfix", "cyrus": "usr/lib/cyrus/bin/imapd",
         "clients": "usr/bin/imapfilter", "pebble": "usr/bin/pebble-challtestsrv"}


class PeerFailed(Exception):
    pass


def apt_settings():
    """The host's ways to a mirror: proxies, certificates, leniency about dates."""
    dump = subprocess.run(["apt-config", "dump"], capture_output=True, text=True, check=True).stdout
    wanted = re.compile(r"^Acquire::(?:https?|ftp|socks|\w+::Proxy|Check-Valid-Until|Check-Date|Retries|Queue-Mode|ForceIPv4|ForceIPv6)\b[^\n]*;$", re.M)
    return [line for line in wanted.findall(dump) if not line.endswith('"";')]


def apt_sources():
    """The host's source lists that hold Debian bookworm, as files."""
    found = []
    for path in [pathlib.Path("/etc/apt/sources.list"), *sorted(pathlib.Path("/etc/apt/sources.list.d").glob("*"))]:
        if path.suffix in (".list", ".sources") and path.is_file() and re.search(r"^[^#\n]*\bbookworm\b", path.read_text(), re.M):
            found.append(path)
    if not found:
        raise PeerFailed("no apt source of this machine names bookworm, so no private root can be made from it")
    return found


def as_root():
    """The words before a command that needs root here."""
    if os.geteuid() == 0:
        return []
    if shutil.which("sudo"):
        return ["sudo"]
    raise PeerFailed("making a private root needs root: install sudo or run `./dev setup --peers …` as root")


def path_of(name):
    if name not in PACKAGES:
        raise PeerFailed(f"there is no peer '{name}'; peers are {', '.join(PACKAGES)}")
    return PEERS / name


def make(name):
    """The root of a peer; makes it when it is not there."""
    root = path_of(name)
    if (root / PROOF[name]).exists():
        return root
    if not shutil.which("mmdebstrap"):
        raise PeerFailed("mmdebstrap is missing: ./dev setup")
    PEERS.mkdir(parents=True, exist_ok=True)
    print(f"peers: making {root.relative_to(ROOT)} ({', '.join(PACKAGES[name])})", file=sys.stderr, flush=True)
    temporary = pathlib.Path(tempfile.mkdtemp(prefix=f".{name}-", dir=PEERS))
    temporary.chmod(0o755)
    log = PEERS / f"{name}.log"
    options = [f"--aptopt={line}" for line in apt_settings()]
    policy = 'printf "#!/bin/sh\\nexit 101\\n" >"$1/usr/sbin/policy-rc.d"; chmod 755 "$1/usr/sbin/policy-rc.d"'
    hosts = 'printf "127.0.0.1 localhost\\n" >"$1/etc/hosts"'
    command = [*as_root(), "mmdebstrap", "--mode=root", "--variant=minbase", "--format=tar", f"--include={','.join(PACKAGES[name])}",
               "--dpkgopt=path-exclude=/usr/share/man/*", "--dpkgopt=path-exclude=/usr/share/locale/*", "--aptopt=Apt::Install-Recommends false",
               f"--essential-hook={policy}", f"--customize-hook={hosts}", *options, "bookworm", "-", *map(str, apt_sources())]
    # By way of a tar stream: whoever unpacks it owns the files, so that `./dev clean` needs no more rights than `./dev` had.
    unpack = ["tar", "-x", "-C", str(temporary), "--no-same-owner" if os.geteuid() != 0 else "--same-owner", "--exclude=./dev/*"]
    try:
        with open(log, "w", encoding="utf-8") as words:
            packing = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=words)
            unpacking = subprocess.run(unpack, stdin=packing.stdout, stderr=words)
            packing.stdout.close()
            code = packing.wait()
        if code != 0 or unpacking.returncode != 0 or not (temporary / PROOF[name]).exists():
            end = "\n".join(log.read_text(errors="replace").splitlines()[-15:])
            raise PeerFailed(f"the private root for {name} could not be made; the end of {log.relative_to(ROOT)}:\n{end}")
        shutil.rmtree(root, ignore_errors=True)
        temporary.rename(root)
    finally:
        if temporary.exists():
            shutil.rmtree(temporary, ignore_errors=True)
    return root


# Runs inside fresh namespaces: gives the root its /proc, /dev and folders of the host, then becomes the command. The devices
# are the host's own, bound: a plain user's namespace may not make any.
ENTER = r"""
set -e
root=$1; shift
mount --make-rprivate /
mount --bind "$root" "$root"
mount -t proc proc "$root/proc" 2>/dev/null || mount --rbind /proc "$root/proc"
mount -t tmpfs tmpfs "$root/dev"
for d in null zero full random urandom tty; do touch "$root/dev/$d"; mount --bind "/dev/$d" "$root/dev/$d"; done
ln -s /proc/self/fd "$root/dev/fd"; mkdir -p "$root/dev/shm"; mount -t tmpfs tmpfs "$root/dev/shm"
mount -t tmpfs tmpfs "$root/run"; mkdir -p "$root/run/lock"
while [ "$1" != -- ]; do
    mkdir -p "$root$2"; mount --bind "$1" "$root$2"; shift 2
done
shift
PATH=$PATH:/usr/sbin:/sbin exec chroot "$root" "$@"
"""


def enter_argv(name, argv, binds=()):
    """The command line that runs `argv` in a peer's root, in mount and pid namespaces of its own; when it ends or is killed,
    everything inside ends too. `binds`: pairs (folder of the host, folder inside). Needs root, or `unshare -Ur` around it. The network is the caller's."""
    words = ["unshare", "--mount", "--pid", "--fork", "--kill-child=SIGKILL", "sh", "-c", ENTER, "enter", str(path_of(name))]
    for outside, inside in binds:
        words += [str(outside), str(inside)]
    return words + ["--", *map(str, argv)]


def main(argv):
    if argv[:1] == ["list"]:
        for name in PACKAGES:
            print(f"{name}: {'made' if (path_of(name) / PROOF[name]).exists() else 'not made'}")
        return 0
    if argv[:1] == ["make"] and len(argv) > 1:
        for name in argv[1:]:
            print(make(name))
        return 0
    if argv[:1] == ["exec"] and len(argv) > 2:
        make(argv[1])
        words = enter_argv(argv[1], argv[2:])
        os.execvp(words[0], words)
    print(__doc__, file=sys.stderr)
    return 2


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except PeerFailed as e:
        print(f"peers: {e}", file=sys.stderr)
        sys.exit(1)

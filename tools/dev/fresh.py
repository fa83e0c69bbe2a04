"""./dev prove-fresh: everything from nothing, on an empty Debian 12 made for it."""
import os
import pathlib
import re
import shlex
import shutil
import signal
import subprocess
import sys

from common import BUILD, ROOT, Failed, Stopwatch, output, run, say

sys.path.insert(0, str(ROOT / "tools"))
FRESH = BUILD / "fresh"

# Runs in mount and process namespaces of its own. pivot_root and not chroot: a user inside a chroot may not make user
# namespaces, which the end-to-end tests of a plain user need.
ENTER = r"""
set -e
root=$1; shift
mount --make-rprivate /
mount --bind "$root" "$root"
cd "$root"
mount -t proc proc proc
printf fresh >proc/sys/kernel/hostname
mount -t sysfs sysfs sys || mount --rbind /sys sys
mount -t tmpfs -o mode=755 tmpfs dev
for d in null zero full random urandom tty; do touch dev/$d; mount --bind /dev/$d dev/$d; done
mkdir dev/pts dev/shm
mount -t devpts -o newinstance,ptmxmode=0666,mode=620,gid=5 devpts dev/pts
ln -s pts/ptmx dev/ptmx; ln -s /proc/self/fd dev/fd; ln -s /proc/self/fd/0 dev/stdin; ln -s /proc/self/fd/1 dev/stdout; ln -s /proc/self/fd/2 dev/stderr
mount -t tmpfs -o mode=1777 tmpfs dev/shm
mount -t tmpfs -o mode=755 tmpfs run; mkdir -p run/lock
if [ -e dev/net ] || [ -c /dev/net/tun ]; then mkdir -p dev/net; touch dev/net/tun; mount --bind /dev/net/tun dev/net/tun || true; fi
if [ -n "${FRESH_CCACHE:-}" ]; then mkdir -p var/ccache; mount --bind "$FRESH_CCACHE" var/ccache; chmod 1777 var/ccache; fi
mkdir -p .host
pivot_root . .host
cd /
umount -l .host
rmdir .host 2>/dev/null || true
exec "$@"
"""
# The environment inside holds nothing of ours but the way to a proxy.
KEPT = ("http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "TERM")


class System:
    """One empty Debian 12 below build/fresh, for one kind of user."""

    def __init__(self, user, ccache):
        self.user, self.ccache = user, ccache
        self.root = FRESH / user
        self.home = "/root" if user == "root" else "/home/dev"

    def enter(self, *argv, network=True, check=True):
        """Runs a command inside as root."""
        words = ["unshare", "--mount", "--pid", "--fork", "--kill-child=SIGKILL", "--ipc", "--uts"]
        inside = ["sh", "-c", ENTER, "enter", str(self.root), *argv]
        if not network:
            # Nothing but loopback, brought up before the new root is entered: it may hold no `ip`.
            words = ["unshare", "--net", "sh", "-c", 'ip link set lo up && exec "$@"', "offline", *words]
        environment = {k: os.environ[k] for k in KEPT if k in os.environ}
        environment |= {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root", "LANG": "C.UTF-8"}
        if self.ccache:
            environment |= {"FRESH_CCACHE": self.ccache}
        sys.stdout.flush()
        code = subprocess.run([*words, *inside], stdin=subprocess.DEVNULL, env=environment).returncode
        if check and code != 0:
            raise Failed(f"prove-fresh: as {self.user}: `{' '.join(argv)}` failed with exit code {code}")
        return code

    def as_user(self, script, network=True):
        """Runs a shell script inside as the user this system is for, in the clone."""
        cache = "export CCACHE_DIR=/var/ccache CCACHE_UMASK=000; " if self.ccache else ""
        body = f"{cache}cd {self.home}/mansio && {script}"
        if self.user == "root":
            return self.enter("bash", "-c", body, network=network)
        keep = ",".join(k for k in KEPT if k in os.environ)
        return self.enter("su", "-", "dev", *(["-w", keep] if keep else []), "-c", f"bash -c {shlex.quote(body)}", network=network)

    def make(self):
        shutil.rmtree(self.root, ignore_errors=True)
        FRESH.mkdir(parents=True, exist_ok=True)
        include = "git,ca-certificates" + (",sudo" if self.user != "root" else "")
        run("debootstrap", "--variant=minbase", f"--include={include}", "bookworm", self.root, mirror(), stdout=subprocess.DEVNULL)
        self.copy_settings()
        bundle = self.root / "var" / "tmp" / "mansio.bundle"
        run("git", "bundle", "create", "-q", bundle, "HEAD")
        if self.user == "root":
            self.enter("sh", "-c", f"git -c advice.detachedHead=false clone -q /var/tmp/mansio.bundle {self.home}/mansio")
        else:
            self.enter("sh", "-c", "useradd -m -s /bin/bash dev && echo 'dev ALL=(ALL) NOPASSWD: ALL' >/etc/sudoers.d/dev && chmod 440 /etc/sudoers.d/dev "
                                   "&& chmod 644 /var/tmp/mansio.bundle && su - dev -c 'git -c advice.detachedHead=false clone -q /var/tmp/mansio.bundle mansio'")

    def copy_settings(self):
        """The host's apt settings, so that the new system reaches the same mirror the same way; nothing else of the host."""
        import peers
        apt = self.root / "etc" / "apt"
        (apt / "sources.list").unlink(missing_ok=True)
        for path in peers.apt_sources():
            shutil.copy(path, apt / ("sources.list" if path.name == "sources.list" else f"sources.list.d/{path.name}"))
        for folder in ("keyrings", "trusted.gpg.d", "auth.conf.d"):
            if (pathlib.Path("/etc/apt") / folder).is_dir():
                shutil.copytree(f"/etc/apt/{folder}", apt / folder, dirs_exist_ok=True)
        (apt / "apt.conf.d" / "50host").write_text("\n".join(peers.apt_settings()) + "\n")
        resolv = self.root / "etc" / "resolv.conf"
        resolv.unlink(missing_ok=True)
        shutil.copy("/etc/resolv.conf", resolv)
        (self.root / "etc" / "hosts").write_text("127.0.0.1 localhost fresh\n::1 localhost\n")
        (self.root / "etc" / "hostname").write_text("fresh\n")
        # Certificates a proxy of this network signs with.
        local = pathlib.Path("/usr/local/share/ca-certificates")
        if local.is_dir() and any(local.iterdir()):
            shutil.copytree(local, self.root / "usr" / "local" / "share" / "ca-certificates", dirs_exist_ok=True)
            self.enter("update-ca-certificates")


def mirror():
    """The first address in the host's sources that serves bookworm itself."""
    import peers
    for path in peers.apt_sources():
        for uri in re.findall(r"^(?:URIs:|deb (?:\[[^]]*\] )?)\s*(https?://\S+|file:\S+)", path.read_text(), re.M):
            if "security" not in uri:
                return uri
    raise Failed("prove-fresh: the host's apt sources name no mirror of Debian bookworm")


def command(args):
    if os.geteuid() != 0:
        raise Failed("prove-fresh makes whole systems and needs root: sudo ./dev prove-fresh", 3)
    users, steps = args.users.split(","), args.steps.split(",")
    if set(users) - {"root", "user"} or set(steps) - {"run", "test", "offline"}:
        raise Failed("prove-fresh: see ./dev help prove-fresh", 2)
    commit = output("git", "rev-parse", "--short", "HEAD")
    if output("git", "status", "--porcelain"):
        say(f"prove-fresh: the work tree has changes; the commit {commit} is what is proved")
    # Ended from outside, we still take the systems away; what runs inside dies with the program that entered it.
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda n, _: sys.exit(128 + n))
    watch = Stopwatch()
    for user in users:
        system = System(user, args.ccache and str(pathlib.Path(args.ccache).resolve()))
        try:
            with watch.measure(f"{user}: make"):
                system.make()
            if "run" in steps:
                with watch.measure(f"{user}: run --check"):
                    system.as_user("./dev run --check")
            if "test" in steps:
                with watch.measure(f"{user}: test"):
                    system.as_user("./dev test")
            if "offline" in steps:
                with watch.measure(f"{user}: run --check without a network"):
                    system.as_user("./dev run --check", network=False)
        finally:
            if not args.keep:
                shutil.rmtree(system.root, ignore_errors=True)
        say(f"prove-fresh: {commit} passed as {user}: {', '.join(steps)}")
    say(watch.text())
    say("prove-fresh: passed")
    return 0

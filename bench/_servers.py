"""Servers that benches measure: ours and Debian's, on loopback, each with a folder of its own on the repository's disk.

A side has: name, pid (its whole tree is the server), ports by protocol, user and rcpt (patterns with %d), password, configuration(),
stop(), launch(), restart(), below_inbox (what the names of its other mailboxes begin with), and data, the folder with everything it keeps."""
import json
import os
import re
import shutil
import subprocess
import urllib.request

import peers
from _bench import BINARY, end, free_port, scratch, start, wait_port


class Ours:
    name, below_inbox = "Mansio", ""

    def __init__(self, users, extra=()):
        self.data = scratch()
        self.argv = [BINARY, "demo", "--json", "--port-base", "0", "--cleartext", "--folders", "none", "--users", users, "--data", self.data / "data", *extra]
        self.user, self.rcpt = "u%d", "u%d@example.test"
        self.launch()

    def launch(self):
        self.process = start(self.argv, stdout=subprocess.PIPE, text=True)
        line = self.process.stdout.readline()
        self.ready = json.loads(line or '{"ready":false,"error":"it ended"}')
        if not self.ready["ready"]:
            raise SystemExit(f"bench: mansio demo: {self.ready['error']}")
        self.pid, self.password = self.process.pid, self.ready.get("users_secret", "")
        self.ports = {face: self.ready[face] for face in ("lmtp", "imap", "smtp", "imaps", "pop3") if face in self.ready}

    def stop(self):
        end(self.process)

    def restart(self, filling=False):
        del filling  # groups of commits make it quick as it is
        self.stop()
        self.launch()

    def metric(self, name):
        text = urllib.request.urlopen(self.ready["metrics"]).read().decode()
        return sum(float(line.rsplit(" ", 1)[1]) for line in text.splitlines() if re.match(rf"{name}(\{{|\s)", line))

    def certificate(self):
        """What the demo made for itself: (certificate, key), P-256, so that the peers can do the same handshake."""
        return self.data / "data" / "tls" / "cert.pem", self.data / "data" / "tls" / "key.pem"

    def configuration(self):
        return "mansio demo --cleartext: durability exactly as in serve; one synced write for each group of commits"


class Peer:
    """A server of Debian in its private root; `self.data` is /bench inside."""

    root, below_inbox = None, ""

    def begin(self, certificate, faces):
        self.data = scratch()
        self.ports = {face: free_port() for face in faces}
        if certificate:
            for source, name in zip(certificate, ("cert.pem", "key.pem")):
                shutil.copy(source, self.data / name)
                (self.data / name).chmod(0o644)
        peers.make(self.root)

    def inside(self, argv):
        return peers.enter_argv(self.root, argv, [(self.data, "/bench")])

    def fill_in(self, text):
        return re.sub(r"@(\w+)@", lambda m: str(self.ports.get(m[1].lower(), 0)), text)

    def wait(self):
        for port in self.ports.values():
            wait_port(port, self.process)

    def stop(self):
        end(self.process)

    def restart(self, filling=False):
        """`filling`: without its syncs, to prepare mailboxes quickly. What is measured runs as packaged."""
        self.stop()
        self.launch(filling)


class Dovecot(Peer):
    name, root = "Dovecot sdbox", "dovecot"
    # Only what a private root and loopback need, and processes waiting for the sessions of the bench.
    CONFIG = """
protocols = imap lmtp pop3
listen = 127.0.0.1
base_dir = /bench/run
state_dir = /bench/state
log_path = /bench/dovecot.log
disable_plaintext_auth = no
mail_location = sdbox:/bench/mail/%n
mail_uid = dovecot
mail_gid = dovecot
first_valid_uid = 1
passdb {
  driver = static
  args = password=secret
}
userdb {
  driver = static
  args = uid=dovecot gid=dovecot home=/bench/mail/%n allow_all_users=yes
}
service imap-login {
  inet_listener imap {
    port = @IMAP@
  }
  inet_listener imaps {
    port = @IMAPS@
    ssl = yes
  }
}
service pop3-login {
  inet_listener pop3 {
    port = @POP3@
  }
  inet_listener pop3s {
    port = 0
  }
}
service imap {
  process_limit = 2000
}
service lmtp {
  process_min_avail = 10
  inet_listener lmtp {
    address = 127.0.0.1
    port = @LMTP@
  }
}
auth_username_format = %n
protocol lmtp {
  auth_username_format = %n
}
mail_max_userip_connections = 1000
service auth {
  client_limit = 4000
}
"""
    # Dovecot's own "high-performance mode": processes that serve one connection after another.
    FAST = """
service imap-login {
  service_count = 0
  process_min_avail = 2
  client_limit = 1000
}
service pop3-login {
  service_count = 0
  process_min_avail = 2
  client_limit = 1000
}
service imap {
  service_count = 0
  process_min_avail = 20
}
service pop3 {
  service_count = 0
  process_min_avail = 2
}
"""
    TLS = "ssl = yes\nssl_cert = </bench/cert.pem\nssl_key = </bench/key.pem\n"

    def __init__(self, users, certificate=None, fast=True):
        del users  # its static user database knows everybody
        self.begin(certificate, ("lmtp", "imap", "pop3") + (("imaps",) if certificate else ()))
        if not fast:
            self.name = "Dovecot sdbox as shipped"
        self.text = self.fill_in(self.CONFIG + (self.FAST if fast else "") + (self.TLS if certificate else "ssl = no\n"))
        for sub in ("mail", "state", "run"):
            (self.data / sub).mkdir()
        self.password, self.user, self.rcpt = "secret", "u%d", "u%d"
        self.launch()

    def launch(self, filling=False):
        (self.data / "dovecot.conf").write_text(self.text + ("mail_fsync = never\n" if filling else ""))
        self.process = start(self.inside(["sh", "-c", "chown dovecot /bench/mail && exec /usr/sbin/dovecot -F -c /bench/dovecot.conf"]), stderr=open(self.data / "start.log", "a"))
        self.pid = self.process.pid
        self.wait()

    def configuration(self):
        return subprocess.run(self.inside(["/usr/bin/doveconf", "-n", "-c", "/bench/dovecot.conf"]), capture_output=True, text=True).stdout


class Cyrus(Peer):
    name, root, below_inbox = "Cyrus", "cyrus", "INBOX."
    # Debian's imapd.conf (locks and sockets on a tmpfs, as there) with its mail below /bench, users in a sasldb of its own and INBOXes made at first sight.
    SETTINGS = """
configdirectory: /bench/lib
proc_path: /run/cyrus/proc
mboxname_lockpath: /run/cyrus/lock
defaultpartition: default
partition-default: /bench/spool
altnamespace: no
unixhierarchysep: no
lmtp_downcase_rcpt: yes
allowanonymouslogin: no
popminpoll: 0
autocreate_quota: 0
autocreate_post: yes
umask: 077
sieveusehomedir: false
sievedir: /bench/sieve
hashimapspool: true
allowplaintext: yes
sasl_pwcheck_method: auxprop
sasl_auxprop_plugin: sasldb
sasl_sasldb_path: /bench/sasldb2
sasl_mech_list: PLAIN
sasl_auto_transition: no
servername: bench
tls_session_timeout: 0
lmtpsocket: /run/cyrus/socket/lmtp
idlesocket: /run/cyrus/socket/idle
notifysocket: /run/cyrus/socket/notify
syslog_prefix: cyrus
admins: cyrus
"""
    TLS = "tls_server_cert: /bench/cert.pem\ntls_server_key: /bench/key.pem\n"
    # Debian's services for mail; processes wait for the sessions of the bench, and serve as many as Debian lets them (-U is 30 there).
    SERVICES = """
START {
    recover cmd="/usr/sbin/cyrus ctl_cyrusdb -C /bench/imapd.conf -r"
    idled cmd="idled -C /bench/imapd.conf"
}
SERVICES {
    imap cmd="imapd -C /bench/imapd.conf -U 30" listen="127.0.0.1:@IMAP@" prefork=20 maxchild=2000
    pop3 cmd="pop3d -C /bench/imapd.conf -U 30" listen="127.0.0.1:@POP3@" prefork=2 maxchild=50
    lmtp cmd="lmtpd -C /bench/imapd.conf -a" listen="127.0.0.1:@LMTP@" prefork=10 maxchild=20
@TLS_SERVICE@}
EVENTS {
    checkpoint cmd="/usr/sbin/cyrus ctl_cyrusdb -C /bench/imapd.conf -c" period=30
}
"""
    TLS_SERVICE = '    imaps cmd="imapd -C /bench/imapd.conf -s -U 30" listen="127.0.0.1:@IMAPS@" prefork=20 maxchild=2000\n'
    SETUP = """
set -e
mkdir -p /bench/lib /bench/spool /bench/sieve
for n in $(seq 1 @USERS@); do printf secret | saslpasswd2 -p -c -f /bench/sasldb2 -u bench u$n; done
chown -R cyrus:mail /bench/lib /bench/spool /bench/sieve /bench/sasldb2
exec su cyrus -c '/usr/lib/cyrus/bin/makedirs -C /bench/imapd.conf' 2>/dev/null || true
"""

    def __init__(self, users, certificate=None):
        self.begin(certificate, ("lmtp", "imap", "pop3") + (("imaps",) if certificate else ()))
        (self.data / "imapd.conf").write_text(self.SETTINGS + (self.TLS if certificate else ""))
        services = self.SERVICES.replace("@TLS_SERVICE@", self.TLS_SERVICE if certificate else "")
        (self.data / "cyrus.conf").write_text(self.fill_in(services))
        self.password, self.user, self.rcpt = "secret", "u%d", "u%d"
        made = subprocess.run(self.inside(["sh", "-c", self.SETUP.replace("@USERS@", str(users))]), capture_output=True, text=True)
        if made.returncode != 0:
            raise SystemExit(f"bench: Cyrus could not be set up: {made.stderr}")
        self.launch()

    def launch(self, filling=False):
        prepare = ("export LD_PRELOAD=libeatmydata.so; " if filling else "") + "mkdir -p /run/cyrus/socket /run/cyrus/proc /run/cyrus/lock && chown -R cyrus:mail /run/cyrus && exec /usr/lib/cyrus/bin/master -C /bench/imapd.conf -M /bench/cyrus.conf -p /run/cyrus/master.pid"
        self.process = start(self.inside(["sh", "-c", prepare]), stdout=subprocess.DEVNULL, stderr=open(self.data / "start.log", "a"))
        self.pid = self.process.pid
        self.wait()

    def configuration(self):
        return (self.data / "imapd.conf").read_text() + (self.data / "cyrus.conf").read_text()


class Postfix(Peer):
    name, root = "Postfix", "postfix"

    def __init__(self):
        self.begin(None, ("smtp",))
        for sub in ("spool", "lib"):
            (self.data / sub).mkdir()
        settings = {"queue_directory": "/bench/spool", "data_directory": "/bench/lib", "inet_interfaces": "127.0.0.1", "inet_protocols": "ipv4", "mynetworks": "127.0.0.0/8", "mydestination": "example.test",
                    "local_recipient_maps": "", "local_transport": "discard:", "default_transport": "discard:", "smtpd_client_connection_count_limit": "0", "default_process_limit": "200", "maillog_file": "/bench/maillog",
                    "maillog_file_prefixes": "/bench", "smtpd_error_sleep_time": "0", "compatibility_level": "3.6", "alias_maps": "", "myhostname": "mail.example.test"}
        edits = " ".join(f"'{k}={v}'" for k, v in settings.items())
        inside = (f"cp -a /etc/postfix /bench/etc && chown root:root /bench/etc && chown postfix /bench/lib && cd /bench/etc && sed -i -E 's/^smtp +inet.*smtpd$/127.0.0.1:{self.ports['smtp']} inet n - n - - smtpd/; s/^(\\w+ +(unix|fifo) +\\S+ +\\S+ +)y/\\1n/' master.cf && "
                  f"touch main.cf && postconf -c /bench/etc -e {edits} && postconf -c /bench/etc -M discard/unix='discard unix - - n - - discard' && postfix -c /bench/etc set-permissions >/dev/null 2>&1; exec postfix -c /bench/etc start-fg")
        self.process = start(self.inside(["sh", "-c", inside]), stdout=subprocess.DEVNULL, stderr=open(self.data / "start.log", "w"))
        self.pid, self.rcpt = self.process.pid, "u%d@example.test"
        self.wait()

    def configuration(self):
        return subprocess.run(self.inside(["postconf", "-c", "/bench/etc", "-n"]), capture_output=True, text=True).stdout

# Backups of a server in use, killed and repeated; the whole into an empty data directory; an account and a message into the running server.
# timeout: 60
import imaplib
import json
import re
import shutil
import signal
import subprocess
import threading
import time

import harness
from harness import BINARY, Failed, check, check_equal, run, scratch, start

harness.isolate()

backups = scratch() / "backups"
state = {}
ALICE, BOB = "alice@example.test", "bob@example.test"


def message(n, size=500):
    body = "".join(f"line {n} {i} {i * 7919 % 1000003}\r\n" for i in range(size // 22))
    return f"From: {ALICE}\r\nTo: {BOB}\r\nSubject: number {n}\r\nMessage-ID: <{n}@example.test>\r\n\r\n{body}".encode()


def serve(data):
    p = start([BINARY, "demo", "--json", "--port-base", "0", "--cleartext", "--data", data], stdout=subprocess.PIPE, text=True)
    demo = json.loads(p.stdout.readline())
    check(demo["ready"], f"the demo is ready: {demo}")
    state.update(process=p, demo=demo, data=data, secrets={a["address"]: a["app_password"] for a in demo["accounts"]})


def stop():
    state["process"].send_signal(signal.SIGTERM)
    check_equal(state["process"].wait(30), 0, "a clean stop")


class Box(imaplib.IMAP4):
    def __init__(self, address=ALICE):
        super().__init__("127.0.0.1", state["demo"]["imap"], timeout=30)
        self.login(address, state["secrets"][address])

    def picture(self, mailbox):
        check_equal(self.select(f'"{mailbox}"', readonly=True)[0], "OK", f"EXAMINE {mailbox}")
        validity = int(self.response("UIDVALIDITY")[1][0])
        got = {}
        for part in self.uid("FETCH", "1:*", "(UID FLAGS EMAILID BODY.PEEK[])")[1]:
            if isinstance(part, tuple):
                got[int(re.search(rb"UID (\d+)", part[0])[1])] = (sorted(set(re.search(rb"FLAGS \(([^)]*)\)", part[0])[1].split()) - {b"\\Recent"}),
                                                                    re.search(rb"EMAILID \((\S+)\)", part[0])[1], part[1])
        return validity, got


def mansio(*argv, code=0, socket=True):
    done = run([BINARY, *argv, *(["--socket", state["demo"]["admin_socket"]] if socket else []), "--json"], check=False)
    if done.returncode != code:
        raise Failed(f"{' '.join(map(str, argv))} answered {done.returncode}: {done.stdout}{done.stderr}")
    return json.loads(done.stdout)


def a_server_with_mail():
    serve(scratch() / "one")
    box = Box()
    for n in range(150):
        check_equal(box.append("Sent" if n % 5 == 0 else "INBOX", ["", "\\Seen", "\\Flagged $x"][n % 3], None, message(n))[0], "OK", "APPEND")
    check_equal(box.append("Archive", "", None, message(1000, 3_000_000))[0], "OK", "APPEND of a large one")
    box.logout()
    other = Box(BOB)
    check_equal(other.append("INBOX", "", None, message(2000))[0], "OK", "APPEND")
    other.logout()


def a_backup_while_mail_comes():
    end = threading.Event()
    sent = []

    def writer():
        box = Box(BOB)
        while not end.is_set():
            box.append("INBOX", "", None, message(3000 + len(sent), 20_000))
            sent.append(1)
        box.logout()

    t = threading.Thread(target=writer)
    t.start()
    try:
        first = mansio("backup", backups)
    finally:
        end.set()
        t.join()
    check_equal(first["problem_count"], 0, "the first backup")
    check(first["messages"] >= 152 and first["new_messages"] == first["messages"], f"everything is new: {first}")
    check(mansio("backup", backups, "--verify", socket=True)["good"], "it is whole")
    mansio("backup", backups)
    idle = mansio("backup", backups)
    check_equal((idle["new_messages"], idle["new_octets"]), (0, 0), "nothing happened, nothing is new")
    box = Box()
    box.append("INBOX", "", None, message(4000))
    state["last"] = box.picture("INBOX")
    state["archive"] = box.picture("Archive")
    box.logout()
    one = mansio("backup", backups)
    check_equal(one["new_messages"], 1, "one more message")
    check(one["new_octets"] < first["new_octets"] // 5, f"and little more: {one['new_octets']} octets")


def killed_in_the_middle():
    box = Box(BOB)
    for n in range(5):
        box.append("INBOX", "", None, message(5000 + n, 4_000_000))
    box.logout()
    before = [g["generation"] for g in mansio("backup", "list", backups, socket=False)["generations"]]
    for delay in (0.03, 0.08, 0.15):
        p = start([BINARY, "backup", backups, "--socket", state["demo"]["admin_socket"]], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(delay)
        p.kill()
        p.wait()
        check(mansio("backup", backups, "--verify", "--generation", str(before[-1]))["good"], "the former one is whole")
    last = mansio("backup", backups, "--keep", "3")
    check_equal(last["problem_count"], 0, "the next one")
    listed = [g["generation"] for g in mansio("backup", "list", backups, socket=False)["generations"]]
    check_equal(len(listed), 3, "three are kept")
    check(mansio("backup", backups, "--verify")["good"], "and it is whole")


def not_into_what_is_not_ours():
    foreign = scratch() / "foreign"
    foreign.mkdir()
    (foreign / "letter").write_text("dear")
    check("no backup of Mansio" in mansio("backup", foreign, code=1)["error"], "a foreign directory is refused")
    check("a store in" in mansio("restore", backups, "--data", state["data"], code=1)["error"], "a data directory in use is refused")


def mail_back_into_the_running_server():
    box = Box()
    box.select("INBOX")
    box.uid("STORE", "1:*", "+FLAGS", "(\\Deleted)")
    box.expunge()
    validity, gone = state["last"]
    uid, (flags, email, octets) = next((u, m) for u, m in gone.items() if b"<7@example.test>" in m[2])
    one = mansio("restore", backups, "--account", ALICE, "--message", "<7@example.test>", "--into", "One")
    check_equal(one["restored"], 1, "one message by its Message-ID")
    check_equal([m[::2] for m in box.picture("One/INBOX")[1].values()], [(flags, octets)], "that message")
    check_equal(mansio("restore", backups, "--account", ALICE, "--message", email.decode(), "--into", "Two")["restored"], 1, "by its EMAILID")
    check_equal(mansio("restore", backups, "--account", ALICE, "--folder", "INBOX", "--uid", str(uid), "--into", "Three")["restored"], 1, "by its UID")
    mansio("restore", backups, "--account", ALICE, "--message", "<nothing@example.test>", code=1)
    mansio("restore", backups, "--account", "nobody@example.test", code=1)
    all_of_it = mansio("restore", backups, "--account", ALICE, "--folder", "INBOX")
    check(all_of_it["into"].startswith("Restored 20"), f"a folder of its own: {all_of_it}")
    check_equal(sorted(m[2] for m in box.picture(all_of_it["into"] + "/INBOX")[1].values()), sorted(m[2] for m in gone.values()), "the whole folder")
    box.logout()


def the_whole_into_an_empty_directory():
    box = Box()
    box.append("INBOX", "", None, message(6000))
    lost = max(int(m[1].split(b"_")[1]) for m in box.picture("INBOX")[1].values())
    box.logout()
    stop()
    new = scratch() / "two"
    new.mkdir(mode=0o700)
    shutil.copytree(state["data"] / "keys", new / "keys")
    report = mansio("restore", backups, "--data", new, socket=False)
    check_equal((report["problem_count"], report["keys"]), (0, True), "the restore")
    verified = json.loads(run([BINARY, "verify", "--data", new, "--deep", "--json"]).stdout)
    check(verified["good"], f"the store is sound: {verified}")
    serve(new)
    box = Box()
    validity, inbox = box.picture("INBOX")
    check_equal(inbox, state["last"][1], "INBOX as it was, under the same UIDs")
    check(validity > state["last"][0], "with another UIDVALIDITY")
    check_equal(box.picture("Archive")[1], state["archive"][1], "the large one")
    box.append("INBOX", "", None, message(7000))
    after = box.picture("INBOX")[1]
    check(int(after[max(after)][1].split(b"_")[1]) > lost, "an EMAILID that was given out after the backup is not given out again")
    box.logout()
    again = mansio("backup", backups)
    check_equal((again["problem_count"], again["new_messages"]), (0, 1), "backups go on in the same directory")


def damage_is_found():
    pack = max((backups / "packs").iterdir(), key=lambda p: p.stat().st_size)
    with open(pack, "r+b") as f:
        f.seek(pack.stat().st_size // 2)
        octet = f.read(1)
        f.seek(-1, 1)
        f.write(bytes([octet[0] ^ 1]))
    found = mansio("backup", backups, "--verify", code=1)
    check_equal((found["good"], found["problem_count"]), (False, 1), f"one message is damaged: {found}")
    check("is damaged in pack" in found["problems"][0], found["problems"][0])


harness.main(a_server_with_mail, a_backup_while_mail_comes, killed_in_the_middle, not_into_what_is_not_ours, mail_back_into_the_running_server,
             the_whole_into_an_empty_directory, damage_is_found)

# Programs a person reads with, and one that sorts: mutt and neomutt on a terminal, imapfilter. Each its usual round over TLS.
# timeout: 120
# peers: clients
import harness
from clients import INSIDE, Demo, need_clients
from harness import check, check_equal, isolate, need

need("unshare")
isolate()
need_clients("mutt", "neomutt", "imapfilter")
demo = Demo()


def read_with(program):
    """Opens INBOX, does what `keys` say in mutt's own words, writes back and leaves."""
    who = demo.person(program)
    url = f"imaps://localhost:{demo.ready['imaps']}"

    def do(mailbox, keys):
        rc = who.write("muttrc", f"""
set imap_user = "{who.address}"
set imap_pass = "{who.secret}"
set ssl_ca_certificates_file = "{INSIDE}/ca.pem"
set ssl_force_tls = yes
set header_cache = "{who.inside}/cache"
set folder = "{url}/"
set delete = yes
set confirmappend = no
set quit = yes
set sleep_time = 0
set mark_old = no
set wait_key = no
push "{keys}"
""")
        return who.run_on_terminal(program, "-n", "-F", rc, "-f", f"{url}/{mailbox}")

    who.mail("one")
    who.mail("two", "Read me.\r\n")
    drawn = do("INBOX", "<quit>")
    check("one" in drawn and "two" in drawn, f"{program} shows no subjects")
    check_equal(who.listing(), {"one": [], "two": []}, "after the first look")
    do("INBOX", "<quit>")
    check_equal(who.listing(), {"one": [], "two": []}, "after the second look")
    who.mail("three")
    who.flag("three", r"\Flagged")
    drawn = do("INBOX", "<search>~s two<enter><display-message><exit><search>~s one<enter><flag-message><sync-mailbox><quit>")
    check("three" in drawn, f"{program} shows no new mail")
    check_equal(who.listing(), {"one": [r"\Flagged"], "two": [r"\Seen"], "three": [r"\Flagged"]}, "after reading and flagging")
    do("INBOX", "<search>~s two<enter><save-message>=Archive<enter><sync-mailbox><quit>")
    check_equal((set(who.listing()), set(who.listing("Archive"))), ({"one", "three"}, {"two"}), "after the move")
    do("INBOX", "<delete-pattern>~A<enter><sync-mailbox><quit>")
    check_equal(who.listing(), {}, "after the deletion")


def mutt():
    read_with("mutt")


def neomutt():
    read_with("neomutt")


def imapfilter():
    who = demo.person("imapfilter")

    def do(lua):
        config = who.write("config.lua", f"""
options.timeout = 20
options.create = false
box = IMAP {{ server = 'localhost', port = {demo.ready["imaps"]}, username = '{who.address}', password = '{who.secret}', ssl = 'auto' }}
{lua}
""")
        return who.run("imapfilter", "-t", f"{INSIDE}/ca.pem", "-c", config)

    who.mail("one")
    who.mail("two")
    check("2 messages, 2 recent, 2 unseen" in do("box.INBOX:check_status()"), "messages and unseen")
    do("print(#box.INBOX:is_unseen())")
    check_equal(who.listing(), {"one": [], "two": []}, "looking changed something")
    who.mail("three")
    who.flag("three", r"\Seen")
    check_equal(do("for _, m in ipairs(box.INBOX:is_seen()) do mailbox, uid = table.unpack(m); print(mailbox[uid]:fetch_field('Subject')) end").split("Subject: ")[1].strip(), "three", "new mail")
    do("box.INBOX:contain_subject('one'):mark_flagged()")
    check_equal(who.listing()["one"], [r"\Flagged"], "flag")
    do("box.INBOX:contain_subject('two'):move_messages(box.Archive)")
    check_equal((set(who.listing()), set(who.listing("Archive"))), ({"one", "three"}, {"two"}), "move")
    do("box.INBOX:contain_subject('one'):copy_messages(box.Trash)\nbox.INBOX:select_all():delete_messages()")
    check_equal((who.listing(), set(who.listing("Trash"))), ({}, {"one"}), "deletion")


harness.main(mutt, neomutt, imapfilter)

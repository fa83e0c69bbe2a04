"""./dev prove imap-stress --seconds 60 --clients 50 --seed N: many clients over ten mailboxes of one account, every untagged response checked against a model.

Each client keeps its own number map (sequence number → UID, flags, MODSEQ), built only from what the server tells it; a ledger outside the server keeps all
that any client was ever told. Two things told that cannot both be true are a contradiction: an EXPUNGE where numbers must stand still (RFC 9051 §7.5.1), a
message gone that nobody removed, a UID that names two messages, a change acknowledged to one and not told to another by its next NOOP, a MODSEQ or UIDNEXT
that falls. The server is killed (SIGKILL) in between and started again on its data; clients come back, with QRESYNC and CONDSTORE where they had them. At the
end all maps must equal a fresh SELECT. The seed decides what each client does; when is the machine's. Exit code 1 on any contradiction.

--mutant wrong-expunge, lost-fetch or reused-uid puts a lying proxy between: the run must then fail.
"""
import sys

from imap_stress import driver

if __name__ == "__main__":
    sys.exit(driver.main(__doc__))

"""What ./dev prove imap-stress is made of.

`wire` cuts and reads responses · `ledger` holds what any client was ever told · `session` is one connection with its number map · `client` and `actions` decide
and speak · `mutants` is a proxy that lies · `server` runs and kills the release binary · `driver` puts it together and reports.
"""

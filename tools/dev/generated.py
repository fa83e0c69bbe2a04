"""Documents that are made from the source: docs/limits.md from src/base/limits.def."""
import re

from source import read

LIMITS = "docs/limits.md"
_ENTRY = re.compile(r'^MANSIO_LIMIT\((\w+), (\d+), "([^"]*)", "([^"]*)", "([^"]*)", "([^"]*)"\)$', re.M)


def limits():
    text = read("src/base/limits.def")
    entries = _ENTRY.findall(text)
    if len(entries) != len(re.findall(r"^MANSIO_LIMIT\(", text, re.M)):
        raise ValueError("src/base/limits.def holds an entry that is not MANSIO_LIMIT(name, number, \"unit\", \"reply\", \"metric\", \"text\") on one line")
    lines = ["# Limits", "",
             "Generated from `src/base/limits.def` by `./dev lint --generate`; change it there. `[limits]` in the configuration changes a value.",
             "Metrics are counters at `/metrics`, written `mansio_NAME_total`.", "",
             "| name | default | unit | when it is hit | metric | what it is |", "|---|---:|---|---|---|---|"]
    for name, value, unit, reply, metric, what in entries:
        cells = [f"`{name}`", f"{int(value):,}", unit, reply, f"`{metric}`", what]
        lines.append("| " + " | ".join(c.replace("|", "\\|") for c in cells) + " |")
    return "\n".join(lines) + "\n"

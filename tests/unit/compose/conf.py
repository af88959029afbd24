"""Reading configuration files as far as the specs here need it: no more of each format than is used."""

import re
from collections import defaultdict
from pathlib import Path

COMPOSE = Path(__file__).resolve().parents[3] / "compose"

_ASSIGNMENT = re.compile(r'^("[^"]+"|\S+?)(?:\s*=\s*|\s+)(.*?);?$')


def read(name: str) -> str:
    """A file below ``compose/``."""
    return (COMPOSE / name).read_text(encoding="utf-8")


def postfix_lines(text: str) -> list[str]:
    """Logical lines: comments and blanks gone, lines that begin with white space joined to the one before."""
    lines: list[str] = []
    for line in text.splitlines():
        if not line.strip() or line.startswith("#"):
            continue
        if line[0].isspace():
            lines[-1] += f" {line.strip()}"
        else:
            lines.append(line.strip())
    return lines


def main_cf(name: str) -> dict[str, str]:
    """A Postfix ``main.cf``: value by parameter; the last one counts, as for Postfix."""
    pairs = (line.partition("=") for line in postfix_lines(read(name)))
    return {key.strip(): value.strip() for key, _, value in pairs}


def master_cf(name: str) -> dict[str, dict[str, str]]:
    """A Postfix ``master.cf``: by ``name/type`` the overrides (``-o``); ``command`` is among the keys."""
    services = {}
    for line in postfix_lines(read(name)):
        fields = line.split(None, 7)
        command, _, options = fields[7].partition(" ")
        found = re.findall(r"-o (?:\{ (.*?) \}(?= -o|$)|(\S+))", options)
        pairs = ((braced or plain).partition("=") for braced, plain in found)
        overrides = {key.strip(): value.strip() for key, _, value in pairs}
        services[f"{fields[0]}/{fields[1]}"] = {"command": command, **overrides}
    return services


def settings(name: str) -> dict[str, list[str]]:
    """Nested blocks in braces (Dovecot, Rspamd, nginx): values by ``block/block/key``, in their order.

    One statement a line; quotes around a name or value and a closing semicolon are taken off.
    """
    found: dict[str, list[str]] = defaultdict(list)
    path: list[str] = []
    for line in map(str.strip, read(name).splitlines()):
        if not line or line.startswith(("#", "!")):
            continue
        if line.endswith("{"):
            path.append(line[:-1].strip())
        elif line == "}":
            path.pop()
        elif match := _ASSIGNMENT.match(line):
            key, value = (part.strip("\"'") for part in match.groups())
            found["/".join([*path, key])].append(value)
    return dict(found)

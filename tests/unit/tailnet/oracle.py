"""A second reading of the policy language, by Tailscale's documentation alone, to check the first one with.

It shares neither code nor method with ``fixtures/tailnet``: it reads the parsed file itself, answers one
question at a time by walking every rule, and compares addresses bit by bit.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

Document = Mapping[str, Any]
ICMP = 1
IANA = {
    "icmp": ICMP, "igmp": 2, "ipv4": 4, "ip-in-ip": 4, "tcp": 6, "egp": 8, "igp": 9, "udp": 17, "gre": 47,
    "esp": 50, "ah": 51, "sctp": 132,
}  # fmt: skip
WITHOUT_PROTO = {6, 17}
"""TCP and UDP; ICMP needs no rule of its own, it goes wherever anything may go."""

DEFAULT = [{"action": "accept", "src": ["*"], "dst": ["*:*"]}]
"""What a tailnet starts with, and what holds where the file lacks the section."""


@dataclass(frozen=True)
class Device:
    """A machine: its IPv4 address, who made it, and its tags, which make it nobody's."""

    address: str
    user: str = ""
    tags: frozenset[str] = frozenset()


def admits(document: Document, source: Device, target: Device, protocol: int, port: int) -> bool:
    """Whether a packet of ``protocol`` to ``port`` passes; without any rule nothing does."""
    rules = document.get("acls", DEFAULT)
    return any(_admits(document, rule, source, target, protocol, port) for rule in rules)


def shows(document: Document, one: Device, other: Device) -> bool:
    """Whether two machines know of each other: some packet may pass, in one direction or the other."""
    return admits(document, one, other, ICMP, 0) or admits(document, other, one, ICMP, 0)


def sources(rule: Document) -> list[str]:
    """Who a rule is for; ``users`` is the old name of the field."""
    return list(rule["src"] if "src" in rule else rule["users"])


def targets(rule: Document) -> list[str]:
    """What a rule opens, as ``host:ports``; ``ports`` is the old name of the field."""
    return list(rule["dst"] if "dst" in rule else rule["ports"])


def protocols(rule: Document) -> set[int]:
    """The IP protocols of a rule: a name, a number, or none, which is the usual ones."""
    name = rule.get("proto", "")
    if not name:
        return WITHOUT_PROTO
    return {IANA[name] if name in IANA else int(name)}


def ports(target: str) -> list[range]:
    """The ports of ``host:22``, ``host:80,443``, ``host:1000-2000`` or ``host:*``."""
    found = []
    for part in target[target.rindex(":") + 1 :].split(","):
        low, _, high = ("0-65535" if part == "*" else part).partition("-")
        found.append(range(int(low), int(high or low) + 1))
    return found


def _admits(
    document: Document, rule: Document, source: Device, target: Device, protocol: int, port: int
) -> bool:
    if protocol != ICMP and protocol not in protocols(rule):
        return False
    for who in sources(rule):
        if not selects(document, who, source):
            continue
        for where in targets(rule):
            host = where[: where.rindex(":")]
            if host == "autogroup:self":
                hit = not source.tags and not target.tags and source.user == target.user
            else:
                hit = selects(document, host, target)
            if hit and (protocol == ICMP or any(port in some for some in ports(where))):
                return True
    return False


def selects(document: Document, selector: str, device: Device) -> bool:
    """Whether a selector means this machine. A tagged machine is nobody's; no machine is the Internet."""
    person = "" if device.tags else device.user
    if selector == "*":
        return True
    if selector == "autogroup:tagged":
        return bool(device.tags)
    if selector in ("autogroup:member", "autogroup:members"):
        return bool(person)
    if selector.startswith("autogroup:"):
        return False
    if selector.startswith("tag:"):
        return selector in device.tags
    if selector.startswith("group:"):
        return person in document["groups"][selector]
    if "@" in selector:
        return selector == person
    return _covers(document.get("hosts", {}).get(selector, selector), device.address)


def _covers(prefix: str, address: str) -> bool:
    network, _, length = prefix.partition("/")
    kept = int(length or 32)
    return _bits(network)[:kept] == _bits(address)[:kept]


def _bits(address: str) -> str:
    return "".join(f"{int(number):08b}" for number in address.split("."))

"""Random tailnets: policies as an owner might write them, machines, and questions at their rules' edges."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import permutations, product
from typing import Any

from hypothesis import strategies as st

from tests.unit.tailnet.oracle import Device, Document, ports, targets

USERS = ("alice@example.net", "bob@example.net", "carol@example.org")
TAGS = ("tag:mailserver", "tag:fargate-mx", "tag:printer")
GROUPS = ("group:staff", "group:guests")
HOSTS = ("desk", "floor")
ADDRESSES = tuple(f"100.64.{high}.{low}" for high in (0, 1) for low in (1, 2, 130))
PREFIXES = (
    "100.64.0.0/10",
    "100.64.1.0/24",
    "100.64.0.0/29",
    "100.64.0.129/25",
    "100.64.1.2/31",
    "0.0.0.0/0",
)
SELF = "autogroup:self"
OF_PEOPLE = (*USERS, *GROUPS, "autogroup:member")
ANYBODY = (("*",), TAGS, ("autogroup:tagged",), HOSTS, ADDRESSES, PREFIXES)
NUMBERS = st.sampled_from([0, 1, 22, 25, 443, 587, 993, 995, 2525, 65535]) | st.integers(0, 65535)
ASKED = (6, 17, 132, 1, 47)
WITH_PORTS = ("", "tcp", "udp", "sctp", "6", "17")
WITHOUT_PORTS = ("icmp", "igmp", "gre", "47", "2")


@dataclass(frozen=True)
class Question:
    """Does this packet pass from one machine to another?"""

    source: Device
    target: Device
    protocol: int
    port: int


@dataclass(frozen=True)
class Tailnet:
    """A policy, machines, and ports at which some rule's answer changes."""

    document: Document
    devices: tuple[Device, ...]
    ports: tuple[int, ...]

    def questions(self) -> Iterator[Question]:
        """Every pair of machines, by every sort of protocol, on each of the ports."""
        for source, target in permutations(self.devices, 2):
            for protocol, port in product(ASKED, self.ports):
                yield Question(source, target, protocol, port)


def selectors(*more: str) -> st.SearchStrategy[str]:
    """Any selector that a source may be, each kind as frequent as the next, or one of ``more``."""
    others = [st.sampled_from(kind) for kind in (*ANYBODY, *([more] if more else []))]
    return st.sampled_from(OF_PEOPLE) | st.one_of(others)


@st.composite
def _range(draw: st.DrawFn) -> str:
    low, high = sorted((draw(NUMBERS), draw(NUMBERS)))
    return draw(st.sampled_from(["*", str(low), f"{low}-{high}"]))


@st.composite
def rules(draw: st.DrawFn) -> Document:
    """One rule that the admin console takes, in the present or the old names of its fields."""
    people = draw(st.booleans())
    who = st.sampled_from(OF_PEOPLE) if people else selectors()
    host = st.just("*") | selectors("autogroup:internet")
    host = st.just(SELF) | host if people else host
    proto = draw(st.just("") | st.sampled_from(WITH_PORTS) | st.sampled_from(WITHOUT_PORTS))
    open_ports = (
        st.just("*") if proto in WITHOUT_PORTS else st.lists(_range(), min_size=1, max_size=2).map(",".join)
    )
    src, dst = ("users", "ports") if draw(st.booleans()) else ("src", "dst")
    found: dict[str, Any] = {
        "action": "accept",
        src: draw(st.lists(who, min_size=1, max_size=2)),
        dst: draw(st.lists(st.builds("{}:{}".format, host, open_ports), min_size=1, max_size=2)),
    }
    return {**found, "proto": proto} if proto or draw(st.booleans()) else found


@st.composite
def documents(draw: st.DrawFn) -> Document:
    """A whole policy; now and then one without any rule, or even without the section for them."""
    members = st.lists(st.sampled_from(USERS), unique=True, max_size=2)
    sections: dict[str, Any] = {
        "tagOwners": {tag: [] for tag in TAGS},
        "groups": {group: draw(members) for group in GROUPS},
        "hosts": {"desk": draw(st.sampled_from(ADDRESSES)), "floor": draw(st.sampled_from(PREFIXES))},
    }
    oddity = draw(st.integers(0, 19))
    if oddity == 19:
        return sections
    return {**sections, "acls": [] if oddity == 18 else draw(st.lists(rules(), min_size=1, max_size=4))}


def devices() -> st.SearchStrategy[tuple[Device, ...]]:
    """Three to five machines with addresses of their own, each a person's, or tagged, whoever made it."""
    owned = st.builds(lambda user: (user, frozenset[str]()), st.sampled_from(USERS))
    tagged = st.builds(
        lambda user, tags: (user, frozenset(tags)),
        st.sampled_from(["", *USERS]),
        st.sets(st.sampled_from(TAGS), min_size=1, max_size=2),
    )
    return st.lists(st.sampled_from(ADDRESSES), min_size=3, max_size=5, unique=True).flatmap(
        lambda addresses: st.tuples(
            *(st.builds(lambda who, at=at: Device(at, *who), owned | tagged) for at in addresses)
        )
    )


@st.composite
def tailnets(draw: st.DrawFn) -> Tailnet:
    """A policy, machines, and ports: bounds of the rules' ranges, those just outside, and any."""
    document = draw(documents())
    bounds = [
        (some[0], some[-1])
        for rule in document.get("acls", ())
        for where in targets(rule)
        for some in ports(where)
    ]
    edges = {port for low, high in bounds for port in (low - 1, low, high, high + 1) if 0 <= port <= 65535}
    asked = (
        draw(st.lists(st.sampled_from(sorted(edges)), min_size=min(4, len(edges)), max_size=8, unique=True))
        if edges
        else []
    )
    return Tailnet(document, draw(devices()), (*asked, draw(NUMBERS)))

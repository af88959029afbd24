"""What a measurement of the matrix is judged by, and the pure parts of the probers."""

import socket
import sys
from dataclasses import replace

import pytest

from fixtures.probe import prober, syn
from fixtures.probe.matrix import Cell, Scan
from fixtures.probe.reach import Answer
from fixtures.tailnet.policy import parse
from fixtures.targets.outcasts import OutcastError, with_other_tag
from fixtures.targets.reachability import Measured, differing, matrix, with_controls
from fixtures.targets.scans import Scanned, parse_nmap, surplus
from fixtures.world.images import ROOT

pytestmark = pytest.mark.req("R-0-reachability-matrix")


def cell(source: str, destination: str, port: int, protocol: str = "tcp") -> Cell:
    """A cell of the repository's own matrix."""
    (found,) = [
        each
        for each in matrix().of(source)
        if (each.destination, each.port, each.protocol) == (destination, port, protocol)
    ]
    return found


def as_written(cells: list[Cell]) -> list[Measured]:
    """The measurement of a world that is as the matrix says."""
    return [Measured(each, each.expected, matrix().served(each) or matrix().mute(each)) for each in cells]


LAN_TO_IMAPS = cell("lan-host", "dell-tailnet", 993)
MEMBER_TO_IMAPS = cell("tailnet-pc", "dell-tailnet", 993)
LAN_TO_25 = cell("lan-host", "dell-lan", 25)
LAN_TO_WIREGUARD = cell("lan-host", "dell-lan", 41641, "udp")


def test_a_world_as_written_differs_nowhere() -> None:
    """All cells with their expected answers, and no listener that the matrix does not know."""
    assert differing(as_written(list(matrix().cells))) == []


def test_nothing_measured_is_no_proof() -> None:
    """An empty measurement, or an empty list of scans, says so."""
    assert differing([]) == ["nothing was measured"]
    assert surplus([]) == ["nothing was scanned"]


@pytest.mark.parametrize("answer", [Answer.OPEN, Answer.REFUSED])
def test_a_wrong_answer_names_both(answer: Answer) -> None:
    """The line holds the cell, what was found, what the design wants, and its requirement."""
    good = as_written([LAN_TO_IMAPS, MEMBER_TO_IMAPS])
    wanted = f"lan-host to dell-tailnet 993/tcp: {answer.value}, not filtered (R-2.4.2-tailnet-only)"
    assert differing([replace(good[0], answer=answer), good[1]]) == [wanted]


def test_a_closed_cell_needs_its_service_to_answer() -> None:
    """Filtered alone, or while the control is silent, too, is no proof: so it looks to a blind prober."""
    good = as_written([LAN_TO_IMAPS, MEMBER_TO_IMAPS])
    assert len(differing(good[:1])) == 1
    blind = [replace(each, answer=Answer.FILTERED) for each in good]
    assert any("answered nobody" in line for line in differing(blind))


def test_a_port_of_nobody_has_no_listener() -> None:
    """Something that listens at a port that the matrix gives to nobody is told, though it is filtered."""
    (good,) = as_written([LAN_TO_25])
    unknown = "lan-host to dell-lan 25/tcp: something listens there that the matrix does not know"
    assert differing([replace(good, listener=True)]) == [unknown]


def test_a_mute_port_has_its_listener() -> None:
    """WireGuard's silence proves something only while WireGuard listens."""
    (good,) = as_written([LAN_TO_WIREGUARD])
    assert differing([good]) == []
    assert "nothing listens there" in "".join(differing([replace(good, listener=False)]))


def test_controls_are_added() -> None:
    """A cell asked for alone brings a cell in which its service answers, from a standing place."""
    added = [each for each in with_controls([LAN_TO_IMAPS]) if each != LAN_TO_IMAPS]
    assert [each.expected for each in added] == [Answer.OPEN]
    assert {each.port for each in added} == {993}
    assert with_controls([LAN_TO_IMAPS, MEMBER_TO_IMAPS]) == [LAN_TO_IMAPS, MEMBER_TO_IMAPS]
    assert differing(as_written(with_controls(matrix().of("expired-node")))) == []


SILENT = Scan("lan-host", "dell-lan", frozenset(), frozenset(), Answer.FILTERED, "R-1.1-x")
REFUSING = Scan("lan-host", "dns", frozenset({53}), frozenset({53}), Answer.REFUSED, "R-1.1-x")


def test_a_scan_is_judged_both_ways() -> None:
    """More open than written, less open than written, and a refusing host that was hardly heard."""
    good = [
        Scanned(SILENT, frozenset(), frozenset(), 0),
        Scanned(REFUSING, frozenset({53}), frozenset({53}), 65535),
    ]
    assert surplus(good) == []
    assert "open by TCP: [8088], not []" in "".join(surplus([replace(good[0], tcp=frozenset({8088}))]))
    assert "open by UDP: [], not [53]" in "".join(surplus([replace(good[1], udp=frozenset())]))
    assert "misses too much" in "".join(surplus([replace(good[1], answered=60000)]))


NMAP = (
    "# Nmap 7.93 scan initiated\n"
    "Host: 198.18.1.39 ()\tStatus: Up\n"
    "Host: 198.18.1.39 ()\tPorts: \tIgnored State: open|filtered (200)\n"
    "Host: 198.18.0.53 ()\tPorts: 53/open/udp//domain///, 67/open|filtered/udp//dhcps///, 1813/closed/udp\n"
)


def test_nmap_is_believed_about_answers_alone() -> None:
    """``open`` is an answer; ``open|filtered`` is silence. A host without a line was not scanned."""
    found = parse_nmap(NMAP, ["198.18.1.39", "198.18.0.53"])
    assert found == {"198.18.1.39": set(), "198.18.0.53": {53}}
    with pytest.raises(LookupError, match=r"nmap says nothing about 192\.168\.1\.1"):
        parse_nmap(NMAP, ["192.168.1.1"])


@pytest.mark.parametrize(
    ("text", "family", "place"),
    [
        ("0100007F:0016", socket.AF_INET, ("127.0.0.1", 22)),
        ("00000000000000000000000001000000:0050", socket.AF_INET6, ("::1", 80)),
        ("00000000:A2A9", socket.AF_INET, ("0.0.0.0", 41641)),
    ],
)
def test_the_kernels_addresses_are_read(
    monkeypatch: pytest.MonkeyPatch, text: str, family: socket.AddressFamily, place: tuple[str, int]
) -> None:
    """Words of four bytes, as a little-endian machine prints them."""
    if sys.byteorder != "little":
        text = socket.inet_pton(family, place[0]).hex() + f":{place[1]:04X}"
    assert prober._place(text, family) == place


def test_another_tag_changes_nothing_else() -> None:
    """The policy that the outcasts need has one owner more, and the same rules."""
    text = (ROOT / "infra/tailscale/policy.hujson").read_text(encoding="utf-8")
    before, after = parse(text), parse(with_other_tag(text))
    assert set(after.tag_owners) - set(before.tag_owners) == {"tag:other"}
    assert (after.acls, after.groups, after.hosts) == (before.acls, before.groups, before.hosts)
    with pytest.raises(OutcastError):
        with_other_tag("{}")


def test_a_segment_has_a_good_checksum() -> None:
    """The ones' complement sum over pseudo header and segment is all ones (RFC 9293 section 3.1)."""
    scanner = object.__new__(syn.Scanner)
    scanner.port, scanner.sequence = 20001, 0x7FFF1234
    pseudo = socket.inet_aton("198.18.3.1") + socket.inet_aton("198.18.1.39") + b"\x00\x06\x00\x14"
    scanner._pseudo = sum(int.from_bytes(pseudo[at : at + 2], "big") for at in range(0, len(pseudo), 2))
    for flags in (2, 4):
        whole = pseudo + scanner.segment(443, flags)
        total = sum(int.from_bytes(whole[at : at + 2], "big") for at in range(0, len(whole), 2))
        while total >> 16:
            total = (total & 0xFFFF) + (total >> 16)
        assert total == 0xFFFF

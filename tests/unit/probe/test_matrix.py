"""The reachability matrix is read whole: a mistake is named, and a cell without a positive control is one."""

from pathlib import Path

import pytest

from fixtures.probe.matrix import MATRIX, Cell, MatrixError, load_matrix
from fixtures.probe.reach import Answer
from fixtures.world.images import ROOT

pytestmark = pytest.mark.req("R-0-reachability-matrix")

SMALL = """
[ports]
home = {tcp = [22, 443], udp = [53, 41641]}
[sources]
outside = ["stranger"]
inside = ["member", "owner"]
far = ["proxy"]
[limits]
far = {to = ["server"], protocols = ["tcp"]}
[destinations]
server = {side = "home", tcp = [22, 443], udp = [53], mute = [41641]}
own = {side = "home", tcp = [22], only = ["inside"]}
[[row]]
from = ["outside"]
to = ["server"]
others = "filtered"
req = "R-1.1-closed"
[[row]]
from = ["inside"]
to = ["server", "own"]
open = "served"
udp = "served"
others = "refused"
req = "R-1.1-served"
scan = ["inside"]
[[row]]
from = ["far"]
to = ["server"]
open = [443]
others = "filtered"
req = "R-1.1-one"
"""


def load(folder: Path, text: str) -> list[Cell]:
    """The cells of a matrix given as text."""
    path = folder / "matrix.toml"
    path.write_text(text, encoding="utf-8")
    return list(load_matrix(path).cells)


def test_every_pair_becomes_a_cell_a_port(tmp_path: Path) -> None:
    """Each source, each destination that exists for it, each port of its side, by its protocols."""
    cells = load(tmp_path, SMALL)
    found = {(cell.source, cell.destination, cell.port, cell.protocol) for cell in cells}
    assert len(found) == len(cells) == 4 + 2 * 2 * 4 + 2
    assert ("stranger", "own", 22, "tcp") not in found
    assert {protocol for source, _, _, protocol in found if source == "proxy"} == {"tcp"}


@pytest.mark.parametrize(
    ("source", "destination", "port", "protocol", "answer"),
    [
        ("stranger", "server", 443, "tcp", "filtered"),
        ("stranger", "server", 53, "udp", "filtered"),
        ("member", "server", 443, "tcp", "open"),
        ("member", "own", 443, "tcp", "refused"),
        ("owner", "server", 53, "udp", "open"),
        ("owner", "own", 53, "udp", "refused"),
        ("owner", "server", 41641, "udp", "filtered"),
        ("proxy", "server", 443, "tcp", "open"),
        ("proxy", "server", 22, "tcp", "filtered"),
    ],
)
def test_a_cell_expects_what_its_row_says(
    tmp_path: Path, source: str, destination: str, port: int, protocol: str, answer: str
) -> None:
    """Named ports are open, "served" ones where they are served, the rest as others; a mute one is silent."""
    (cell,) = [
        cell
        for cell in load(tmp_path, SMALL)
        if (cell.source, cell.destination, cell.port, cell.protocol) == (source, destination, port, protocol)
    ]
    assert cell.expected is Answer(answer)


def test_a_closed_service_has_its_controls(tmp_path: Path) -> None:
    """They are the cells in which that port of that side is open; nobody's ports and mute ones have none."""
    path = tmp_path / "matrix.toml"
    path.write_text(SMALL, encoding="utf-8")
    matrix = load_matrix(path)
    closed = {(cell.port, cell.protocol): cell for cell in matrix.of("stranger")}
    assert {control.source for control in matrix.controls(closed[443, "tcp"])} == {"member", "owner", "proxy"}
    assert matrix.served(closed[443, "tcp"])
    assert not matrix.mute(closed[53, "udp"])
    mute = closed[41641, "udp"]
    assert matrix.mute(mute)
    assert not matrix.served(mute)
    assert matrix.controls(mute) == ()


def test_a_scan_says_what_may_be_open(tmp_path: Path) -> None:
    """One for each source and destination of the row: the open ports by protocol, and what the rest does."""
    path = tmp_path / "matrix.toml"
    path.write_text(SMALL, encoding="utf-8")
    scans = {(scan.source, scan.destination): scan for scan in load_matrix(path).scans}
    assert len(scans) == 4
    assert scans["member", "server"].tcp == {22, 443}
    assert scans["member", "server"].udp == {53}
    assert scans["owner", "own"].tcp == {22}
    assert scans["owner", "own"].others is Answer.REFUSED


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("[[row]]", "[[rows]]", "row"),
        ('side = "home", tcp = [22], only', 'side = "hone", tcp = [22], only', "'hone': allowed: home"),
        ("mute = [41641]", "mute = [41642]", "destinations.server.mute = 41642: allowed: 53, 41641"),
        (
            "tcp = [22, 443], udp = [53], ",
            "tcp = [22, 444], udp = [53], ",
            "server.tcp = 444: allowed: 22, 443",
        ),
        ("tcp = [22, 443], udp = [53, 4", "tcp = [22, 70000], udp = [53, 4", "ports.home.tcp.1 = 70000"),
        ('from = ["outside"]', 'from = ["nowhere"]', "row.0.from = 'nowhere': allowed: outside, inside, far"),
        (
            'from = ["far"]',
            'from = ["far", "outside"]',
            "row.2: outside to server: allowed: one row, and row.0",
        ),
        (
            'to = ["server", "own"]',
            'to = ["server"]',
            "row: inside to own: allowed: one row, and there is none",
        ),
        ('to = ["server"]\nopen', 'to = ["server", "own"]\nopen', "row.2: far to own: allowed: only where"),
        ('others = "refused"', 'others = "closed"', "row.1.others = 'closed': Input should be 'refused' or"),
        ('open = "served"', 'open = "all"', "row.1.open"),
        ('req = "R-1.1-one"', 'req = "R-one"', "row.2.req = 'R-one'"),
        ('scan = ["inside"]', 'scan = ["outside"]', "row.1.scan = 'outside': allowed: inside"),
        ('req = "R-1.1-one"', 'req = "R-1.1-one"\nwhy = "?"', "row.2.why = '?': Extra inputs"),
    ],
)
def test_a_mistake_is_named_with_what_is_allowed(tmp_path: Path, old: str, new: str, words: str) -> None:
    """The message holds the key, its value and the allowed ones."""
    assert old in SMALL
    with pytest.raises(MatrixError) as caught:
        load(tmp_path, SMALL.replace(old, new))
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('udp = "served"\n', "", "server 53/udp is served and open from nowhere"),
        ('others = "refused"', 'others = "filtered"', "nothing tells how much the scanner misses"),
        ('open = "served"\nudp', "udp", "member finds no open port anywhere"),
    ],
)
def test_what_nothing_could_contradict_is_refused(tmp_path: Path, old: str, new: str, words: str) -> None:
    """A closed cell without a positive control, and a scan that has nothing to find, are mistakes."""
    with pytest.raises(MatrixError) as caught:
        load(tmp_path, SMALL.replace(old, new))
    assert words in str(caught.value)


def test_the_designs_matrix_holds_every_side(tmp_path: Path) -> None:
    """The repository's own file knows each kind of place that the design lets in or keeps out."""
    matrix = load_matrix(ROOT / MATRIX)
    assert {"internet-host", "vpc-neighbour", "lan-host", "tailnet-pc", "tailnet-phone"} <= set(
        matrix.sources
    )
    assert {"gateway-task", "gateway-proxy", "dell", "expired-node", "revoked-node"} <= set(matrix.sources)
    open_to_lan = {cell for cell in matrix.of("lan-host") if cell.expected is Answer.OPEN}
    assert {cell.destination for cell in open_to_lan} == {"gateway-public", "sendgrid", "dns", "home-router"}
    members = {
        cell.port
        for cell in matrix.of("tailnet-phone")
        if cell.destination.startswith("dell") and cell.expected is Answer.OPEN
    }
    assert members == {443, 587, 993, 995}

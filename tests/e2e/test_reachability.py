"""Every source at every port of every destination of docs/reachability.toml, and scans of whole ranges."""

from collections.abc import Callable
from time import monotonic

import pytest

from fixtures.proof.recorders.reachability import record_cells
from fixtures.targets.reachability import Measured, differing, matrix, measure
from fixtures.targets.scans import Scanned, scan_all, surplus
from fixtures.targets.sim import Sim

EVERYWHERE = ("R-0-reachability-matrix", "R-2.4.2-udp-closed", "R-2.4.2-tailnet-only")
INTERNET = (*EVERYWHERE, "R-1.1-no-port-forwarding", "R-6.3.1-only-25-inwards", "R-6.3.2-no-25-on-dell")
MEMBERS = (*EVERYWHERE, "R-2.5.3-policy-exact", "R-2.4.2-submission-open", "R-2.4.2-no-port-80")
OUTCASTS = (*EVERYWHERE, "R-2.5.3-no-rights-no-port")
SERVICES = ("R-0-reachability-matrix", "R-2.4.2-containers-kept-out")
PROMISES = {
    "internet-host": (*INTERNET, "R-1.1-home-ipv6-closed"),
    "internet-host-2": (*INTERNET, "R-1.1-home-ipv6-closed"),
    "vpc-neighbour": INTERNET,
    "lan-host": (*EVERYWHERE, "R-1.1-no-port-forwarding", "R-1.1-home-ipv6-closed"),
    "tailnet-pc": MEMBERS,
    "tailnet-phone": MEMBERS,
    "no-rights-node": OUTCASTS,
    "other-tag-node": OUTCASTS,
    "expired-node": OUTCASTS,
    "revoked-node": OUTCASTS,
    "gateway-task": EVERYWHERE,
    "gateway-proxy": ("R-0-reachability-matrix", "R-2.5.3-gateway-cannot-roam"),
    "dell": ("R-0-reachability-matrix", "R-2.4.2-published-on-tailnet"),
    "nginx": SERVICES,
    "postfix": SERVICES,
    "dovecot": SERVICES,
    "roundcube": SERVICES,
    "unbound": SERVICES,
    "mariadb": SERVICES,
    "rspamd": SERVICES,
    "clamav": SERVICES,
    "redis": SERVICES,
}
SCANNING = ("internet-host", "internet-host-2", "vpc-neighbour", "lan-host", "tailnet-pc", "tailnet-phone")

Say = Callable[[str], None]


def _promised(sources: tuple[str, ...], *more: str) -> list[object]:
    marks = {source: more or PROMISES[source] for source in sources}
    return [pytest.param(source, marks=pytest.mark.req(*ids)) for source, ids in marks.items()]


def _wanted(request: pytest.FixtureRequest, test: str) -> set[str]:
    """The sources that this session's specs ask for, so that one source alone takes a few seconds."""
    found = set()
    for item in request.session.items:
        assert isinstance(item, pytest.Function)
        if item.originalname == test and item.path == request.path:
            found.add(str(item.callspec.params["source"]))
    return found


@pytest.fixture(scope="module")
def say(request: pytest.FixtureRequest) -> Say:
    """Print a line that a passing run shows, too."""
    capture = request.config.pluginmanager.getplugin("capturemanager")

    def act(text: str) -> None:
        with capture.global_and_fixture_disabled():
            print(f"\n{text}", flush=True)

    return act


@pytest.fixture(scope="module")
def measured(world: Sim, request: pytest.FixtureRequest, say: Say) -> list[Measured]:
    """All cells of the sources that are asked for, measured at the same time."""
    wanted = _wanted(request, "test_each_source_reaches_what_the_design_gives_it")
    started = monotonic()
    found = measure(world, [cell for cell in matrix().cells if cell.source in wanted])
    record_cells((each.cell, each.answer) for each in found)
    say(f"reachability: {len(found)} cells from {len(wanted)} sources in {monotonic() - started:.0f} s")
    return found


@pytest.fixture(scope="module")
def scanned(world: Sim, request: pytest.FixtureRequest, say: Say) -> list[Scanned]:
    """All scans of the sources that are asked for."""
    wanted = _wanted(request, "test_a_scan_finds_nothing_else_open")
    started = monotonic()
    found = scan_all(world, [scan for scan in matrix().scans if scan.source in wanted])
    say(f"reachability: {len(found)} scans from {len(wanted)} sources in {monotonic() - started:.0f} s")
    return found


@pytest.mark.req("R-0-reachability-matrix")
def test_every_source_has_its_spec() -> None:
    """A source that is written into the matrix is measured below, and so is each that scans."""
    assert set(matrix().sources) == set(PROMISES)
    assert {scan.source for scan in matrix().scans} == set(SCANNING)


@pytest.mark.parametrize("source", _promised(tuple(PROMISES)))
def test_each_source_reaches_what_the_design_gives_it(measured: list[Measured], source: str) -> None:
    """Every cell of the source answers as written, and what it is refused answered somebody meanwhile."""
    assert {each.cell for each in measured} >= set(matrix().of(source))
    assert [line for line in differing(measured) if line.startswith(f"{source} to ")] == []


@pytest.mark.parametrize("source", _promised(SCANNING, "R-2.4.2-nothing-else-open", "R-2.4.2-udp-closed"))
def test_a_scan_finds_nothing_else_open(scanned: list[Scanned], source: str) -> None:
    """Of 65535 TCP ports and 200 of UDP the ones that the matrix names are open, at every destination."""
    mine = [each for each in scanned if each.scan.source == source]
    assert mine != []
    assert surplus(mine) == []

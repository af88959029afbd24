"""The prober that is carried into network namespaces, tried on this machine's own loopback interface."""

import socket
from collections.abc import Iterator

import pytest

from fixtures.probe import prober

pytestmark = pytest.mark.req("R-0-reachability-matrix")

LOOPBACK = "127.0.0.1"


@pytest.fixture
def listener() -> Iterator[int]:
    """A TCP port of this machine's loopback at which somebody listens."""
    with socket.create_server((LOOPBACK, 0)) as server:
        yield int(server.getsockname()[1])


@pytest.fixture
def silent() -> Iterator[int]:
    """A UDP port of this machine's loopback at which somebody listens, and answers nothing."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind((LOOPBACK, 0))
        yield int(server.getsockname()[1])


def test_the_prober_tells_open_from_refused(listener: int) -> None:
    """A connection, a reset, and a datagram that nobody takes."""
    with socket.create_server((LOOPBACK, 0)) as gone:
        free = int(gone.getsockname()[1])
    targets = [("tcp", LOOPBACK, listener), ("tcp", LOOPBACK, free), ("udp", LOOPBACK, free)]
    assert prober.ask(targets, 2, None) == ["open", "refused", "refused"]


def test_silence_is_filtered(silent: int) -> None:
    """A UDP socket that takes the question and says nothing."""
    assert prober.ask([("udp", LOOPBACK, silent)], 0.2, None) == ["filtered"]


def test_the_prober_sees_who_listens(listener: int, silent: int) -> None:
    """What only loopback reaches is left out; what every address reaches is named with protocol and port."""
    with socket.create_server(("0.0.0.0", 0)) as everywhere:
        port = int(everywhere.getsockname()[1])
        found = prober.listening()
    assert ("tcp", "0.0.0.0", port) in found
    assert {listener, silent}.isdisjoint(port for _, _, port in found)

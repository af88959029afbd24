"""Reading what TLS servers say to a hand-made ClientHello."""

import socket
import struct
from collections.abc import Callable

import pytest

from fixtures.probe.suites import SUITES, VERSIONS, HelloError, client_hello, server_hello

TLS_1_2, TLS_1_3 = VERSIONS["TLSv1.2"], VERSIONS["TLSv1.3"]
pytestmark = pytest.mark.req("R-0-tls-probe")


def record(kind: int, content: bytes) -> bytes:
    """A TLS record."""
    return struct.pack(">BHH", kind, 0x0303, len(content)) + content


def hello(version: int, suite: int, extensions: bytes = b"") -> bytes:
    """A ServerHello that chooses a suite; the legacy version field stands as given."""
    body = struct.pack(">H", version) + bytes(32) + b"\4abcd" + struct.pack(">HBH", suite, 0, len(extensions))
    body += extensions
    return b"\2" + len(body).to_bytes(3, "big") + body


@pytest.fixture
def told() -> Callable[[bytes, int], int | None]:
    """What is understood of a server that says something and hangs up."""

    def act(said: bytes, version: int) -> int | None:
        ours, theirs = socket.socketpair()
        with ours, theirs:
            theirs.sendall(said)
            theirs.shutdown(socket.SHUT_WR)
            return server_hello(ours, version)

    return act


def test_the_choice_is_read(told: Callable[[bytes, int], int | None]) -> None:
    """The suite, also when the certificate follows in the same record."""
    assert told(record(22, hello(TLS_1_2, 0xC02B) + b"\x0b\0\0\1x"), TLS_1_2) == 0xC02B


def test_version_1_3_stands_in_an_extension(told: Callable[[bytes, int], int | None]) -> None:
    """The old field says 1.2 for ever: neither version is taken for the other."""
    said = record(22, hello(TLS_1_2, 0x1301, struct.pack(">HHH", 43, 2, TLS_1_3)))
    assert told(said, TLS_1_3) == 0x1301
    assert told(said, TLS_1_2) is None
    assert told(record(22, hello(TLS_1_2, 0xC02B)), TLS_1_3) is None


@pytest.mark.parametrize("said", [record(21, b"\2\x28"), b"", b"\x16\3"])
def test_alerts_and_silence_are_refusals(told: Callable[[bytes, int], int | None], said: bytes) -> None:
    """An alert, or the end of the connection."""
    assert told(said, TLS_1_2) is None


def test_anything_else_is_no_answer(told: Callable[[bytes, int], int | None]) -> None:
    """A server that speaks another protocol is not taken for one that refuses."""
    with pytest.raises(HelloError):
        told(b"220 mail.example.org ESMTP\r\n".ljust(20000), TLS_1_2)


def test_everything_with_a_number_is_offered() -> None:
    """Also what no library here speaks any more: RC4, 3DES, export suites, anonymous ones, CBC."""
    assert {0x0003, 0x0005, 0x000A, 0x0018, 0x0033, 0x009C, 0xC009, 0xC0AC, 0xCCA9, 0xD001} <= set(SUITES)
    offer = client_hello(TLS_1_2, SUITES, "mail.example.org")
    assert (
        struct.pack(">H", 2 * len(SUITES)) + b"".join(struct.pack(">H", suite) for suite in SUITES) in offer
    )

"""The probe for commands injected before TLS sees one where there is one."""

import socket

import pytest

from fixtures.probe.injection import first_reply_inside
from fixtures.probe.tls import context
from tests.integration.compose.parts import HOSTNAME, Bench


@pytest.mark.req("R-0-tls-probe")
def test_an_executed_injection_is_seen(bench: Bench) -> None:
    """A server that keeps what it has read before the handshake answers it inside TLS, and not EHLO first."""
    files = ["--cert", "/bench/certs/mailserver.crt", "--key", "/bench/certs/mailserver.key"]
    careless = bench.address(bench.double("careless", "25", *files))
    trusting = context(bench.authority.certificate_pem)

    def first_reply(injected: bytes) -> bytes:
        return first_reply_inside(
            socket.create_connection((careless, 25), 10), trusting, HOSTNAME, injected=injected
        )

    assert first_reply(b"NOOP\r\n") == b"250 2.0.0 Ok\r\n"
    assert first_reply(b"").startswith(b"250-")

"""Reading replies and traces."""

from datetime import UTC, datetime

import pytest

from fixtures.mail.headers import Hop, queue_id, trace

RECEIVED = (
    b"Received: from mail.example.org (mail.example.org [198.18.2.10])\r\n"
    b"\tby mx.kuma8088.com (Postfix) with ESMTPS id 1049A264131\r\n"
    b"\tfor <alice@kuma8088.com>; Mon, 23 Nov 2026 23:45:28 +0000 (UTC)\r\n"
    b"Received: from client (unknown [IPv6:2001:db8::1]) by mail.example.org (Postfix) with SMTP id AB; "
    b"Mon, 23 Nov 2026 23:45:27 +0000\r\n"
    b"Received: by mail.example.org (Postfix, from userid 0)\r\n\tid 02D11264101; now\r\n"
)


@pytest.mark.req("R-0-trace-read")
def test_the_protocol_is_not_the_cipher() -> None:
    """Postfix tells of the cipher, in a comment and with the same word, before it tells of the protocol."""
    encrypted = (
        b"Received: from a.example.org (a.example.org [198.18.2.10])\r\n"
        b"\t(using TLSv1.3 with cipher TLS_AES_256_GCM_SHA384 (256/256 bits))\r\n"
        b"\tby mx.kuma8088.com (Postfix) with ESMTPS id 1049A264131; Mon, 23 Nov 2026 23:45:28 +0000\r\n\r\n"
    )
    assert [hop.protocol for hop in trace(encrypted)] == ["ESMTPS"]


@pytest.mark.req("R-0-trace-read")
@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        ("2.0.0 Ok: queued as 4F2A1B", "4F2A1B"),
        ("Ok: queued as a1b2c3d4", "a1b2c3d4"),
        ("2.0.0 Ok: 712 bytes queued as 4Zx9BcQ", "4Zx9BcQ"),
        ("5.1.1 User unknown", None),
        ("", None),
    ],
)
def test_queue_id_is_read_from_the_reply(reply: str, expected: str | None) -> None:
    """The id follows the words 'queued as', and where they are missing there is none."""
    assert queue_id(reply) == expected


@pytest.mark.req("R-0-trace-read")
def test_trace_lists_hops_latest_first() -> None:
    """Every Received header becomes a hop, folded or not, with what it says and no more."""

    def at(second: int) -> datetime:
        return datetime(2026, 11, 23, 23, 45, second, tzinfo=UTC)

    assert trace(RECEIVED + b"Subject: x\r\n\r\nReceived: by nobody\r\n") == [
        Hop("mail.example.org", "198.18.2.10", "mx.kuma8088.com", "ESMTPS", "1049A264131", at(28)),
        Hop("client", "2001:db8::1", "mail.example.org", "SMTP", "AB", at(27)),
        Hop(None, None, "mail.example.org", None, "02D11264101"),
    ]
    assert trace(b"Subject: x\r\n\r\n") == []

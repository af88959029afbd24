"""A mail host of a spec's own, where containers on the engine's default bridge reach it."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage
from ipaddress import ip_network
from typing import Any

from aiosmtpd.controller import Controller

from fixtures.engine.client import engine
from fixtures.wait import wait_for


@dataclass
class Sink:
    """What has come in, oldest first; while ``closed`` it puts everybody off."""

    messages: list[EmailMessage] = field(default_factory=list)
    closed: bool = False
    put_off: int = 0

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:
        """Take a message in."""
        if self.closed:
            self.put_off += 1
            return "451 4.3.2 not now"
        message = message_from_bytes(envelope.content, policy=policy.default)
        assert isinstance(message, EmailMessage)
        self.messages.append(message)
        return "250 2.0.0 Ok"

    def about(self, *words: str) -> list[EmailMessage]:
        """The messages with all these words in subject or text."""
        return [m for m in self.messages if all(w in f"{m['Subject']}\n{m.get_content()}" for w in words)]

    def wait_for(self, *words: str, seconds: int = 30) -> EmailMessage:
        """The first such message, once it is there."""
        found = wait_for(
            f"mail about {' '.join(words)}",
            lambda: self.about(*words),
            timeout=timedelta(seconds=seconds),
        )
        return found[0]


@contextmanager
def mail_sink() -> Iterator[tuple[Sink, str]]:
    """The host and its ``address:port`` as seen from the default bridge."""
    subnet = engine().networks.get("bridge").attrs["IPAM"]["Config"][0]["Subnet"]
    address = str(ip_network(subnet)[1])
    with socket.create_server((address, 0)) as free:
        port = free.getsockname()[1]
    sink = Sink()
    controller = Controller(sink, hostname=address, port=port)
    controller.start()
    try:
        yield sink, f"{address}:{port}"
    finally:
        controller.stop()

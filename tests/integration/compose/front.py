"""The Internet in front of the core: the real gateway, and hosts with different addresses that send to it."""

import base64
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from docker.models.containers import Container

from fixtures.engine.containers import remove
from fixtures.engine.execute import execute
from tests.integration.compose.core import ALICE, Core
from tests.integration.compose.gateway import Gateway

LISTED = ("listed", "listed-elsewhere")
"""The clients that the block list of Rspamd's that counts most, Spamhaus ZEN, has as spammers (SBL)."""

_POST = Path(__file__).parent / "post.py"


@dataclass(frozen=True)
class Letter:
    """One message to hand over: from which client, with which greeting and envelope."""

    content: bytes
    sender: str = "stranger@example.net"
    recipient: str = ALICE
    client: str = "first"
    helo: str = "mail.example.net"


@dataclass(frozen=True)
class Answer:
    """The decisive reply, and the command that it answered."""

    phase: str
    code: int
    text: str


@dataclass
class Front:
    """The gateway with its forwarder to the core, and the clients' addresses by name."""

    core: Core
    gateway: Gateway
    clients: dict[str, str]
    _host: Container

    @classmethod
    def start(cls, core: Core) -> "Front":
        """Put a gateway before the core, and on its other side a host with addresses that are a /19 apart."""
        bench = core.bench
        gateway = Gateway.start(bench, "gateway-of-core")
        forward = ["TCP-LISTEN:2525,bind=127.0.0.1,fork,reuseaddr", f"TCP:{core.addresses['postfix']}:2525"]
        beside = {"network_mode": f"container:{gateway.container.id}", "hostname": None}
        bench.start(
            "forwarder", "toolbox", {}, {}, command=forward, options={"entrypoint": ["socat"], **beside}
        )
        host = bench.start(
            "clients", "toolbox", {}, {}, network=gateway.outside, options={"cap_add": ["NET_ADMIN"]}
        )
        front = cls(core, gateway, {}, host)
        front._addresses()
        with gateway.dial() as smtp:
            smtp.noop()
        return front

    def _addresses(self) -> None:
        self._host.reload()
        attached = self._host.attrs["NetworkSettings"]["Networks"][self.gateway.outside.name]
        first, length = str(attached["IPAddress"]), int(attached["IPPrefixLen"])
        a, b, c, _ = (int(octet) for octet in first.split("."))
        assert length <= 16, f"{first}/{length} has no room for addresses that are a /19 apart"
        self.clients = {
            "first": first,
            "second": f"{a}.{b}.{c ^ 64}.77",
            "listed": f"{a}.{b}.{c ^ 128}.78",
            "listed-elsewhere": f"{a}.{b}.{c ^ 192}.79",
        }
        for address in self.clients.values():
            execute(self._host, ["ip", "address", "replace", f"{address}/{length}", "dev", "eth0"]).check()
        reversed_ = [".".join(reversed(self.clients[name].split("."))) for name in LISTED]
        self.core.names.publish(f"{name}.zen.spamhaus.org. A 127.0.0.2" for name in reversed_)

    def post(self, letters: Sequence[Letter]) -> list[Answer]:
        """Hand over all, several at a time; the answers in the same order."""
        orders = [
            {
                **asdict(letter),
                "content": base64.b64encode(letter.content).decode(),
                "client": self.clients[letter.client],
            }
            for letter in letters
        ]
        argv = ["python3", "-c", _POST.read_text(), self.gateway.address]
        done = execute(self._host, argv, stdin=json.dumps(orders).encode()).check()
        return [Answer(*row) for row in json.loads(done.stdout)]

    def scanned(self, sender: str) -> str:
        """What Rspamd logged about its one scan of a message of this envelope sender."""
        log = self.core.services["rspamd"].logs().decode(errors="replace").splitlines()
        [line] = [line for line in log if "task_write_log" in line and f" from: <{sender}>," in line]
        return line

    def stop(self) -> None:
        """Leave the outside network; the bench removes the rest."""
        for service in ("clients", "forwarder"):
            remove(self.core.bench.place(service))
        self.gateway.stop()

"""The gateway role on a bench, and a client on a network that is not the tailnet's."""

import smtplib
from dataclasses import dataclass

from docker.models.containers import Container
from docker.models.networks import Network

from fixtures.engine.execute import execute
from tests.integration.compose.parts import DOMAIN, LIMIT, START, Bench, elsewhere, events

MX = "mx.example.org"


@dataclass
class Gateway:
    """The running gateway; ``outside`` is the network from which the Internet reaches it."""

    bench: Bench
    container: Container
    outside: Network
    address: str
    client_address: str

    @classmethod
    def start(cls, bench: Bench, service: str = "gateway") -> "Gateway":
        """Start the image with what the task definition gives it: an environment and nothing else."""
        env = {
            "MAIL_ROLE": "gateway",
            "MX_HOSTNAME": MX,
            "RELAY_DOMAINS": f"{DOMAIN} second.example.org",
            "MESSAGE_SIZE_LIMIT": str(LIMIT),
        }
        container = bench.start(service, "postfix", env, {})
        outside = elsewhere()
        outside.connect(container)
        container.reload()
        attached = container.attrs["NetworkSettings"]["Networks"][outside.name]
        return cls(bench, container, outside, attached["IPAddress"], _host_address(outside))

    def dial(self, timeout: float = 30) -> smtplib.SMTP:
        """Connect to port 25 from outside; waits until Postfix listens."""
        from fixtures.wait import wait_for

        return wait_for(
            "the gateway greets",
            lambda: smtplib.SMTP(self.address, 25, "client.example.net", timeout),
            timeout=START,
        )

    def queue(self) -> str:
        """What ``postqueue -p`` says."""
        return execute(self.container, ["postqueue", "-p"]).check().stdout.strip()

    def healthy(self) -> bool:
        """Whether the task definition's health check passes."""
        return execute(self.container, ["/usr/local/bin/mx-healthcheck"]).status == 0

    def double(self, *arguments: str) -> Container:
        """Put a scripted server behind the gateway, where the forwarder listens in the task."""
        return self.bench.double("behind", "2525", *arguments, beside=self.container)

    def stop(self) -> None:
        """Leave the outside network; the bench removes the rest."""
        self.outside.disconnect(self.container, force=True)
        self.outside.remove()


def _host_address(network: Network) -> str:
    """The address under which this process appears on the network."""
    network.reload()
    return str(network.attrs["IPAM"]["Config"][0]["Gateway"])


def commands(double: Container) -> list[str]:
    """The SMTP commands that the scripted server got."""
    return [event["line"] for event in events(double) if event["event"] == "command"]

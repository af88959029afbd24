"""The tailnet's machines as the control plane and the machines themselves see them (design 2.5)."""

import json
import ssl
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from typing import Any

import pytest
from python_socks import ProxyError, ProxyTimeoutError

from fixtures import plan
from fixtures.engine.containers import get, remove, start
from fixtures.engine.execute import execute
from fixtures.tailnet.client import client_spec, client_vantage
from fixtures.targets.sim import Sim
from fixtures.vantage import Vantage
from fixtures.wait import wait_for
from fixtures.world.places import INTERNET

GUEST = "tailnet-guest"


def own_status(shown: str) -> dict[str, Any]:
    """What ``tailscale status --json`` says of the machine itself."""
    own: dict[str, Any] = json.loads(shown)["Self"]
    return own


@pytest.mark.req("R-2.5.4-server-never-expires")
def test_the_servers_node_key_never_expires(world: Sim) -> None:
    """Neither the console nor the server names an end, because it is tagged; a member's PC has one (F29)."""
    nodes = world.controlplane.nodes()
    asked = ["tailscale", "status", "--json"]
    server = own_status(world.dell.run(asked).stdout)
    member = own_status(execute(get("tailnet-pc"), asked).check().stdout)
    assert (nodes["mailserver"].tags, nodes["mailserver"].key_expiry) == (("tag:mailserver",), None)
    assert server["TailscaleIPs"] == [world.state.dell_address]
    assert server["Tags"] == ["tag:mailserver"]
    assert "KeyExpiry" not in server
    assert "KeyExpiry" in member
    assert nodes["tailnet-pc"].key_expiry is not None


@pytest.mark.req("R-2.5.4-gateway-ephemeral")
def test_the_gateways_machines_are_ephemeral(world: Sim) -> None:
    """Every machine with the gateway's tag is ephemeral, one at least is there; no other machine is."""
    nodes = world.controlplane.nodes().values()
    gateways = [node for node in nodes if node.tags == ("tag:fargate-mx",)]
    assert any(node.online for node in gateways)
    assert {node.name for node in nodes if node.ephemeral} == {node.name for node in gateways}


@pytest.mark.req("R-2.5.1-magicdns")
def test_magicdns_leads_to_the_server(world: Sim) -> None:
    """A tailnet device finds the server's tailnet address by name; a LAN neighbour finds nothing."""
    asked = ["getent", "ahostsv4", world.server]
    inside = execute(get("tailnet-pc"), asked).check().stdout
    assert {line.split()[0] for line in inside.splitlines()} == {world.state.dell_address}
    assert execute(get("lan-host"), asked).status != 0


@pytest.fixture
def guest(world: Sim) -> Iterator[Vantage]:
    """One more member's machine, gone afterwards."""
    key = world.controlplane.create_key(user="guest@example.net")
    image = world.state.images["tailnet-client"]
    spec = client_spec(
        GUEST, image, plan.TAILNET_GUEST, INTERNET.full_name,
        gateway=plan.INTERNET_ROUTER, nameserver=plan.DNS, ca=world.ca, key=key,
    )  # fmt: skip
    try:
        start(spec)
        world.controlplane.wait_for_node(GUEST)
        yield client_vantage(GUEST)
    finally:
        if GUEST in world.controlplane.nodes():
            world.controlplane.delete(GUEST)
        remove(GUEST)


def open_imap(world: Sim, vantage: Vantage) -> ssl.SSLSocket:
    """A verified connection to the server's IMAPS port that has been greeted."""
    dialled = wait_for(
        "the server answers",
        lambda: vantage.dial(world.server, 993, timedelta(seconds=2)),
        timeout=timedelta(seconds=20),
        until=lambda _: True,
        retry_on=(ProxyError, ProxyTimeoutError, OSError),
    )
    connection = world.ssl_context.wrap_socket(dialled, server_hostname=world.server)
    assert connection.recv(1024).startswith(b"* OK")
    return connection


def answers(connection: ssl.SSLSocket, seconds: float) -> bool:
    """Whether the server answers a NOOP on an open connection in that time."""
    connection.settimeout(seconds)
    try:
        connection.sendall(b"a NOOP\r\n")
        return b"a OK" in connection.recv(1024)
    except OSError:
        return False


@pytest.mark.req("R-2.5.4-revocation-cuts")
def test_revoking_a_machine_ends_its_open_mailbox(world: Sim, guest: Vantage) -> None:
    """An IMAP connection that was answered a moment before is dead once the admin removes the machine.

    The control: the PC's connection, opened at the same time, is answered before and after.
    """
    pc = world.vantage("tailnet-pc")
    with closing(open_imap(world, guest)) as revoked, closing(open_imap(world, pc)) as kept:
        assert answers(revoked, 10)
        assert answers(kept, 10)
        world.controlplane.delete(GUEST)
        wait_for("the connection is dead", lambda: not answers(revoked, 3), timeout=timedelta(seconds=15))
        assert answers(kept, 10)
        assert GUEST not in world.controlplane.nodes()

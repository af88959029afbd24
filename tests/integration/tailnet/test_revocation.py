"""Taking a machine's place away: by the admin's removal, by its node key's end, by a tag without rights."""

import json
from collections.abc import Iterator
from datetime import timedelta

import pytest
from docker.models.containers import Container

from fixtures.engine.containers import remove
from fixtures.tailnet.hujson import loads
from fixtures.wait import WaitTimeoutError, wait_for
from tests.integration.tailnet.world import (
    POLICY,
    PREFIX,
    SERVER,
    TAILNET,
    Members,
    SmallTailnet,
    open_ports,
    run,
    settle,
)

TICKS = "/tmp/ticks"
FOR_MEMBERS = {443, 587, 993, 995}
TICKER = 8000
QUIET = timedelta(seconds=4)


@pytest.fixture
def ticker(tailnet: SmallTailnet, members: Members) -> Iterator[None]:
    """A service on the server that never stops talking, in a policy that lets members reach it.

    For one spec at a time: others of this file restore the policy when they end.
    """
    say = "while echo tick; do sleep 0.1; done"
    members.server.exec_run(["ncat", "-lk", "-p", str(TICKER), "-c", say], detach=True)
    document = loads(POLICY)
    document["acls"].append(
        {"action": "accept", "src": ["autogroup:member"], "dst": [f"tag:mailserver:{TICKER}"]}
    )
    tailnet.control.set_policy(json.dumps(document))
    yield
    tailnet.restore_policy()
    run(members.server, "pkill", "-f", f"ncat -lk -p {TICKER}")
    members.settle()


@pytest.fixture
def guest(tailnet: SmallTailnet, members: Members) -> Iterator[Container]:
    """One more person's machine, which reaches the server."""
    del members
    machine = tailnet.kernel_node("guest", tailnet.control.create_key(user="carol@example.net"))
    try:
        tailnet.control.wait_for_node("guest")
        settle(machine, SERVER, 443)
        yield machine
    finally:
        if "guest" in tailnet.control.nodes():
            tailnet.control.delete("guest")
        remove(f"{PREFIX}-guest")


def connect(machine: Container) -> None:
    """Open a connection to the talking service and keep what it says, until the machine ends."""
    dial = f"ncat --recv-only {SERVER} {TICKER}"
    machine.exec_run(
        ["sh", "-c", f"rm -f {TICKS}; until test -s {TICKS}; do {dial} >{TICKS}; done"], detach=True
    )


def flows(machine: Container, within: timedelta) -> bool:
    """Whether the open connection brings anything more within that time."""

    def received() -> int:
        return int(run(machine, "sh", "-c", f"cat {TICKS} 2>/dev/null | wc -c").check().stdout)

    before = received()
    try:
        wait_for("something more arrives", received, timeout=within, until=lambda now: now > before)
    except WaitTimeoutError:
        return False
    return True


def knows(machine: Container, name: str) -> bool:
    """Whether a machine resolves a MagicDNS name."""
    return run(machine, "getent", "hosts", f"{name}.{TAILNET}.ts.net").status == 0


def falls_silent(machine: Container) -> None:
    """Wait until the open connection brings nothing for as long as twenty ticks and more."""
    wait_for("silence", lambda: not flows(machine, QUIET), timeout=timedelta(seconds=60))


@pytest.mark.req("R-2.5.4-revocation-cuts", "R-2.5.1-magicdns")
@pytest.mark.usefixtures("ticker")
def test_removing_a_machine_ends_its_open_connections(
    tailnet: SmallTailnet, members: Members, guest: Container
) -> None:
    """A connection in full flow stops, names go both ways; another member's connection flows on."""
    for machine in (guest, members.pc):
        connect(machine)
        assert flows(machine, timedelta(seconds=20))
    assert knows(members.server, "guest")
    assert knows(guest, "mailserver")
    assert flows(guest, QUIET)
    tailnet.control.delete("guest")
    falls_silent(guest)
    assert flows(members.pc, QUIET)
    assert not knows(members.server, "guest")
    assert not knows(guest, "mailserver")
    assert run(guest, "tailscale", "status").stdout == "Logged out.\n"
    address = tailnet.control.nodes()["mailserver"].address
    assert open_ports(guest, address) == set()
    assert open_ports(members.pc, address) == FOR_MEMBERS


@pytest.mark.req("R-0-tailnet-node-expiry", "R-2.5.4-revocation-cuts")
@pytest.mark.usefixtures("ticker")
def test_an_expired_machine_is_cut_off_until_it_logs_in(
    tailnet: SmallTailnet, members: Members, guest: Container
) -> None:
    """As after 180 days: traffic stops, nothing is reached; a new login brings back the same address."""
    before = tailnet.control.nodes()["guest"]
    connect(guest)
    assert flows(guest, timedelta(seconds=20))
    tailnet.control.expire("guest")
    falls_silent(guest)
    server = tailnet.control.nodes()["mailserver"].address
    assert open_ports(guest, server) == set()
    assert open_ports(members.pc, server) == FOR_MEMBERS
    key = tailnet.control.create_key(user="carol@example.net")
    run(guest, "tailscale", "up", f"--auth-key={key}", "--hostname=guest").check()
    settle(guest, SERVER, 443)
    after = tailnet.control.nodes()["guest"]
    assert (after.address, after.expired) == (before.address, False)


@pytest.mark.req("R-2.5.3-policy-exact", "R-0-tailnet-filter")
@pytest.mark.usefixtures("policy_restored")
def test_a_tag_without_rights_reaches_and_sees_nothing(tailnet: SmallTailnet, members: Members) -> None:
    """A machine with a tag that no rule names is in the tailnet, and alone in it; a member is not."""
    document = loads(POLICY)
    document["tagOwners"]["tag:printer"] = ["autogroup:admin"]
    tailnet.control.set_policy(json.dumps(document))
    printer = tailnet.kernel_node("printer", tailnet.control.create_key(tags=["tag:printer"]))
    try:
        tailnet.control.wait_for_node("printer")
        server = tailnet.control.nodes()["mailserver"].address
        assert run(printer, "tailscale", "ip", "-4").check().stdout.startswith("100.64.")
        assert not knows(printer, "mailserver")
        assert open_ports(printer, server) == set()
        assert open_ports(members.pc, server) == FOR_MEMBERS
    finally:
        tailnet.control.delete("printer")
        remove(f"{PREFIX}-printer")


@pytest.mark.req("R-2.5.4-expired-key-told")
def test_a_gateway_with_an_expired_key_ends_and_says_why(tailnet: SmallTailnet, members: Members) -> None:
    """The sidecar ends with status 1, which ECS sees; its log has Tailscale's words and not the key."""
    del members
    key = tailnet.control.create_key(
        reusable=True, ephemeral=True, tags=["tag:fargate-mx"], lifetime=timedelta(0)
    )
    _, sidecar = tailnet.task("stale", key)
    assert sidecar.wait(timeout=30)["StatusCode"] == 1
    log = sidecar.logs().decode()
    assert f"invalid key: API key {key.split('-')[2]} not valid" in log
    assert "boot: failed to auth tailscale" in log
    assert key not in log
    assert "stale" not in tailnet.control.nodes()

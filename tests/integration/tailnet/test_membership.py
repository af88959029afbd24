"""Joining, leaving, coming back: auth keys, node keys, and a coordinator that is away."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from docker.models.containers import Container

from fixtures.engine.containers import ContainerSpec, remove, start
from fixtures.wait import wait_for
from fixtures.world.images import catalogue
from tests.integration.tailnet.world import (
    PREFIX,
    SERVER,
    Members,
    SmallTailnet,
    control_of,
    reaches,
    run,
    settle,
    through_proxy,
)


@pytest.fixture(scope="module")
def bare(tailnet: SmallTailnet) -> Iterator[Container]:
    """A machine whose daemon runs."""
    yield tailnet.bare_node("stranger")
    remove(f"{PREFIX}-stranger")


@pytest.fixture
def stranger(tailnet: SmallTailnet, bare: Container) -> Iterator[Container]:
    """A machine which has not joined, nor does the coordinator know it."""
    yield bare
    run(bare, "tailscale", "logout")
    if "stranger" in tailnet.control.nodes():
        tailnet.control.delete("stranger")


def join(machine: Container, key: str, *more: str) -> tuple[int, str]:
    """Try to join as ``stranger``; exit status and error text."""
    done = run(machine, "tailscale", "up", f"--auth-key={key}", "--hostname=stranger", *more)
    return done.status, done.stderr


@pytest.mark.req("R-0-tailnet-keys")
def test_a_tag_that_the_key_lacks_is_refused(tailnet: SmallTailnet, stranger: Container) -> None:
    """A key for one tag gives no other; without the wrong tag the same key works."""
    key = tailnet.control.create_key(tags=["tag:fargate-mx"])
    status, text = join(stranger, key, "--advertise-tags=tag:mailserver")
    assert (status, text) == (1, "requested tags [tag:mailserver] are invalid or not permitted\n")
    assert join(stranger, key, "--advertise-tags=tag:fargate-mx")[0] == 0
    assert tailnet.control.nodes()["stranger"].tags == ("tag:fargate-mx",)


@pytest.mark.req("R-0-tailnet-keys")
def test_an_expired_key_is_refused(tailnet: SmallTailnet, stranger: Container) -> None:
    """An auth key past its end lets nobody in (F28)."""
    key = tailnet.control.create_key(user="alice@example.net", lifetime=timedelta(0))
    status, text = join(stranger, key)
    assert status == 1
    assert text == f"invalid key: API key {key.split('-')[2]} not valid\n"
    assert "stranger" not in tailnet.control.nodes()
    assert run(stranger, "tailscale", "status").stdout == "Logged out.\n"


@pytest.mark.req("R-0-tailnet-keys")
def test_a_one_time_key_works_once(tailnet: SmallTailnet, stranger: Container) -> None:
    """Who comes with a one-time key a second time stays outside; another key lets the same machine in."""
    key = tailnet.control.create_key(user="alice@example.net")
    assert join(stranger, key) == (0, "")
    run(stranger, "tailscale", "logout").check()
    assert join(stranger, key) == (1, f"invalid key: API key {key.split('-')[2]} not valid\n")
    assert join(stranger, tailnet.control.create_key(user="alice@example.net")) == (0, "")


@pytest.mark.req("R-0-tailnet-node-expiry")
def test_a_machine_comes_back_with_its_address_and_without_a_key(
    tailnet: SmallTailnet, members: Members
) -> None:
    """After a restart the node key is enough; name and address stay (F29: a one-time key was used)."""
    before = tailnet.control.nodes()["phone"]
    members.phone.restart(timeout=2)
    settle(members.phone, SERVER, 443)
    after = tailnet.control.nodes()["phone"]
    assert (after.name, after.address) == (before.name, before.address)
    assert run(members.phone, "tailscale", "ip", "-4").stdout == f"{before.address}\n"


@pytest.mark.req("R-0-tailnet-node-expiry")
def test_only_users_machines_expire(tailnet: SmallTailnet, members: Members) -> None:
    """A tagged machine's key has no end, a member's lasts about 180 days (F29)."""
    del members
    nodes = tailnet.control.nodes()
    assert nodes["mailserver"].key_expiry is None
    assert nodes["pc"].key_expiry is not None


@pytest.mark.req("R-0-tailnet-ephemeral")
def test_an_ephemeral_machine_is_gone_when_its_task_stops(tailnet: SmallTailnet, members: Members) -> None:
    """SIGTERM to the sidecar logs it out, and its name is free again."""
    del members
    key = tailnet.control.create_key(reusable=True, ephemeral=True, tags=["tag:fargate-mx"])
    _, sidecar = tailnet.task("leaver", key)
    assert tailnet.control.wait_for_node("leaver").ephemeral
    sidecar.stop(timeout=10)
    assert "leaver" not in tailnet.control.nodes()
    assert sidecar.wait()["StatusCode"] == 0


@pytest.mark.req("R-2.5.4-removed-gateway-red", "R-0-tailnet-sidecar")
def test_a_deleted_machine_is_logged_out_and_its_task_unhealthy(
    tailnet: SmallTailnet, members: Members
) -> None:
    """A gateway that the admin removes turns its health check red, so that ECS replaces it."""
    del members
    key = tailnet.control.create_key(reusable=True, ephemeral=True, tags=["tag:fargate-mx"])
    task, sidecar = tailnet.task("removed", key)
    tailnet.control.wait_for_node("removed")
    check = ["wget", "-q", "-O", "/dev/null", "http://127.0.0.1:9002/healthz"]
    wait_for("healthy", lambda: run(sidecar, *check).status == 0, timeout=timedelta(seconds=10))
    tailnet.control.delete("removed")
    wait_for("unhealthy", lambda: run(sidecar, *check).status != 0, timeout=timedelta(seconds=5))
    shown = run(task, "curl", "-sS", "http://127.0.0.1:9002/healthz").stdout
    assert shown == "node currently has no tailscale IPs\n"
    assert through_proxy(task, f"{SERVER}:2525") == ""


@pytest.mark.req("R-0-tailnet-restart")
@pytest.mark.usefixtures("policy_restored")
def test_tunnels_outlive_the_coordinator_and_nodes_come_back_to_it(
    tailnet: SmallTailnet, members: Members
) -> None:
    """While the coordinator is down mail flows on; after its restart it can tell everybody news again."""
    tailnet.coordinator.stop(timeout=5)
    assert through_proxy(members.task, f"{SERVER}:2525") == "port 2525\n"
    assert reaches(members.pc, SERVER, 993)
    tailnet.coordinator.start()
    tailnet.control = control_of(tailnet.coordinator)
    for name in ("mailserver", "pc", "gateway"):
        tailnet.control.wait_for_node(name)
    tailnet.control.set_policy('{"acls": []}')
    wait_for(
        "the empty policy arrives",
        lambda: not reaches(members.pc, SERVER, 993, 1),
        timeout=timedelta(seconds=10),
    )


@pytest.mark.req("R-0-tailnet-settings")
def test_kernel_mode_fails_where_there_is_no_tun() -> None:
    """TS_USERSPACE=false ends with the real client's complaint about the TUN device (F06)."""
    spec = ContainerSpec(f"{PREFIX}-no-tun", catalogue()["tailscale"].tag, env={"TS_USERSPACE": "false"})
    container = start(spec)
    try:
        assert container.wait(timeout=20)["StatusCode"] == 1
        assert b"/dev/net/tun does not exist" in container.logs()
    finally:
        remove(spec.place)

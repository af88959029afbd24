"""The gateway's task: cut off from the tailnet but for its proxy, and replaced when it cannot do its work."""

import re
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from fixtures.engine.execute import execute
from fixtures.mail.message import make
from fixtures.targets.sim import Sim
from fixtures.wait import wait_for
from tests.e2e.conftest import STRANGER, Arrive


@pytest.mark.req("R-3.2-tailnet-only-by-proxy", "R-4.2-hostname", "R-2.3-task-in-vpc")
def test_the_task_has_no_way_into_the_tailnet_but_the_proxy(world: Sim) -> None:
    """No interface, route or connection to 100.64.0.0/10; through the tunnel the server greets (F06)."""
    inside = world.gateway.container("pause")
    routes = execute(inside, ["ip", "-4", "route", "show", "table", "all"]).check().stdout
    assert "default via 10.0." in routes
    assert "100.64." not in routes
    links = execute(inside, ["ip", "-o", "link"]).check().stdout
    assert "tailscale" not in links
    assert "wg" not in links

    def greeting(host: str) -> str:
        script = f"exec 3<>/dev/tcp/{host}/2525 && head -n 1 <&3"
        return execute(inside, ["timeout", "5", "bash", "-c", script]).stdout

    assert greeting(world.state.dell_address) == ""
    assert f"220 {world.site.mail.hostname} ESMTP" in greeting("127.0.0.1")


@pytest.mark.req("R-2.5.3-gateway-cannot-roam")
def test_the_proxy_leads_to_2525_alone(world: Sim) -> None:
    """Whoever breaks into the gateway gets no further than its mail does: the policy ends the rest (F45)."""
    inside = world.gateway.container("pause")

    def said(port: int) -> str:
        request = f"CONNECT {world.server}:{port} HTTP/1.1\r\n\r\n".encode()
        return execute(inside, ["timeout", "3", "nc", "127.0.0.1", "1055"], stdin=request).stdout

    ports = (2525, 22, 587, 993)
    with ThreadPoolExecutor(len(ports)) as pool:  # what is not let through takes as long as one waits
        answers = dict(zip(ports, pool.map(said, ports), strict=True))
    assert [port for port, answer in answers.items() if answer.startswith("HTTP/1.1 200")] == [2525], answers


@pytest.mark.req("R-3.3-rolling")
def test_the_task_runs_what_was_registered_last(world: Sim) -> None:
    """ECS has not gone back to an older revision: the newest one's task is the one that serves (F22, F23)."""
    ecs = world.aws.client("ecs")
    cluster = world.state.outputs["cluster"]
    task = ecs.describe_tasks(cluster=cluster, tasks=[world.gateway.healthy().arn])["tasks"][0]
    family, _, revision = task["taskDefinitionArn"].rpartition("/")[2].partition(":")
    known = ecs.list_task_definitions(familyPrefix=family)["taskDefinitionArns"]
    assert int(revision) == max(int(arn.rpartition(":")[2]) for arn in known)


@pytest.mark.req("R-3.2-fargate-rights")
def test_the_task_has_fargates_capabilities_only(world: Sim) -> None:
    """Postfix and the tunnel run with Docker's default set: nothing added, not privileged (F19)."""
    for name in ("postfix", "tunnel"):
        host = world.gateway.container(name).attrs["HostConfig"]
        assert not host["CapAdd"], name
        assert host["Privileged"] is False
        assert not host["Devices"], name


def _reason_of_the_stop(world: Sim, arn: str) -> str:
    """Why ECS says that it stopped a task, once it has: the replacement may be healthy before."""
    wait_for(
        "ECS to say that the old task has stopped",
        lambda: world.gateway.task(arn).status == "STOPPED",
        timeout=timedelta(seconds=60),
    )
    return world.gateway.stopped_reason(arn)


def _names(world: Sim) -> list[str]:
    """The addresses that the MX name has now."""
    return world.nameserver.lookup(world.site.mail.mx_hostname)


@pytest.mark.req("R-3.2-lost-tunnel-replaced", "R-2.2.1-mx-follows-task", "R-2.2.1-stopped-removed")
@pytest.mark.parametrize("container", ["tunnel", "tailscale"])
def test_a_task_without_its_tunnel_is_replaced(
    world: Sim, arrive: Arrive, alice: str, container: str
) -> None:
    """Killing either makes ECS replace the task; the MX name follows, and mail flows again (F04, F17).

    The old address leaves the name before the new task serves: it may be a stranger's any moment.
    """
    old = world.gateway.healthy()
    address = world.gateway.public_address(old)
    assert _names(world) == [address]
    world.gateway.container(container, old).kill()
    wait_for(
        "the old address to leave the name",
        lambda: address not in _names(world),
        timeout=timedelta(seconds=20),
    )
    new = world.gateway.healthy(timedelta(seconds=150), other_than=old.arn)
    assert new.arn != old.arn
    assert _reason_of_the_stop(world, old.arn) == "Essential container in task exited"
    assert _names(world) == [world.gateway.public_address(new)]
    message = make(STRANGER, [alice])
    outcome = arrive(message, [alice])
    assert outcome.accepted, outcome
    world.mailbox("imap", alice).wait_for(message.marker)


@pytest.mark.req("R-8.3.1-unhealthy-replaced")
def test_a_dead_tunnel_makes_the_task_unhealthy(world: Sim, arrive: Arrive, alice: str) -> None:
    """The port is open but nothing comes through: the health check sees it, ECS replaces it (F17)."""
    old = world.gateway.healthy()
    world.gateway.container("tailscale", old).pause()
    new = world.gateway.healthy(timedelta(seconds=180), other_than=old.arn)
    assert new.arn != old.arn
    assert _reason_of_the_stop(world, old.arn) == "Task failed container health checks"
    assert arrive(make(STRANGER, [alice]), [alice]).accepted


@pytest.mark.req("R-8.1-stream-per-container")
def test_the_tasks_log_is_in_cloudwatch(world: Sim, arrive: Arrive, alice: str) -> None:
    """What Postfix logs arrives in the log group, in a stream of its own for each container (design 8.1)."""
    outcome = arrive(make(STRANGER, [alice]), [alice])
    assert outcome.accepted, outcome
    logs = world.aws.client("logs")
    group = world.state.outputs["log_group"]
    task = world.gateway.healthy().id
    streams = {name: f"{name}/{name}/{task}" for name in ("postfix", "tunnel", "tailscale")}
    for stream in streams.values():
        found = logs.describe_log_streams(logGroupName=group, logStreamNamePrefix=stream)["logStreams"]
        assert [item["logStreamName"] for item in found] == [stream]

    def lines() -> list[str]:
        request = {"logGroupName": group, "logStreamName": streams["postfix"], "startFromHead": True}
        return [event["message"] for event in logs.get_log_events(**request)["events"]]

    accepted = re.compile(rf"proxy-accept: .* queued as {outcome.queue_id}\b")
    logged = wait_for(
        "the delivery in the log",
        lines,
        until=lambda seen: any(accepted.search(line) for line in seen),
        timeout=timedelta(seconds=20),
    )
    assert [line for line in logged if "fatal" in line or "panic" in line] == []

"""A service behind a network load balancer on the Fargate simulator: targets, health, draining."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest

from fixtures.engine.execute import execute
from fixtures.plan import AWS_POOL
from fixtures.wait import wait_for
from tests.integration.aws.fargate_world import World, detail, world

SECOND = timedelta(seconds=1)
LISTEN = "exec socat TCP-LISTEN:25,fork,reuseaddr EXEC:cat"  # a session lasts until the client ends it
DEAF = "exec sleep 600"


@dataclass(frozen=True)
class Balanced:
    """A load balancer with one Elastic IP in front of a target group."""

    aws: World
    group: str
    address: str

    def states(self) -> dict[str, str]:
        """Each target's state by its address, as DescribeTargetHealth has it."""
        answer = self.aws.clients("elbv2").describe_target_health(TargetGroupArn=self.group)
        return {
            item["Target"]["Id"]: item["TargetHealth"]["State"] for item in answer["TargetHealthDescriptions"]
        }

    def behind(self, name: str, script: str) -> dict[str, Any]:
        """A service of one task behind the balancer; its running task."""
        targets = [{"targetGroupArn": self.group, "containerName": "mx", "containerPort": 25}]
        self.aws.service(name, [self.aws.container("mx", script)], balancers=targets)
        return self.aws.task(name, lambda task: bool(task["lastStatus"] == "RUNNING"))

    def becomes(self, expected: dict[str, str]) -> None:
        """Return when the targets' states are these."""
        wait_for(
            f"targets {expected}",
            self.states,
            until=lambda states: states == expected,
            timeout=40 * SECOND,
        )


@pytest.fixture(scope="module")
def balanced(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Balanced]:
    """The balancer on a small AWS whose probe reaches public addresses through the Internet gateway."""
    with world(tmp_path_factory.mktemp("balancer"), ("served", "deaf")) as aws:
        made = _balancer(aws)
        gateway = aws.gateway[0]
        gateway.reload()
        [network] = gateway.attrs["NetworkSettings"]["Networks"].values()
        execute(aws.probe(), ["ip", "route", "add", AWS_POOL, "via", network["IPAddress"]]).check()
        yield made


def _balancer(aws: World) -> Balanced:
    elb, ec2 = aws.clients("elbv2"), aws.clients("ec2")
    vpc = ec2.describe_subnets(SubnetIds=[aws.subnet])["Subnets"][0]["VpcId"]
    allocated = ec2.allocate_address(Domain="vpc")
    mapping = [{"SubnetId": aws.subnet, "AllocationId": allocated["AllocationId"]}]
    made = elb.create_load_balancer(Name="mx", Type="network", SubnetMappings=mapping)
    group = elb.create_target_group(
        Name="mx", Protocol="TCP", Port=25, VpcId=vpc, TargetType="ip", HealthCheckIntervalSeconds=5,
        HealthCheckTimeoutSeconds=3, HealthyThresholdCount=2, UnhealthyThresholdCount=2,
    )["TargetGroups"][0]["TargetGroupArn"]  # fmt: skip
    elb.create_listener(
        LoadBalancerArn=made["LoadBalancers"][0]["LoadBalancerArn"],
        Protocol="TCP",
        Port=25,
        DefaultActions=[{"Type": "forward", "TargetGroupArn": group}],
    )
    return Balanced(aws, group, allocated["PublicIp"])


@contextmanager
def _session(balanced: Balanced) -> Iterator[list[str]]:
    """A client's connection through the balancer; what the client holds open, as its kernel lists it."""
    probe = balanced.aws.probe()
    probe.exec_run(["ncat", "--recv-only", balanced.address, "25"], detach=True)

    def connections() -> list[str]:
        listed = execute(probe, ["ss", "-Htn", "state", "established", "dport", "=", ":25"]).stdout
        return listed.splitlines()

    try:
        yield wait_for("the client's connection", connections, timeout=15 * SECOND)
    finally:
        execute(probe, ["pkill", "-f", "recv-only"])


@pytest.mark.req("R-0-fargate-balancer")
def test_a_task_is_a_target_until_its_sessions_have_ended(balanced: Balanced) -> None:
    """Registered and healthy, it serves; told to end, it drains before its containers hear of it (F15)."""
    aws = balanced.aws
    task = balanced.behind("served", LISTEN)
    address = detail(task, "privateIPv4Address")
    balanced.becomes({address: "healthy"})
    wait_for("the fixed address", lambda: aws.connects(balanced.address, 25), timeout=15 * SECOND)
    with _session(balanced) as open_connections:
        assert len(open_connections) == 1
        aws.scale("served", 0)
        balanced.becomes({address: "draining"})
        wait_for("no new connections", lambda: not aws.connects(balanced.address, 25), timeout=15 * SECOND)
        [described] = wait_for("word of its end", lambda: aws.tasks("served", "STOPPED"), timeout=5 * SECOND)
        assert described["lastStatus"] == "DEACTIVATING"
        assert aws.inside(task, "mx").status == "running"
    gone = wait_for(
        "the task's end",
        lambda: aws.tasks("served", "STOPPED"),
        until=lambda tasks: [item["lastStatus"] for item in tasks] == ["STOPPED"],
        timeout=40 * SECOND,
    )
    assert gone[0]["stoppedReason"].startswith("Scaling activity initiated by")
    balanced.becomes({})


@pytest.mark.req("R-0-fargate-balancer")
def test_a_target_that_does_not_listen_is_unhealthy(balanced: Balanced) -> None:
    """The balancer's own check decides, not ECS's word that the task runs."""
    task = balanced.behind("deaf", DEAF)
    address = detail(task, "privateIPv4Address")
    balanced.becomes({address: "unhealthy"})
    balanced.aws.scale("deaf", 0)
    balanced.becomes({})

"""Services on the Fargate simulator: order, health, replacement, roles, security groups, logs, end."""

import json
from collections.abc import Iterator
from datetime import timedelta
from ipaddress import ip_address, ip_network
from typing import Any

import pytest

from fixtures.engine.client import engine
from fixtures.engine.execute import execute
from fixtures.plan import AWS_POOL
from fixtures.wait import wait_for
from tests.integration.aws.fargate_world import (
    CLUSTER,
    INWARD,
    OUTWARD,
    REGION,
    STRANGER_ROLE,
    World,
    detail,
    task_id,
    world,
)

NAMES = (
    "ordered",
    "open",
    "sick",
    "dying",
    "granted",
    "denied",
    "rolled",
    "scaled",
    "asked",
    "tail",
    "bare",
    "caps",
    "failing",
)
CHECK = {"command": ["CMD-SHELL", "test -e /tmp/well"], "interval": 5, "timeout": 2, "retries": 1}
WELL = "touch /tmp/well; exec sleep 600"
LISTEN = "nc -lk 25 & nc -lk 26 & exec sleep 600"
SECOND = timedelta(seconds=1)


@pytest.fixture(scope="module")
def aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """One small AWS for all tests of this file; each has its own service."""
    with world(tmp_path_factory.mktemp("fargate"), NAMES) as made:
        yield made


@pytest.fixture(autouse=True)
def _end_of_service(aws: World) -> Iterator[None]:
    """Have each test's service end, without waiting for it: the machine is small."""
    yield
    for name in aws.used:
        aws.scale(name, 0)
    aws.used.clear()


def _running(task: dict[str, Any]) -> bool:
    return bool(task["lastStatus"] == "RUNNING")


def _healthy(task: dict[str, Any]) -> bool:
    return bool(task["healthStatus"] == "HEALTHY")


def _stopped(aws: World, service: str) -> dict[str, Any]:
    """The first task of a service that has come to its end."""
    return wait_for(
        f"a stopped task of {service}",
        lambda: next(t for t in aws.tasks(service, "STOPPED") if t["lastStatus"] == "STOPPED"),
        timeout=30 * SECOND,
        retry_on=(StopIteration,),
    )


def _status(task: dict[str, Any], container: str) -> str:
    (found,) = [c for c in task["containers"] if c["name"] == container]
    return str(found["lastStatus"])


@pytest.mark.req("R-0-fargate-dependencies")
def test_a_dependent_waits_until_its_dependency_is_healthy(aws: World) -> None:
    """dependsOn HEALTHY holds a container back, and lets it go as soon as the health check passes."""
    needs = [{"containerName": "first", "condition": "HEALTHY"}]
    aws.service(
        "ordered",
        [
            aws.container("second", "exec sleep 600", dependsOn=needs),
            aws.container("first", "exec sleep 600", healthCheck=CHECK | {"startPeriod": 60}),
        ],
    )
    task = aws.task("ordered", lambda t: _status(t, "first") == "RUNNING")
    execute(aws.inside(task, "first"), ["sleep", "1.5"]).check()  # longer than one early check takes
    task = aws.task("ordered", lambda t: True)
    assert (_status(task, "second"), task["lastStatus"]) == ("PENDING", "PENDING")
    execute(aws.inside(task, "first"), ["touch", "/tmp/well"]).check()
    task = aws.task("ordered", _running)
    assert (_status(task, "second"), task["healthStatus"]) == ("RUNNING", "HEALTHY")


@pytest.mark.req("R-0-fargate-security-group")
def test_the_security_group_decides_which_port_answers(aws: World) -> None:
    """Port 25 is open and 26 filtered while both are served; a rule added in EC2 counts, also one revoked."""
    aws.service("open", [aws.container("mx", LISTEN)])
    task = aws.task("open", _running)
    address = detail(task, "privateIPv4Address")
    assert execute(aws.inside(task, "mx"), ["nc", "-z", "127.0.0.1", "26"]).status == 0
    assert wait_for("port 25", lambda: aws.connects(address, 25), timeout=10 * SECOND)
    assert not aws.connects(address, 26)
    rule = {"IpProtocol": "tcp", "FromPort": 26, "ToPort": 26, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}
    ec2 = aws.clients("ec2")
    ec2.authorize_security_group_ingress(GroupId=aws.group, IpPermissions=[rule])
    assert wait_for("port 26", lambda: aws.connects(address, 26), timeout=10 * SECOND)
    ec2.revoke_security_group_ingress(GroupId=aws.group, IpPermissions=[rule])
    wait_for("port 26 filtered", lambda: not aws.connects(address, 26), timeout=10 * SECOND)
    assert aws.connects(address, 25)


@pytest.mark.req("R-0-fargate-answers")
def test_the_attachment_leads_to_the_public_address(aws: World) -> None:
    """ListTasks, DescribeTasks, DescribeNetworkInterfaces: the way of design 2.2.3 ends at a pool address."""
    aws.service("bare", [aws.container("mx", "exec sleep 600")])
    task = aws.task("bare", _running)
    answer = aws.clients("ec2").describe_network_interfaces(
        NetworkInterfaceIds=[detail(task, "networkInterfaceId")]
    )
    (interface,) = answer["NetworkInterfaces"]
    assert ip_address(interface["Association"]["PublicIp"]) in ip_network(AWS_POOL)
    shown = (
        execute(aws.inside(task, "mx"), ["ip", "-4", "-o", "address", "show", "dev", "eth0"]).check().stdout
    )
    assert f" {detail(task, 'privateIPv4Address')}/" in shown
    assert interface["PrivateIpAddress"] == detail(task, "privateIPv4Address")
    hosts = execute(aws.inside(task, "mx"), ["cat", "/etc/resolv.conf", "/etc/hostname"]).check().stdout
    assert "nameserver 192.0.2.53" in hosts
    assert f"ip-{interface['PrivateIpAddress'].replace('.', '-')}.{REGION}.compute.internal" in hosts


@pytest.mark.req("R-0-fargate-rights")
def test_a_container_gets_the_default_capabilities_and_no_more(aws: World) -> None:
    """Inside a task nothing of the network can be changed, although its namespace has rules (F19)."""
    aws.service("caps", [aws.container("mx", "exec sleep 600")])
    container = aws.inside(aws.task("caps", _running), "mx")
    effective = execute(container, ["grep", "CapEff", "/proc/self/status"]).check().stdout.split()[1]
    assert effective == "00000000a80425fb"  # the engine's default set, capability by capability
    assert execute(container, ["nft", "flush", "ruleset"]).status != 0


@pytest.mark.req("R-0-fargate-health", "R-0-fargate-scheduler")
def test_an_unhealthy_task_is_replaced_and_goes_last(aws: World) -> None:
    """The replacement is healthy before the unhealthy task is stopped, and ECS says why it was."""
    aws.service("sick", [aws.container("mx", WELL, healthCheck=CHECK)])
    first = aws.task("sick", _healthy)
    execute(aws.inside(first, "mx"), ["rm", "/tmp/well"]).check()
    second = aws.task("sick", lambda t: _healthy(t) and t["taskArn"] != first["taskArn"], seconds=40)
    gone = _stopped(aws, "sick")
    assert gone["taskArn"] == first["taskArn"]
    assert gone["stoppedReason"] == "Task failed container health checks"
    assert second["createdAt"] < gone["stoppingAt"]


@pytest.mark.req("R-0-fargate-essential")
def test_the_end_of_an_essential_container_ends_the_task(aws: World) -> None:
    """A program that exits takes the task with it, and the service starts another."""
    aws.service(
        "dying",
        [
            aws.container("mx", "exec sleep 600"),
            aws.container("helper", "exec sleep 600", essential=False),
        ],
    )
    first = aws.task("dying", _running)
    aws.inside(first, "helper").kill()
    task = aws.task("dying", lambda t: _status(t, "helper") == "STOPPED")
    assert (task["taskArn"], task["lastStatus"]) == (first["taskArn"], "RUNNING")
    aws.inside(first, "mx").kill()
    second = aws.task("dying", lambda t: _running(t) and t["taskArn"] != first["taskArn"])
    gone = _stopped(aws, "dying")
    assert (gone["stopCode"], gone["stoppedReason"]) == (
        "EssentialContainerExited",
        "Essential container in task exited",
    )
    assert [c["exitCode"] for c in gone["containers"] if c["name"] == "mx"] == [137]
    assert second["startedBy"] == gone["startedBy"]


def _secret(aws: World, name: str) -> str:
    made = aws.clients("secretsmanager").create_secret(Name=name, SecretString="tskey-example")
    return str(made["ARN"])


@pytest.mark.req("R-0-fargate-secrets")
def test_the_execution_role_fetches_the_secret(aws: World) -> None:
    """The value arrives as a variable and stands in no command line."""
    secrets = [{"name": "TS_AUTHKEY", "valueFrom": _secret(aws, "key-for-granted")}]
    aws.service("granted", [aws.container("tunnel", "exec sleep 600", secrets=secrets)])
    container = aws.inside(aws.task("granted", _running), "tunnel")
    assert execute(container, ["printenv", "TS_AUTHKEY"]).check().stdout.strip() == "tskey-example"
    assert "tskey-example" not in json.dumps([container.top(), aws.log_file.read_text()])


@pytest.mark.req("R-0-fargate-secrets")
def test_a_role_without_permission_keeps_the_task_from_starting(aws: World) -> None:
    """No container ever runs, and the reason is the agent's own sentence."""
    arn = _secret(aws, "key-for-denied")
    container = aws.container("tunnel", "exec sleep 600", secrets=[{"name": "K", "valueFrom": arn}])
    aws.service("denied", [container], executionRoleArn=STRANGER_ROLE)
    gone = _stopped(aws, "denied")
    reason = "ResourceInitializationError: unable to pull secrets or registry auth: "
    assert gone["stoppedReason"].startswith(reason)
    assert (
        f"not authorized to perform: secretsmanager:GetSecretValue on resource: {arn}"
        in gone["stoppedReason"]
    )
    assert "startedAt" not in gone


@pytest.mark.req("R-0-fargate-scheduler")
def test_a_new_revision_replaces_the_old_without_a_gap(aws: World) -> None:
    """With 100/200 the old task stops only when the new one is healthy."""
    aws.service("rolled", [aws.container("mx", WELL, healthCheck=CHECK)])
    first = aws.task("rolled", _healthy)
    changed = aws.container("mx", WELL, healthCheck=CHECK, environment=[{"name": "ROUND", "value": "two"}])
    aws.service("rolled", [changed])
    second = aws.task("rolled", lambda t: _healthy(t) and t["taskArn"] != first["taskArn"])
    assert second["taskDefinitionArn"].endswith(":2")
    gone = _stopped(aws, "rolled")
    assert (gone["taskArn"], gone["stopCode"]) == (first["taskArn"], "ServiceSchedulerInitiated")
    assert execute(aws.inside(second, "mx"), ["printenv", "ROUND"]).check().stdout == "two\n"


@pytest.mark.req("R-0-fargate-stop")
def test_desired_count_zero_leaves_nothing(aws: World) -> None:
    """Containers, interface, public address and its translation are gone; the end was asked with SIGTERM."""
    trap = "trap 'echo bye; exit 7' TERM; sleep 600 & wait"
    aws.service("scaled", [aws.container("mx", trap)])
    task = aws.task("scaled", _running)
    before = aws.clients("ec2").describe_addresses()["Addresses"]
    private = detail(task, "privateIPv4Address")
    (public,) = [a["PublicIp"] for a in before if a.get("PrivateIpAddress") == private]
    assert f"{public} : {private}" in aws.translations(INWARD)
    assert f"{private} : {public}" in aws.translations(OUTWARD)
    aws.scale("scaled", 0)
    gone = _stopped(aws, "scaled")
    assert [c["exitCode"] for c in gone["containers"]] == [7]
    label: dict[str, str | list[str] | bool] = {"label": f"mailproof.task={task_id(task)}"}
    assert engine().containers.list(all=True, filters=label) == []
    interfaces = aws.clients("ec2").describe_network_interfaces()["NetworkInterfaces"]
    assert detail(task, "networkInterfaceId") not in {eni["NetworkInterfaceId"] for eni in interfaces}
    assert public not in {a["PublicIp"] for a in aws.clients("ec2").describe_addresses()["Addresses"]}
    assert public not in aws.translations(INWARD) + aws.translations(OUTWARD)
    service = aws.clients("ecs").describe_services(cluster=CLUSTER, services=["scaled"])["services"][0]
    assert (service["runningCount"], service["pendingCount"]) == (0, 0)


@pytest.mark.req("R-0-fargate-stop")
def test_stop_task_is_obeyed(aws: World) -> None:
    """A task whose stop was asked through ECS ends with the given reason, and is replaced."""
    aws.service("asked", [aws.container("mx", "exec sleep 600")])
    first = aws.task("asked", _running)
    aws.clients("ecs").stop_task(cluster=CLUSTER, task=first["taskArn"], reason="drill")
    gone = _stopped(aws, "asked")
    assert (gone["taskArn"], gone["stopCode"], gone["stoppedReason"]) == (
        first["taskArn"],
        "UserInitiated",
        "drill",
    )
    assert aws.task("asked", lambda t: _running(t) and t["taskArn"] != first["taskArn"])


@pytest.mark.req("R-0-fargate-logs")
def test_output_reaches_cloudwatch_logs(aws: World) -> None:
    """Every line arrives in the stream prefix/container/task-id, in order."""
    options = {"awslogs-group": "/ecs/test", "awslogs-region": REGION, "awslogs-stream-prefix": "mx"}
    log = {"logDriver": "awslogs", "options": options}
    aws.service("tail", [aws.container("postfix", "seq 1 500; exec sleep 600", logConfiguration=log)])
    stream = f"mx/postfix/{task_id(aws.task('tail', _running))}"
    events = wait_for(
        "500 lines",
        lambda: aws.clients("logs").get_log_events(
            logGroupName="/ecs/test", logStreamName=stream, startFromHead=True
        )["events"],
        until=lambda found: len(found) >= 500,
        timeout=10 * SECOND,
    )
    assert [event["message"] for event in events] == [str(n) for n in range(1, 501)]


@pytest.mark.req("R-0-fargate-circuit-breaker")
def test_a_deployment_that_never_starts_is_given_up(aws: World) -> None:
    """With the circuit breaker on, three tasks that cannot start end the deployment, and no fourth comes."""
    absent = aws.container("mx", "exec sleep 600") | {"image": "mailproof/absent:1"}
    breaker = {"deploymentCircuitBreaker": {"enable": True, "rollback": True}}
    aws.service("failing", [absent], deployment=breaker)
    ecs = aws.clients("ecs")
    failed = wait_for(
        "the failed deployment",
        lambda: ecs.describe_services(cluster=CLUSTER, services=["failing"])["services"][0]["deployments"][0],
        until=lambda deployment: deployment["rolloutState"] == "FAILED",
        timeout=30 * SECOND,
    )
    assert "CannotPullContainerError" in failed["rolloutStateReason"]
    looks = iter(range(12))  # longer than the longest delay so far
    wait_for(
        "some looks", lambda: next(looks), until=lambda n: n == 11, timeout=30 * SECOND, interval=SECOND / 2
    )
    assert len(aws.tasks("failing", "STOPPED")) == 3
    assert aws.tasks("failing") == []

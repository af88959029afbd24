"""What ECS and Fargate refuse: one row a reason, each next to a definition that is taken."""

import copy
from typing import Any

import pytest

from fixtures.aws.fargate.refuse import NotSimulatedError, Refused, check_service, check_task_definition

pytestmark = pytest.mark.req("R-0-fargate-refuses")

SECRET = "arn:aws:secretsmanager:ap-northeast-1:000000000000:secret:key-AbCdEf"
ROLE = "arn:aws:iam::000000000000:role/execution"
LOG = {"awslogs-group": "/ecs/mx", "awslogs-region": "ap-northeast-1", "awslogs-stream-prefix": "mx"}
TASK: dict[str, Any] = {
    "family": "mx",
    "networkMode": "awsvpc",
    "requiresCompatibilities": ["FARGATE"],
    "cpu": "256",
    "memory": "512",
    "executionRoleArn": ROLE,
    "volumes": [{"name": "state"}],
    "containerDefinitions": [
        {
            "name": "postfix",
            "image": "mailproof/postfix:1",
            "portMappings": [{"containerPort": 25}],
            "dependsOn": [{"containerName": "tunnel", "condition": "HEALTHY"}],
            "environment": [{"name": "MX_HOSTNAME", "value": "mx.example.org"}],
        },
        {
            "name": "tunnel",
            "image": "mailproof/tunnel:1",
            "secrets": [{"name": "TS_AUTHKEY", "valueFrom": SECRET}],
            "healthCheck": {"command": ["CMD-SHELL", "true"]},
            "mountPoints": [{"sourceVolume": "state", "containerPath": "/var/lib/state"}],
            "logConfiguration": {"logDriver": "awslogs", "options": LOG},
        },
    ],
}
SERVICE: dict[str, Any] = {
    "serviceName": "mx",
    "taskDefinition": "mx:3",
    "networkConfiguration": {"awsvpcConfiguration": {"subnets": ["subnet-1"]}},
}
POSTFIX, TUNNEL = ("containerDefinitions", 0), ("containerDefinitions", 1)
GONE = object()


def changed(base: dict[str, Any], path: tuple[Any, ...], value: Any) -> dict[str, Any]:
    """A copy of ``base`` with one value set (or, with GONE, taken out)."""
    made = copy.deepcopy(base)
    place: Any = made
    for key in path[:-1]:
        place = place.setdefault(key, {}) if isinstance(place, dict) else place[key]
    if value is GONE:
        del place[path[-1]]
    else:
        place[path[-1]] = value
    return made


def test_the_sound_definition_and_service_are_taken() -> None:
    """The control for every refusal below: nothing but the change is refused."""
    check_task_definition(TASK)
    check_service(SERVICE)


REFUSALS: list[tuple[str, tuple[Any, ...], Any, str]] = [
    ("F20", ("volumes", 0, "ephemeral"), {}, r'Unknown parameter in volumes\[0\]: "ephemeral"'),
    ("network mode", ("networkMode",), "bridge", "Fargate only supports network mode ‘awsvpc’"),
    ("no network mode", ("networkMode",), GONE, "Fargate only supports network mode ‘awsvpc’"),
    ("size pair", ("memory",), "4096", "No Fargate configuration exists for given values: 256 CPU, 4096"),
    ("odd size", ("memory",), "513", "No Fargate configuration exists for given values"),
    ("odd cpu", ("cpu",), "300", "No Fargate configuration exists for given values"),
    ("no cpu", ("cpu",), GONE, "Fargate requires that 'cpu' be defined at the task level"),
    ("no memory", ("memory",), GONE, "Fargate requires that 'memory' be defined at the task level"),
    ("ipc", ("ipcMode",), "host", "Tasks using the Fargate launch type do not support ipcMode"),
    ("pid", ("pidMode",), "host", "Tasks using the Fargate launch type do not support pidMode"),
    ("no containers", ("containerDefinitions",), [], "Container list cannot be empty"),
    ("privileged", (*POSTFIX, "privileged"), True, "do not support privileged"),
    ("links", (*POSTFIX, "links"), ["tunnel"], "do not support links"),
    ("F06 device", (*TUNNEL, "linuxParameters", "devices"), [{"hostPath": "/dev/net/tun"}],
     "not support devices"),
    ("F06 capability", (*TUNNEL, "linuxParameters", "capabilities"), {"add": ["NET_ADMIN"]}, "NET_ADMIN"),
    ("host path", ("volumes", 0, "host"), {"sourcePath": "/srv"}, "do not support sourcePath"),
    ("docker volume", ("volumes", 0, "dockerVolumeConfiguration"), {"scope": "task"},
     "not support dockerVolumeConfiguration"),
    ("unknown volume", (*TUNNEL, "mountPoints", 0, "sourceVolume"), "other", "Unknown volume 'other'"),
    ("F21", (*TUNNEL, "environment"), [{"name": "TS_AUTHKEY", "value": "x"}],
     "The secret name must be unique and not shared with any new or existing environment variables set on "
     "the container, such as 'TS_AUTHKEY'"),
    ("secret without role", ("executionRoleArn",), GONE, "execution role ARN to support"),
    ("awslogs option", (*TUNNEL, "logConfiguration", "options", "awslogs-stream-prefix"), GONE,
     "awslogs requires options: awslogs-stream-prefix"),
    ("log driver", (*TUNNEL, "logConfiguration", "logDriver"), "paper", "enum value set"),
    ("ports differ", (*POSTFIX, "portMappings", 0, "hostPort"), 2525,
     "host ports and container ports in port mappings must match"),
    ("stop timeout", (*POSTFIX, "stopTimeout"), 121, "stopTimeout"),
    ("ulimit", (*POSTFIX, "ulimits"), [{"name": "nproc", "softLimit": 1, "hardLimit": 1}], "ulimit nproc"),
    ("container memory", (*POSTFIX, "memory"), 1024, "more than the task has"),
    ("container cpu", (*POSTFIX, "cpu"), 512, "more than the task's 256"),
    ("wrong type", (*POSTFIX, "memory"), "512", "Invalid type for parameter"),
    ("nameless", (*POSTFIX, "name"), GONE, "Container.name should not be null or empty"),
    ("no image", (*POSTFIX, "image"), GONE, "Container.image should not be null or empty"),
    ("twice", (*TUNNEL, "name"), "postfix", "used more than once"),
    ("unknown dependency", (*POSTFIX, "dependsOn", 0, "containerName"), "nobody", "depends on 'nobody'"),
    ("itself", (*POSTFIX, "dependsOn", 0, "containerName"), "postfix", "depends on 'postfix'"),
    ("unknown condition", (*POSTFIX, "dependsOn", 0, "condition"), "READY", "enum value set"),
    ("healthy without check", (*TUNNEL, "healthCheck"), GONE, "has no health check"),
    ("essential success", (*POSTFIX, "dependsOn", 0, "condition"), "SUCCESS",
     "A dependency container with SUCCESS or COMPLETE condition cannot be an essential container"),
    ("cycle", (*TUNNEL, "dependsOn"), [{"containerName": "postfix", "condition": "START"}],
     "cycle: postfix -> tunnel -> postfix"),
    ("check without CMD", (*TUNNEL, "healthCheck", "command"), ["true"], "must start with CMD or CMD-SHELL"),
    ("check without command", (*TUNNEL, "healthCheck", "command"), ["CMD"], "name a command"),
]  # fmt: skip


@pytest.mark.parametrize(("path", "value", "words"), [r[1:] for r in REFUSALS], ids=[r[0] for r in REFUSALS])
def test_a_task_definition_is_refused_for(path: tuple[Any, ...], value: Any, words: str) -> None:
    """One change to the sound definition, and the refusal names what is wrong."""
    with pytest.raises(Refused, match=words):
        check_task_definition(changed(TASK, path, value))


@pytest.mark.parametrize(
    ("key", "low", "high"),
    [("interval", 5, 300), ("timeout", 2, 60), ("retries", 1, 10), ("startPeriod", 0, 300)],
)
def test_health_check_ranges_hold_at_both_edges(key: str, low: int, high: int) -> None:
    """ECS's limits: the edge is taken, one beyond is refused."""
    for value in (low, high):
        check_task_definition(changed(TASK, (*TUNNEL, "healthCheck", key), value))
    for value in (low - 1, high + 1):
        with pytest.raises(Refused, match=f"{key} must be between {low} and {high}, got {value}"):
            check_task_definition(changed(TASK, (*TUNNEL, "healthCheck", key), value))


@pytest.mark.parametrize(
    ("cpu", "memory"), [(256, 2048), (512, 1024), (1024, 8192), (2048, 4096), (4096, 30720), (16384, 122880)]
)
def test_valid_sizes_are_taken(cpu: int, memory: int) -> None:
    """The edges of AWS's size table (F18)."""
    check_task_definition(TASK | {"cpu": str(cpu), "memory": str(memory)})


def test_no_essential_container_is_refused() -> None:
    """A task must have something whose end is its end."""
    containers = [c | {"essential": False} for c in TASK["containerDefinitions"]]
    with pytest.raises(Refused, match="at least one essential container"):
        check_task_definition(TASK | {"containerDefinitions": containers})


def test_the_only_capability_that_can_be_added() -> None:
    """SYS_PTRACE is taken where everything else is refused (F19)."""
    check_task_definition(
        changed(TASK, (*TUNNEL, "linuxParameters", "capabilities"), {"add": ["SYS_PTRACE"]})
    )


def test_what_describe_adds_is_not_held_against_the_definition() -> None:
    """DescribeTaskDefinition's answer has keys that no request may have."""
    described = {
        "taskDefinitionArn": "arn",
        "revision": 1,
        "status": "ACTIVE",
        "compatibilities": ["FARGATE"],
    }
    check_task_definition(TASK | described)


SERVICE_REFUSALS: list[tuple[str, tuple[Any, ...], Any, str]] = [
    ("F22", ("taskDefinition",), "mx:latest", "Invalid revision number. Number: latest"),
    ("F23", ("deploymentController",), {"type": "ROLLING_UPDATE"},
     r"'ROLLING_UPDATE' at 'deploymentController.type' .* \[ECS, CODE_DEPLOY, EXTERNAL\]"),
    ("F01", ("networkConfiguration", "awsvpcConfiguration", "elasticIp"), "eipalloc-1",
     'Unknown parameter in networkConfiguration.awsvpcConfiguration: "elasticIp"'),
    ("no network", ("networkConfiguration",), GONE, "Network Configuration must be provided"),
    ("no subnet", ("networkConfiguration", "awsvpcConfiguration", "subnets"), [], "subnets can not be empty"),
    ("no definition", ("taskDefinition",), GONE, "TaskDefinition can not be blank"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("path", "value", "words"), [r[1:] for r in SERVICE_REFUSALS], ids=[r[0] for r in SERVICE_REFUSALS]
)
def test_a_service_is_refused_for(path: tuple[Any, ...], value: Any, words: str) -> None:
    """One change to the sound service, and the refusal names what is wrong."""
    with pytest.raises(Refused, match=words):
        check_service(changed(SERVICE, path, value))


@pytest.mark.parametrize("name", ["mx", "mx:12", "arn:aws:ecs:r:000000000000:task-definition/mx:1"])
def test_a_service_names_a_family_or_a_revision(name: str) -> None:
    """What ECS takes as a task definition's name (F22)."""
    check_service(SERVICE | {"taskDefinition": name})


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("volumes", 0, "efsVolumeConfiguration"), {"fileSystemId": "fs-1"}),
        ((*TUNNEL, "logConfiguration"), {"logDriver": "splunk"}),
        ((*TUNNEL, "secrets", 0, "valueFrom"), "arn:aws:ssm:r:000000000000:parameter/key"),
        ((*POSTFIX, "environmentFiles"), [{"value": "arn:aws:s3:::b/f.env", "type": "s3"}]),
    ],
)
def test_what_ecs_could_do_and_this_cannot_is_said(path: tuple[Any, ...], value: Any) -> None:
    """A gap of the simulator is never mistaken for a refusal of ECS, nor passed over."""
    with pytest.raises(NotSimulatedError):
        check_task_definition(changed(TASK, path, value))

"""Records, dependencies, events and the execution role: the parts of a task that need no engine."""

from typing import Any

import pytest
from botocore.exceptions import ClientError
from botocore.session import Session
from botocore.validate import ParamValidator

from fixtures.aws.fargate.dependencies import Dependencies
from fixtures.aws.fargate.happenings import Died, HealthChanged, interpret
from fixtures.aws.fargate.network import Interface
from fixtures.aws.fargate.record import Status, TaskRecord
from fixtures.aws.fargate.roles import ExecutionRole, TaskFailedError, trusts_ecs
from fixtures.aws.fargate.taskdef import (
    Condition,
    ContainerPlan,
    Dependency,
    HealthCheck,
    LogTarget,
    SecretReference,
    TaskPlan,
)
from fixtures.aws.iam import Decision

CLUSTER = "arn:aws:ecs:r:000000000000:cluster/mx"
CHECK = HealthCheck(("CMD", "true"))
SECRET = "arn:aws:secretsmanager:r:000000000000:secret:key-AbCdEf"
INTERFACE = Interface(
    "eni-1", "subnet-1", "02:00:00:00:00:01", "10.0.1.9", "ip-10-0-1-9.r", "task-1", ("sg-1",)
)


def _record(*plans: ContainerPlan) -> TaskRecord:
    return TaskRecord(TaskPlan("arn", "mx", 1, 256, 512, plans), CLUSTER, "service:mx", "ecs-svc/1")


@pytest.mark.req("R-0-fargate-answers")
def test_a_described_task_has_ecss_shape() -> None:
    """Every key is one of DescribeTasks', with its type."""
    record = _record(ContainerPlan("a", "i", memory=128, health_check=CHECK))
    record.interface, record.stop_code, record.stopped_reason = INTERFACE, "UserInitiated", "drill"
    record.containers["a"].exit_code, record.containers["a"].reason = 1, "why"
    shape = Session().get_service_model("ecs").shape_for("Task")
    report = ParamValidator().validate(record.describe(), shape)
    assert report.generate_report() == ""
    details = {d["name"]: d["value"] for d in record.describe()["attachments"][0]["details"]}
    assert (details["networkInterfaceId"], details["privateIPv4Address"]) == ("eni-1", "10.0.1.9")
    assert record.arn == f"arn:aws:ecs:r:000000000000:task/mx/{record.id}"


@pytest.mark.req("R-0-fargate-health")
@pytest.mark.parametrize(
    ("healths", "verdict"),
    [
        (("HEALTHY", "HEALTHY"), "HEALTHY"),
        (("HEALTHY", "UNKNOWN"), "UNKNOWN"),
        (("UNKNOWN", "UNHEALTHY"), "UNHEALTHY"),
        (("HEALTHY", "UNHEALTHY"), "UNHEALTHY"),
    ],
)
def test_the_tasks_health_is_its_essential_containers(healths: tuple[str, str], verdict: str) -> None:
    """One unhealthy one suffices; containers without a check or not essential do not count."""
    record = _record(
        ContainerPlan("a", "i", health_check=CHECK),
        ContainerPlan("b", "i", health_check=CHECK),
        ContainerPlan("c", "i", health_check=CHECK, essential=False),
        ContainerPlan("d", "i"),
    )
    record.containers["a"].health, record.containers["b"].health = healths
    record.containers["c"].health = "UNHEALTHY"
    assert record.health == verdict


@pytest.mark.req("R-0-fargate-health")
def test_without_checks_health_is_unknown() -> None:
    """ECS claims nothing that nobody checked."""
    record = _record(ContainerPlan("a", "i"), ContainerPlan("c", "i", health_check=CHECK, essential=False))
    assert (record.health, record.checked) == ("UNKNOWN", False)


@pytest.mark.req("R-0-fargate-plan")
def test_statuses_are_in_order_of_life() -> None:
    """The order decides what "not yet running" means."""
    assert [status.name for status in sorted(Status)] == [
        "PROVISIONING", "PENDING", "ACTIVATING", "RUNNING", "DEACTIVATING", "STOPPING",
        "DEPROVISIONING", "STOPPED",
    ]  # fmt: skip


class _Clock:
    """Time that moves when told."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def _pair(condition: Condition, **first: Any) -> tuple[TaskRecord, Dependencies, ContainerPlan, _Clock]:
    second = ContainerPlan("second", "i", depends_on=(Dependency("first", condition),))
    record, clock = _record(ContainerPlan("first", "i", start_timeout=60), second), _Clock()
    for key, value in first.items():
        setattr(record.containers["first"], key, value)
    return record, Dependencies(record.containers, clock), second, clock


@pytest.mark.req("R-0-fargate-dependencies")
@pytest.mark.parametrize(
    ("condition", "state", "met"),
    [
        (Condition.START, {}, False),
        (Condition.START, {"status": "RUNNING"}, True),
        (Condition.START, {"status": "STOPPED", "exit_code": 1}, True),
        (Condition.COMPLETE, {"status": "RUNNING"}, False),
        (Condition.COMPLETE, {"status": "STOPPED", "exit_code": 1}, True),
        (Condition.SUCCESS, {"status": "STOPPED", "exit_code": 0}, True),
        (Condition.HEALTHY, {"status": "RUNNING"}, False),
        (Condition.HEALTHY, {"status": "RUNNING", "health": "UNHEALTHY"}, False),
        (Condition.HEALTHY, {"status": "RUNNING", "health": "HEALTHY"}, True),
    ],
)
def test_a_dependency_is_met_when_its_condition_is(
    condition: Condition, state: dict[str, Any], met: bool
) -> None:
    """Each of ECS's four conditions, before and after."""
    _, dependencies, second, _ = _pair(condition, **state)
    assert dependencies.met(second) is met


@pytest.mark.req("R-0-fargate-dependencies")
@pytest.mark.parametrize(
    ("condition", "state", "words"),
    [
        (Condition.SUCCESS, {"status": "STOPPED", "exit_code": 3}, "exited with 3 where SUCCESS was needed"),
        (Condition.HEALTHY, {"status": "STOPPED", "exit_code": 0}, "stopped before it was HEALTHY"),
    ],
)
def test_a_dependency_that_can_no_longer_be_met_fails_the_task(
    condition: Condition, state: dict[str, Any], words: str
) -> None:
    """Waiting on would be for ever."""
    _, dependencies, second, _ = _pair(condition, **state)
    with pytest.raises(TaskFailedError, match=words):
        dependencies.met(second)


@pytest.mark.req("R-0-fargate-dependencies")
def test_a_dependency_has_its_start_timeout() -> None:
    """Up to it the dependent waits, after it the task fails."""
    _, dependencies, second, clock = _pair(Condition.HEALTHY, status="RUNNING")
    assert not dependencies.met(second)
    clock.now = 60.0
    assert not dependencies.met(second)
    clock.now = 60.1
    with pytest.raises(TaskFailedError, match="was not HEALTHY within its start timeout of 60 s"):
        dependencies.met(second)


def _event(action: str, **attributes: str) -> dict[str, Any]:
    marks = {"mailproof.task": "0123", "mailproof.task-container": "mx"}
    return {"Action": action, "Actor": {"Attributes": marks | attributes}}


@pytest.mark.req("R-0-fargate-health")
def test_engine_events_become_happenings() -> None:
    """Ends and verdicts of health checks, and nothing else."""
    assert interpret(_event("die", exitCode="137")) == ("0123", Died("mx", 137))
    assert interpret(_event("health_status: healthy")) == ("0123", HealthChanged("mx", "HEALTHY"))
    assert interpret(_event("health_status: unhealthy")) == ("0123", HealthChanged("mx", "UNHEALTHY"))
    assert interpret(_event("health_status: starting")) is None
    assert interpret({"Action": "die", "Actor": {"Attributes": {}}}) is None


class _Service:
    """One AWS service that answers from a table; an exception in it is raised."""

    def __init__(self, answers: dict[str, Any]) -> None:
        self.answers = answers
        self.calls: list[str] = []

    def __getattr__(self, operation: str) -> Any:
        def call(**_request: Any) -> Any:
            self.calls.append(operation)
            answer = self.answers.get(operation, {})
            if isinstance(answer, Exception):
                raise answer
            return answer

        return call


def _role(service: _Service, *, allowed: bool = True) -> ExecutionRole:
    return ExecutionRole(
        lambda _name: service,  # type: ignore[arg-type]
        lambda role, action, resource: Decision(allowed, "by the test"),
        "arn:aws:iam::000000000000:role/execution",
        "0123",
    )


@pytest.mark.req("R-0-fargate-secrets")
def test_a_refused_role_never_asks_for_the_secret() -> None:
    """The policy decides before the call; the reason is the agent's."""
    service = _Service({"get_secret_value": {"SecretString": "s"}})
    assert _role(service).secrets([SecretReference("K", SECRET)]) == {"K": "s"}
    asked = _Service({"get_secret_value": {"SecretString": "s"}})
    with pytest.raises(TaskFailedError) as caught:
        _role(asked, allowed=False).secrets([SecretReference("K", SECRET)])
    assert caught.value.reason.startswith(
        "ResourceInitializationError: unable to pull secrets or registry auth: "
    )
    assert "assumed-role/execution/0123 is not authorized to perform: secretsmanager:GetSecretValue" in str(
        caught.value
    )
    assert asked.calls == []


@pytest.mark.req("R-0-fargate-secrets")
def test_a_secret_without_value_is_the_tasks_end() -> None:
    """Terraform makes the secret, the owner its value: until then no task starts."""
    missing = ClientError(
        {"Error": {"Code": "ResourceNotFoundException", "Message": "can't find the specified secret value"}},
        "GetSecretValue",
    )
    with pytest.raises(
        TaskFailedError, match="ResourceNotFoundException: can't find the specified secret value"
    ):
        _role(_Service({"get_secret_value": missing})).secrets([SecretReference("K", SECRET)])


@pytest.mark.req("R-0-fargate-secrets")
def test_one_member_of_a_json_secret() -> None:
    """``arn:key::`` names it; a missing key is the task's end, and the message holds no value."""
    service = _Service({"get_secret_value": {"SecretString": '{"user": "u", "password": "hidden"}'}})
    assert _role(service).secrets([SecretReference("K", f"{SECRET}:user::")]) == {"K": "u"}
    with pytest.raises(TaskFailedError, match="did not contain json key other") as caught:
        _role(service).secrets([SecretReference("K", f"{SECRET}:other::")])
    assert "hidden" not in str(caught.value)


@pytest.mark.req("R-0-fargate-logs")
def test_a_missing_log_group_is_the_tasks_end() -> None:
    """As the log driver says it; with create-group the group is made first."""
    missing = ClientError(
        {
            "Error": {
                "Code": "ResourceNotFoundException",
                "Message": "The specified log group does not exist.",
            }
        },
        "CreateLogStream",
    )
    container = ContainerPlan("a", "i", log=LogTarget("/g", "r", "p"))
    plan = TaskPlan("arn", "mx", 1, 256, 512, (container,))
    words = "failed to validate logger args: .*The specified log group does not exist"
    with pytest.raises(TaskFailedError, match=words):
        _role(_Service({"create_log_stream": missing})).open_streams(plan)
    fine = _Service({})
    _role(fine).open_streams(plan)
    assert fine.calls == ["create_log_stream"]


ECS = {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"Service": "ecs-tasks.amazonaws.com"}}


@pytest.mark.req("R-0-fargate-secrets")
@pytest.mark.parametrize(
    ("change", "trusted"),
    [
        ({}, True),
        ({"Principal": {"Service": ["ec2.amazonaws.com", "ecs-tasks.amazonaws.com"]}}, True),
        ({"Condition": {"StringEquals": {"aws:SourceAccount": "000000000000"}}}, True),
        ({"Condition": {"StringEquals": {"aws:SourceAccount": "111111111111"}}}, False),
        ({"Condition": {"Bool": {"aws:SecureTransport": "true"}}}, False),
        ({"Principal": {"Service": "ec2.amazonaws.com"}}, False),
        ({"Principal": {"AWS": "*"}}, False),
        ({"Effect": "Deny"}, False),
        ({"Action": "sts:TagSession"}, False),
    ],
)
def test_a_role_must_trust_ecs_tasks(change: dict[str, Any], trusted: bool) -> None:
    """Only a statement that means ECS tasks of this account opens the role."""
    assert trusts_ecs({"Statement": [ECS | change]}, "000000000000") is trusted

"""Deployments of a service as ECS tells of them: under way, complete, given up and gone back on."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from fixtures.engine.execute import execute
from fixtures.wait import wait_for
from tests.integration.aws.fargate_world import CLUSTER, World, world

pytestmark = pytest.mark.req("R-0-fargate-deployments")

CHECK = {
    "command": ["CMD-SHELL", "test -e /tmp/well"],
    "interval": 5, "timeout": 2, "retries": 3, "startPeriod": 60,
}  # fmt: skip
WELL = "touch /tmp/well; exec sleep 600"
SOON = timedelta(seconds=40)


@pytest.fixture(scope="module")
def aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """One small AWS; each spec has its own service."""
    with world(tmp_path_factory.mktemp("deployments"), ("forced", "broken")) as made:
        yield made


def deployments(aws: World, service: str) -> list[dict[str, Any]]:
    """What ECS tells of a service's deployments, the primary one first."""
    described = aws.clients("ecs").describe_services(cluster=CLUSTER, services=[service])
    found: list[dict[str, Any]] = described["services"][0]["deployments"]
    return found


def complete(aws: World, service: str) -> str:
    """The id of the service's one deployment, once its rollout is complete."""
    found = wait_for(
        f"the rollout of {service}",
        lambda: deployments(aws, service),
        until=lambda seen: [item["rolloutState"] for item in seen] == ["COMPLETED"],
        timeout=SOON,
    )
    return str(found[0]["id"])


def force(aws: World, service: str) -> str:
    """Have every task replaced; returns the new deployment's id."""
    answer = aws.clients("ecs").update_service(cluster=CLUSTER, service=service, forceNewDeployment=True)
    return str(answer["service"]["deployments"][0]["id"])


def test_a_forced_deployment_is_complete_when_its_own_task_serves(aws: World) -> None:
    """The old task, which serves all along, does not count; both deployments are told until it has gone."""
    aws.service("forced", [aws.container("mx", "exec sleep 600", healthCheck=CHECK)])
    first = aws.task("forced", lambda task: task["lastStatus"] == "RUNNING")
    execute(aws.inside(first, "mx"), ["touch", "/tmp/well"]).check()
    former = complete(aws, "forced")
    primary = force(aws, "forced")
    wait_for(
        "both deployments to run a task",
        lambda: {item["id"]: item["runningCount"] for item in deployments(aws, "forced")},
        until=lambda seen: seen == {primary: 1, former: 1},
        timeout=SOON,
    )
    told = [(item["status"], item["rolloutState"]) for item in deployments(aws, "forced")]
    assert told == [("PRIMARY", "IN_PROGRESS"), ("ACTIVE", "COMPLETED")]
    second = aws.task("forced", lambda task: task["taskArn"] != first["taskArn"])
    execute(aws.inside(second, "mx"), ["touch", "/tmp/well"]).check()
    assert complete(aws, "forced") == primary


def test_a_failed_deployment_goes_back_to_the_task_that_serves(aws: World) -> None:
    """Of the same revision, too: ECS takes the last complete deployment up again, and its task stays."""
    secrets = aws.clients("secretsmanager")
    arn = secrets.create_secret(Name="key-for-broken", SecretString="tskey-example")["ARN"]
    container = aws.container("mx", WELL, healthCheck=CHECK, secrets=[{"name": "K", "valueFrom": arn}])
    breaker = {"deploymentCircuitBreaker": {"enable": True, "rollback": True}}
    aws.service("broken", [container], deployment=breaker)
    first = aws.task("broken", lambda task: task["healthStatus"] == "HEALTHY")
    former = complete(aws, "broken")
    secrets.delete_secret(SecretId=arn, ForceDeleteWithoutRecovery=True)
    primary = force(aws, "broken")
    assert primary != former
    assert complete(aws, "broken") == former
    assert [task["taskArn"] for task in aws.tasks("broken")] == [first["taskArn"]]
    assert len(aws.tasks("broken", "STOPPED")) == 3

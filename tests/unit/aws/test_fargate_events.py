"""Events on their way to a Lambda function: their shape, who may be invoked, and what the function may do."""

import json
import subprocess
import sys
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from fixtures.aws.fargate.delivery import Delivery
from fixtures.aws.fargate.events import state_change
from fixtures.aws.fargate.invocation import RUNTIME, InvocationError, trusts_lambda
from fixtures.aws.fargate.network import Interface
from fixtures.aws.fargate.record import Status, TaskRecord
from fixtures.aws.fargate.taskdef import ContainerPlan, TaskPlan
from fixtures.aws.iam import Decision
from fixtures.aws.session import AwsAccount

ACCOUNT, REGION = "000000000000", "ap-northeast-1"
CLUSTER = f"arn:aws:ecs:{REGION}:{ACCOUNT}:cluster/mx"
FUNCTION = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:updater"
RULE = f"arn:aws:events:{REGION}:{ACCOUNT}:rule/updater"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/updater"
TOPIC = f"arn:aws:sns:{REGION}:{ACCOUNT}:alerts"
STATEMENT = {
    "Sid": "x",
    "Effect": "Allow",
    "Principal": {"Service": "events.amazonaws.com"},
    "Action": "lambda:InvokeFunction",
    "Condition": {"ArnLike": {"AWS:SourceArn": RULE}},
}


def _record() -> TaskRecord:
    plan = TaskPlan("arn", "mx", 1, 256, 512, (ContainerPlan("a", "i"),))
    record = TaskRecord(plan, CLUSTER, "service:mx", "ecs-svc/1", status=Status.RUNNING)
    record.interface = Interface("eni-1", "subnet-1", "02:00:00:00:00:01", "10.0.1.9", "h", "p", ("sg-1",))
    return record


@pytest.mark.req("R-0-fargate-events")
def test_an_event_has_ecss_shape() -> None:
    """AWS's documented keys; times as text; the interface's id in an attachment of type eni."""
    event = state_change(_record(), REGION)
    assert set(event) == {
        "version", "id", "detail-type", "source", "account", "time", "region", "resources", "detail",
    }  # fmt: skip
    assert (event["source"], event["detail-type"]) == ("aws.ecs", "ECS Task State Change")
    assert (event["account"], event["region"]) == (ACCOUNT, REGION)
    detail = json.loads(json.dumps(event["detail"]))
    assert event["resources"] == [detail["taskArn"]]
    assert datetime.fromisoformat(detail["createdAt"]).tzinfo is not None
    [attachment] = detail["attachments"]
    assert attachment["type"] == "eni"
    assert {"name": "networkInterfaceId", "value": "eni-1"} in attachment["details"]
    assert (detail["lastStatus"], detail["desiredStatus"], detail["group"]) == (
        "RUNNING",
        "RUNNING",
        "service:mx",
    )


class Account:
    """EventBridge, Lambda and SNS with one rule and one function."""

    def __init__(self, *, matches: bool = True, statement: dict[str, Any] | None = None) -> None:
        self.matches = matches
        self.statement = STATEMENT if statement is None else statement
        self.state = "ENABLED"
        self.sent: list[Any] = []

    def __call__(self, _service: str) -> "Account":
        """The client of any service."""
        return self

    def list_rules(self) -> Any:
        """One rule."""
        return {"Rules": [{"Name": "updater", "Arn": RULE, "EventPattern": "{}", "State": self.state}]}

    def list_targets_by_rule(self, **_: Any) -> Any:
        """The function, and a topic beside it."""
        return {"Targets": [{"Arn": "arn:aws:sns:r:0:alerts"}, {"Arn": FUNCTION}]}

    def test_event_pattern(self, **_: Any) -> Any:
        """The emulator's verdict."""
        return {"Result": self.matches}

    def get_policy(self, **_: Any) -> Any:
        """The function's own policy."""
        return {"Policy": json.dumps({"Statement": [self.statement]})}

    def get_function_event_invoke_config(self, **_: Any) -> Any:
        """Two further attempts, and a topic."""
        return {"MaximumRetryAttempts": 2, "DestinationConfig": {"OnFailure": {"Destination": TOPIC}}}

    def get_function_configuration(self, **_: Any) -> Any:
        """Its role."""
        return {"Role": ROLE}

    def publish(self, **notice: Any) -> Any:
        """Keep it."""
        assert notice["TopicArn"] == TOPIC
        self.sent.append(json.loads(notice["Message"]))
        return {"MessageId": "1"}


def _deliver(account: Account, *, failing: int = 0, may: bool = True) -> tuple[int, list[str]]:
    """Deliver one event; how often the function was invoked, and what was noted."""
    invoked: list[str] = []
    notes: list[str] = []

    def invoke(name: str, _event: Any) -> Any:
        invoked.append(name)
        if len(invoked) <= failing:
            raise InvocationError("Task timed out after 3.00 seconds")
        return {"addresses": []}

    decision = Decision(may, "because")
    delivery = Delivery(
        account, lambda *_: decision, invoke, lambda event, **_: notes.append(event), timedelta(0)  # type: ignore[arg-type]
    )  # fmt: skip
    delivery.deliver(state_change(_record(), REGION))
    return len(invoked), notes


@pytest.mark.req("R-0-fargate-events")
def test_a_matching_rule_invokes_its_function() -> None:
    """Once, when all is well; not at all when the pattern does not match or the rule is off."""
    assert _deliver(Account()) == (1, ["function"])
    assert _deliver(Account(matches=False)) == (0, [])
    disabled = Account()
    disabled.state = "DISABLED"
    assert _deliver(disabled) == (0, [])


@pytest.mark.req("R-0-fargate-events")
@pytest.mark.parametrize(
    "change",
    [
        {"Effect": "Deny"},
        {"Principal": {"Service": "s3.amazonaws.com"}},
        {"Action": "lambda:GetFunction"},
        {"Condition": {"ArnLike": {"AWS:SourceArn": f"{RULE}-other"}}},
        {"Condition": {"StringEquals": {"AWS:SourceAccount": "1"}}},
    ],
)
def test_without_permission_it_is_not_invoked(change: dict[str, Any]) -> None:
    """The function's policy must name EventBridge and this rule; what is not understood is no permission."""
    assert _deliver(Account(statement=STATEMENT | change)) == (0, ["not-delivered"])


@pytest.mark.req("R-0-fargate-events")
def test_a_failure_is_tried_again_and_then_told() -> None:
    """As Lambda does with asynchronous invocations: twice more, then the failure's destination."""
    account = Account()
    assert _deliver(account, failing=2) == (3, ["function-failed", "function-failed", "function"])
    assert account.sent == []
    assert _deliver(account, failing=3) == (3, [*["function-failed"] * 3, "function-gave-up"])
    [kept] = account.sent
    assert kept["responsePayload"]["errorMessage"] == "Task timed out after 3.00 seconds"
    assert kept["requestPayload"]["detail"]["lastStatus"] == "RUNNING"
    forbidden = Account()
    assert _deliver(forbidden, failing=3, may=False)[1][-1] == "not-delivered"
    assert forbidden.sent == []


@pytest.mark.req("R-0-fargate-functions")
def test_lambda_must_be_trusted() -> None:
    """A role for tasks is none for functions."""

    def document(service: str) -> dict[str, Any]:
        principal = {"Service": service}
        return {"Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": principal}]}

    assert trusts_lambda(document("lambda.amazonaws.com"))
    assert not trusts_lambda(document("ecs-tasks.amazonaws.com"))


_FUNCTION = """
import socket
import urllib.request

import boto3


def handler(event, context):
    if event == "call":
        return boto3.client("route53").list_resource_record_sets(HostedZoneId="ZOTHER")
    if event == "unknown":
        return boto3.client("ec2").describe_vpcs()
    if event == "leave":
        return urllib.request.urlopen("https://api.cloudflare.com/").status
    return {"given": event}
"""


def _run(folder: Path, *events: str, policies: list[Any] | None = None) -> list[dict[str, Any]]:
    """Answers of a fresh execution environment."""
    (folder / "code.py").write_text(_FUNCTION)
    lines = [json.dumps({"event": event, "policies": policies or []}) for event in events]
    done = subprocess.run(
        [sys.executable, "-P", str(RUNTIME), str(folder), "code.handler", ROLE],
        env=AwsAccount("http://127.0.0.1:9", "http://127.0.0.1:9").cli_environment(),
        input="\n".join(lines) + "\n",
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.mark.req("R-0-fargate-functions")
def test_a_function_runs_by_its_roles_rights_and_stays_inside(tmp_path: Path) -> None:
    """Allowed calls go out to the emulator; others and other hosts are refused, in AWS's words."""
    zone = "arn:aws:route53:::hostedzone/ZONE"
    allow = {"Effect": "Allow", "Action": ["route53:*", "ec2:*"], "Resource": zone}
    policies = [{"Version": "2012-10-17", "Statement": [allow]}]
    fine, denied, unknown, outside = _run(tmp_path, "fine", "call", "unknown", "leave", policies=policies)
    assert fine == {"result": {"given": "fine"}}
    assert "is not authorized to perform: route53:ListResourceRecordSets on resource: " in denied["error"]
    assert denied["error"].startswith("ClientError: An error occurred (AccessDeniedException)")
    assert "ec2:DescribeVpcs: the simulator does not know" in unknown["error"]
    assert "sealed: api.cloudflare.com is not part of this run" in outside["error"]
    everything = [{"Version": "2012-10-17", "Statement": [allow | {"Resource": "*"}]}]
    [let_out] = _run(tmp_path, "call", policies=everything)
    assert let_out["error"].startswith("EndpointConnectionError")

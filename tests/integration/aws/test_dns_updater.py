"""The DNS updater as Terraform deployed it: its rule, its code, its rights, and what becomes of a failure."""

import json
from collections.abc import Iterator

import pytest

from fixtures.aws.fargate.events import state_change
from fixtures.aws.fargate.record import Status
from fixtures.aws.iam import role_may
from fixtures.aws.terraform import TerraformError
from tests.integration.aws.updater_world import FUNCTION, MX, UpdaterWorld, updater_world


@pytest.fixture(scope="module")
def applied(tmp_path_factory: pytest.TempPathFactory) -> Iterator[UpdaterWorld]:
    """The configuration, applied once."""
    with updater_world("updater-test", tmp_path_factory.mktemp("updater")) as made:
        yield made


@pytest.fixture
def aws(applied: UpdaterWorld) -> UpdaterWorld:
    """The same with nothing noted yet, and no task."""
    applied.notes.clear()
    for described in applied.clients("ecs").list_tasks(cluster="mailserver-cluster")["taskArns"]:
        applied.clients("ecs").stop_task(cluster="mailserver-cluster", task=described)
    return applied


@pytest.mark.req("R-2.2.1-updater", "R-2.2.1-stopped-removed")
def test_the_record_follows_the_tasks(aws: UpdaterWorld) -> None:
    """RUNNING puts the address in, the end takes it away again, and the other task's stays (F04)."""
    first, second = aws.task(), aws.task()
    assert first.interface
    assert second.interface
    addresses = [str(first.interface.public_ip), str(second.interface.public_ip)]
    aws.becomes(first, Status.RUNNING)
    assert aws.records() == [(60, addresses[:1])]
    aws.becomes(second, Status.RUNNING)
    assert aws.records() == [(60, sorted(addresses))]
    aws.becomes(first, Status.DEACTIVATING)
    assert aws.records() == [(60, addresses[1:])]
    aws.becomes(first, Status.STOPPED)
    aws.becomes(second, Status.STOPPED)
    assert aws.records() == []
    assert {note["event"] for note in aws.notes} == {"function"}
    assert len(aws.notes) == 5


@pytest.mark.req("R-2.2.1-updater-when")
@pytest.mark.parametrize(
    ("status", "group", "runs"),
    [
        ("PENDING", "service:mailserver-mx-service", False),
        ("ACTIVATING", "service:mailserver-mx-service", False),
        *((status, "service:mailserver-mx-service", True)
          for status in ("RUNNING", "DEACTIVATING", "STOPPING", "DEPROVISIONING", "STOPPED")),
        ("RUNNING", "service:other", False),
        ("RUNNING", "family:mailserver-mx-task", False),
    ],
)  # fmt: skip
def test_the_rule(aws: UpdaterWorld, status: str, group: str, runs: bool) -> None:
    """The service's own tasks, from RUNNING on: EventBridge's own judgement of the deployed pattern."""
    events = aws.clients("events")
    rule = events.describe_rule(Name=FUNCTION)
    [target] = events.list_targets_by_rule(Rule=FUNCTION)["Targets"]
    record = aws.task(group=group)
    record.status = Status[status]
    event = json.dumps(state_change(record, "ap-northeast-1"))
    assert events.test_event_pattern(EventPattern=rule["EventPattern"], Event=event)["Result"] is runs
    assert target["Arn"] == f"arn:aws:lambda:ap-northeast-1:000000000000:function:{FUNCTION}"


@pytest.mark.req("R-2.2.1-updater-when")
def test_without_its_permission_nothing_is_invoked(aws: UpdaterWorld) -> None:
    """EventBridge needs the function's own permission for this rule, which Terraform gave."""
    functions = aws.clients("lambda")
    [statement] = json.loads(functions.get_policy(FunctionName=FUNCTION)["Policy"])["Statement"]
    rule = aws.clients("events").describe_rule(Name=FUNCTION)["Arn"]
    assert statement["Condition"] == {"ArnLike": {"AWS:SourceArn": rule}}
    functions.remove_permission(FunctionName=FUNCTION, StatementId=statement["Sid"])
    try:
        aws.becomes(aws.task(), Status.RUNNING)
        assert [note["event"] for note in aws.notes] == ["not-delivered"]
    finally:
        functions.add_permission(
            FunctionName=FUNCTION,
            StatementId=statement["Sid"],
            Action=statement["Action"],
            Principal=statement["Principal"]["Service"],
            SourceArn=rule,
        )
    aws.becomes(aws.task(), Status.RUNNING)
    assert [note["event"] for note in aws.notes] == ["not-delivered", "function"]


ZONE, STRANGERS_ZONE = "arn:aws:route53:::hostedzone/{zone}", "arn:aws:route53:::hostedzone/ZSTRANGER"


def _change(name: str, kind: str) -> dict[str, tuple[str, ...]]:
    prefix = "route53:ChangeResourceRecordSets"
    return {f"{prefix}NormalizedRecordNames": (name,), f"{prefix}RecordTypes": (kind,)}


@pytest.mark.req("R-2.2.1-updater-rights")
@pytest.mark.parametrize(
    ("zone", "name", "kind", "may"),
    [
        (ZONE, MX, "A", True),
        (ZONE, MX, "CNAME", False),
        (ZONE, MX.split(".", 1)[1], "MX", False),
        (ZONE, f"www.{MX.split('.', 1)[1]}", "A", False),
        (STRANGERS_ZONE, MX, "A", False),
    ],
)
def test_one_record_in_one_zone(aws: UpdaterWorld, zone: str, name: str, kind: str, may: bool) -> None:
    """The function changes the MX host's A record, no other record and no other zone."""
    action, resource = "route53:ChangeResourceRecordSets", zone.format(zone=aws.zone)
    assert role_may(aws.clients, FUNCTION, action, resource, _change(name, kind)).allowed is may


@pytest.mark.req("R-2.2.1-updater-rights")
def test_no_secret_without_cloudflare(aws: UpdaterWorld) -> None:
    """With the zone at Route 53 there is no token, and the other secrets are none of its business."""
    assert aws.deployed.outputs.get("dns_token_secret_arn") is None
    key = aws.deployed.outputs["auth_key_secret_arn"]
    assert not role_may(aws.clients, FUNCTION, "secretsmanager:GetSecretValue", key)
    assert not role_may(aws.clients, FUNCTION, "ecs:StopTask", "*")


@pytest.mark.req("R-2.2.1-updater-failure", "R-2.2.1-updater-rights")
def test_a_failing_update_is_tried_again_and_told(aws: UpdaterWorld) -> None:
    """Without its right on the zone the function fails three times; the administrator's topic is told."""
    iam = aws.clients("iam")
    document = iam.get_role_policy(RoleName=FUNCTION, PolicyName=FUNCTION)["PolicyDocument"]
    less = [item for item in document["Statement"] if item["Sid"] != "ChangeAddress"]
    assert len(less) == len(document["Statement"]) - 1
    record = aws.task()
    try:
        iam.put_role_policy(
            RoleName=FUNCTION,
            PolicyName=FUNCTION,
            PolicyDocument=json.dumps({**document, "Statement": less}),
        )
        aws.becomes(record, Status.RUNNING)
    finally:
        iam.put_role_policy(RoleName=FUNCTION, PolicyName=FUNCTION, PolicyDocument=json.dumps(document))
    *failed, given_up = aws.notes
    assert [note["attempt"] for note in failed] == [1, 2, 3]
    assert "is not authorized to perform: route53:ChangeResourceRecordSets" in failed[-1]["message"]
    assert given_up["event"] == "function-gave-up"
    assert given_up["topic"] == aws.deployed.outputs["alerts_topic_arn"]
    aws.deliver(record)
    assert record.interface
    assert aws.records() == [(60, [str(record.interface.public_ip)])]


@pytest.mark.req("R-2.2.1-updater-packed")
def test_an_older_archive_is_refused(aws: UpdaterWorld) -> None:
    """Changed sources without a new archive: Terraform says what to run, and applies nothing."""
    source = aws.deployed.terraform.workdir / "dns_updater" / "updater.py"
    former = source.read_text(encoding="utf-8")
    source.write_text(former + "\n# changed\n", encoding="utf-8")
    try:
        with pytest.raises(TerraformError) as refused:
            aws.deployed.terraform.planned()
    finally:
        source.write_text(former, encoding="utf-8")
    assert "run infra/dns_updater/package" in " ".join(str(refused.value).split())

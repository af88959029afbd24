"""Alerts from AWS, as Terraform makes them, until they are mail in the administrator's mailbox."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest
from botocore.exceptions import ClientError

from fixtures.aws.fargate.events import bus_entry, state_change
from fixtures.aws.fargate.record import Status, TaskRecord
from fixtures.aws.fargate.taskdef import TaskPlan
from fixtures.aws.iam import Request, evaluate
from fixtures.aws.terraform import Terraform
from fixtures.site import load_site
from fixtures.wait import wait_for
from tests.integration.aws.emulated import ROOT, Deployed, emulated_account, variables
from tests.integration.aws.mail_sink import Sink, mail_sink
from tests.unit.infra.test_metric_filters import lines

ADMIN = load_site(ROOT / "site.toml").mail.admin
HOST = load_site(ROOT / "site.toml").mail.hostname
CLUSTER = "arn:aws:ecs:ap-northeast-1:000000000000:cluster/mailserver-cluster"
SERVICE = {"ClusterName": "mailserver-cluster", "ServiceName": "mailserver-mx-service"}
WATCHED = {
    "HomeServerSilent": ("Mailserver", "Heartbeat", {"Host": HOST}),
    "FargateTaskFailure": ("ECS/ContainerInsights", "RunningTaskCount", SERVICE),
}
"""The alarms that silence sets off, with what each listens to (F36, F37)."""

CRASHED = "a task of the mail gateway has stopped by itself"
HEALTH = "Task failed container health checks"


@pytest.fixture(scope="module")
def sink() -> Iterator[tuple[Sink, str]]:
    """The administrator's mail host."""
    with mail_sink() as made:
        yield made


@pytest.fixture(scope="module")
def deployed(sink: tuple[Sink, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployed]:
    """The configuration applied, with mail on its way to the sink."""
    with emulated_account("alerts-test", mail={"SNS_MAIL_ROUTE": sink[1]}) as account:
        terraform = Terraform.prepare(tmp_path_factory.mktemp("run"), account, variables())
        terraform.init()
        terraform.apply()
        yield Deployed(account, terraform, terraform.outputs())


@pytest.fixture
def mail(sink: tuple[Sink, str], deployed: Deployed) -> Iterator[Sink]:
    """The sink with nothing in it yet."""
    del deployed
    sink[0].messages.clear()
    yield sink[0]
    sink[0].closed = False


def stopped(deployed: Deployed, code: str, reason: str) -> str:
    """Put ECS's event of a stopped gateway task on the bus; returns the task's ARN."""
    plan = TaskPlan("arn:aws:ecs:ap-northeast-1:000000000000:task-definition/mx:1", "mx", 1, 256, 512, ())
    record = TaskRecord(plan, CLUSTER, "service:mailserver-mx-service", "ecs-svc/1")
    record.status, record.desired = Status.STOPPED, "STOPPED"
    record.stop_code, record.stopped_reason = code, reason
    entry = bus_entry(state_change(record, "ap-northeast-1"))
    assert deployed.client("events").put_events(Entries=[entry])["FailedEntryCount"] == 0
    return record.arn


@pytest.mark.req("R-8.4-crash-in-words", "R-0-sns-mail")
def test_a_crash_is_one_mail_in_words(deployed: Deployed, mail: Sink) -> None:
    """A task that its owner stopped is no news; one that failed is told once, and what to do."""
    asked = stopped(deployed, "UserInitiated", "Task stopped by user")
    crashed = stopped(deployed, "ServiceSchedulerInitiated", HEALTH)
    message = mail.wait_for(crashed)
    text = message.get_content()
    assert message["To"] == ADMIN
    assert message["From"] == "AWS Notifications <no-reply@sns.amazonaws.com>"
    assert CRASHED in text
    assert f"Reason: {HEALTH} (ServiceSchedulerInitiated)" in text
    assert "docs/runbook.md, From AWS" in text
    assert "{" not in text
    further = stopped(deployed, "EssentialContainerExited", "Essential container in task exited")
    mail.wait_for(further)
    assert (len(mail.about(crashed)), mail.about(asked)) == (1, [])


@pytest.mark.req("R-0-sns-mail")
def test_mail_is_tried_again_while_its_host_is_away(deployed: Deployed, mail: Sink) -> None:
    """An alert outlasts a mail host that puts it off."""
    mail.closed = True
    task = stopped(deployed, "EssentialContainerExited", "Essential container in task exited")
    wait_for("an attempt that is put off", lambda: mail.put_off, timeout=timedelta(seconds=30))
    assert mail.about(task) == []
    mail.closed = False
    mail.wait_for(task)


def quicken(deployed: Deployed, name: str) -> None:
    """Give a deployed alarm periods of ten seconds, and change nothing else of it."""
    cloudwatch = deployed.client("cloudwatch")
    [alarm] = cloudwatch.describe_alarms(AlarmNames=[name])["MetricAlarms"]
    kept = ("AlarmName", "AlarmDescription", "Namespace", "MetricName", "Dimensions", "Statistic",
            "ComparisonOperator", "Threshold", "EvaluationPeriods", "TreatMissingData",
            "AlarmActions", "OKActions")  # fmt: skip
    cloudwatch.put_metric_alarm(Period=10, **{key: alarm[key] for key in kept if key in alarm})


def report(deployed: Deployed, namespace: str, metric: str, dimensions: dict[str, str]) -> None:
    """One datum, of value 1."""
    named = [{"Name": name, "Value": value} for name, value in dimensions.items()]
    deployed.client("cloudwatch").put_metric_data(
        Namespace=namespace, MetricData=[{"MetricName": metric, "Dimensions": named, "Value": 1.0}]
    )


def become(deployed: Deployed, wanted: str, meanwhile: Callable[[], None]) -> None:
    """Return when all quickened alarms are in a state, with ``meanwhile`` done again and again until then."""

    def look() -> set[str]:
        meanwhile()
        found = deployed.client("cloudwatch").describe_alarms(AlarmNames=list(WATCHED))["MetricAlarms"]
        return {alarm["StateValue"] for alarm in found}

    wait_for(
        f"the alarms to be {wanted}",
        look,
        until=lambda found: found == {wanted},
        timeout=timedelta(seconds=150),
        interval=timedelta(seconds=3),
    )


@pytest.mark.req("R-8.4-silence-alarm", "R-8.2-liveness-alarm")
def test_silence_is_told_once_and_so_is_its_end(deployed: Deployed, mail: Sink) -> None:
    """Without its metric an alarm sends one mail, when it comes again one more; others count nothing."""

    def heard() -> None:
        for namespace, metric, dimensions in WATCHED.values():
            report(deployed, namespace, metric, dimensions)

    def others() -> None:
        for namespace, metric, dimensions in WATCHED.values():
            report(deployed, namespace, metric, dict.fromkeys(dimensions, "another"))

    for name in WATCHED:
        quicken(deployed, name)
    become(deployed, "OK", heard)
    for name in WATCHED:
        mail.wait_for(name, "OK state")
    mail.messages.clear()
    become(deployed, "ALARM", others)
    for name in WATCHED:
        message = mail.wait_for(name, "ALARM state")
        assert "What to do: docs/runbook.md, From AWS." in message.get_content()
    become(deployed, "OK", heard)
    for name in WATCHED:
        mail.wait_for(name, "OK state")
        assert [len(mail.about(name, f"{word} state")) for word in ("ALARM", "OK")] == [1, 1], name


def total(deployed: Deployed, metric: str) -> float | None:
    """A metric's sum over the last hour; None without any datum."""
    now = datetime.now(UTC)
    found = deployed.client("cloudwatch").get_metric_statistics(
        Namespace="MailserverGateway", MetricName=metric, Statistics=["Sum"], Period=3600,
        StartTime=now - timedelta(hours=1), EndTime=now + timedelta(minutes=1),
    )  # fmt: skip
    return sum(point["Sum"] for point in found["Datapoints"]) if found["Datapoints"] else None


def write(deployed: Deployed, group: str, messages: list[str]) -> None:
    """Put lines into a stream of a log group."""
    logs = deployed.client("logs")
    stream = f"stream-{len(logs.describe_log_streams(logGroupName=group)['logStreams'])}"
    logs.create_log_stream(logGroupName=group, logStreamName=stream)
    now = int(datetime.now(UTC).timestamp() * 1000)
    events = [{"timestamp": now, "message": message} for message in messages]
    logs.put_log_events(logGroupName=group, logStreamName=stream, logEvents=events)


@pytest.mark.req("R-8.1-metric-filters", "R-0-filter-patterns")
def test_the_gateways_lines_become_numbers(deployed: Deployed) -> None:
    """Each metric counts its lines; a quiet minute is a zero; another group's lines are not counted (F38)."""
    group = deployed.outputs["log_group"]
    write(deployed, "/aws/lambda/mailserver-dns-updater", lines()["MailAccepted"])
    assert [total(deployed, name) for name in lines() if name != "none"] == [None, None, None]
    write(deployed, group, lines()["none"])
    assert [total(deployed, name) for name in lines() if name != "none"] == [0.0, 0.0, 0.0]
    for name, found in lines().items():
        if name != "none":
            write(deployed, group, found)
            assert total(deployed, name) == len(found), name


@pytest.mark.req("R-0-filter-patterns")
def test_the_designs_patterns_are_refused(deployed: Deployed) -> None:
    """As AWS does (F38); a good one is taken."""
    put = partial(deployed.client("logs").put_metric_filter, logGroupName=deployed.outputs["log_group"])
    made = {"metricName": "M", "metricNamespace": "N", "metricValue": "1"}
    for pattern in ("[postfix] status=sent", "[postfix] status=deferred OR status=bounced"):
        with pytest.raises(ClientError, match="Invalid filter pattern"):
            put(filterName="design", filterPattern=pattern, metricTransformations=[made])
    put(filterName="good", filterPattern='"status=sent"', metricTransformations=[made])
    logs = deployed.client("logs")
    names = {found["filterName"] for found in logs.describe_metric_filters()["metricFilters"]}
    assert names == {"good", "MailAccepted", "MailPutOff", "TunnelFailed"}
    logs.delete_metric_filter(logGroupName=deployed.outputs["log_group"], filterName="good")


@pytest.mark.req("R-6.1.3-home-identity")
def test_the_home_server_may_do_its_three_things(deployed: Deployed) -> None:
    """Its secret and no other, this topic and no other, its namespace and no other; no key is made (F35)."""
    iam, outputs = deployed.client("iam"), deployed.outputs
    user, arn = outputs["home_server_user"], outputs["home_server_policy_arn"]
    attached = iam.list_attached_user_policies(UserName=user)["AttachedPolicies"]
    assert [policy["PolicyArn"] for policy in attached] == [arn]
    assert iam.list_user_policies(UserName=user)["PolicyNames"] == []
    assert iam.list_access_keys(UserName=user)["AccessKeyMetadata"] == []
    version = iam.get_policy(PolicyArn=arn)["Policy"]["DefaultVersionId"]
    document = iam.get_policy_version(PolicyArn=arn, VersionId=version)["PolicyVersion"]["Document"]

    def may(action: str, resource: str, **context: str) -> bool:
        named = {key.replace("_", ":"): value for key, value in context.items()}
        return evaluate([document], Request(action, resource, named)).allowed

    topic = outputs["alerts_topic_arn"]
    assert may("secretsmanager:GetSecretValue", outputs["sendgrid_secret_arn"])
    assert not may("secretsmanager:GetSecretValue", outputs["auth_key_secret_arn"])
    assert not may("secretsmanager:PutSecretValue", outputs["sendgrid_secret_arn"])
    assert may("sns:Publish", topic)
    assert not may("sns:Publish", f"{topic}-other")
    assert not may("sns:Subscribe", topic)
    assert may("cloudwatch:PutMetricData", "*", cloudwatch_namespace="Mailserver")
    assert not may("cloudwatch:PutMetricData", "*", cloudwatch_namespace="MailserverGateway")
    assert not may("cloudwatch:PutMetricData", "*")

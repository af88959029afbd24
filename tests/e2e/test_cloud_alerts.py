"""Alerts that AWS sends: in the administrator's mailbox elsewhere, by a way past every part of the system."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage

import pytest

from fixtures.targets.sim import Sim
from fixtures.wait import wait_for

CRASHED = "a task of the mail gateway has stopped by itself"
TWIN = "HomeServerSilent-soon"
NAMESPACE, METRIC = "Mailserver", "Heartbeat"

Told = Callable[..., list[EmailMessage]]


@pytest.fixture
def told(world: Sim) -> Told:
    """The administrator's messages with all the given words in subject or text."""

    def act(*words: str) -> list[EmailMessage]:
        found = []
        for raw in world.receiver.inbox(world.site.mail.admin):
            message = message_from_bytes(raw, policy=policy.default)
            assert isinstance(message, EmailMessage)
            body = message.get_body(("plain",))
            text = f"{message['Subject']}\n{body.get_content() if body else ''}"
            if all(word in text for word in words):
                found.append(message)
        return found

    return act


def wait_until_told(told: Told, *words: str, seconds: int = 60) -> EmailMessage:
    """The first of these messages, once it is there."""
    found = wait_for(
        f"an alert about {' '.join(words)}", lambda: told(*words), timeout=timedelta(seconds=seconds)
    )
    return found[0]


def by_aws_alone(world: Sim, message: EmailMessage) -> bool:
    """Whether the message came straight from AWS: one hop, and none of the site's hosts or SendGrid's."""
    hops = message.get_all("Received", [])
    assert len(hops) == 1
    names = (world.site.mail.hostname, world.site.mail.mx_hostname, world.server, "sendgrid")
    return "amazonses.com" in hops[0] and not any(name in str(message) for name in names)


@pytest.mark.req("R-8.4-task-stopped", "R-8.2-alarm-end-to-end")
def test_a_crashed_task_is_told_once(world: Sim, told: Told) -> None:
    """A killed task: ECS's event, the rule, the topic, one mail that says what to do (F36, F41)."""
    old = world.gateway.healthy()
    world.gateway.container("tunnel", old).kill()
    alert = wait_until_told(told, old.arn)
    text = alert.get_content()
    assert CRASHED in text
    assert "Essential container in task exited (EssentialContainerExited)" in text
    assert "docs/runbook.md, From AWS" in text
    assert by_aws_alone(world, alert)
    new = world.gateway.healthy(timedelta(seconds=150), other_than=old.arn)
    assert len(told(old.arn)) == 1
    assert told(new.arn) == []


@pytest.fixture
def expired_key(world: Sim) -> Iterator[None]:
    """An expired auth key in the secret; the former one lies there again afterwards, and a task has it."""
    secrets, arn = world.aws.client("secretsmanager"), world.state.outputs["auth_key_secret_arn"]
    former = secrets.get_secret_value(SecretId=arn)["SecretString"]
    tags = ["tag:fargate-mx"]
    key = world.controlplane.create_key(tags=tags, reusable=True, ephemeral=True, lifetime=timedelta(0))
    secrets.put_secret_value(SecretId=arn, SecretString=key)
    try:
        yield
    finally:
        secrets.put_secret_value(SecretId=arn, SecretString=former)
        world.gateway.healthy(timedelta(seconds=150))


@pytest.mark.req("R-2.5.4-expired-key-alarm")
@pytest.mark.usefixtures("expired_key")
def test_a_gateway_that_cannot_join_is_told(world: Sim, told: Told) -> None:
    """The first task after the key's end does not get into the tailnet: an alert about that task (F28)."""
    old = world.gateway.healthy()
    before = len(told(CRASHED))
    world.gateway.container("tunnel", old).kill()
    wait_until_told(told, old.arn)

    def others() -> list[EmailMessage]:
        return [alert for alert in told(CRASHED) if old.id not in alert.get_content()]

    [*_, alert] = wait_for(
        "an alert about a task that could not join",
        others,
        until=lambda found: len(found) > before,
        timeout=timedelta(seconds=90),
    )
    assert "EssentialContainerExited" in alert.get_content()


@pytest.fixture
def soon(world: Sim) -> Iterator[str]:
    """The deployed alarm about the home server's silence once more, with periods of ten seconds; its host."""
    cloudwatch = world.aws.client("cloudwatch")
    [alarm] = cloudwatch.describe_alarms(AlarmNames=["HomeServerSilent"])["MetricAlarms"]
    kept = ("AlarmDescription", "Namespace", "MetricName", "Dimensions", "Statistic", "ComparisonOperator",
            "Threshold", "EvaluationPeriods", "TreatMissingData", "AlarmActions", "OKActions")  # fmt: skip
    cloudwatch.put_metric_alarm(AlarmName=TWIN, Period=10, **{key: alarm[key] for key in kept})
    yield str(alarm["Dimensions"][0]["Value"])
    cloudwatch.delete_alarms(AlarmNames=[TWIN])


@pytest.mark.req("R-8.4-silence-alarm", "R-8.4-dead-man")
def test_the_home_servers_silence_is_told(world: Sim, told: Told, soon: str) -> None:
    """Heartbeats, then none: an alert without the server's or SendGrid's help, and one at its end (F41)."""
    assert soon == world.site.mail.hostname
    cloudwatch = world.aws.client("cloudwatch")
    datum = {"MetricName": METRIC, "Dimensions": [{"Name": "Host", "Value": soon}], "Value": 1.0}

    def become(wanted: str, *, heard: bool) -> None:
        def look() -> str:
            if heard:
                cloudwatch.put_metric_data(Namespace=NAMESPACE, MetricData=[datum])
            [alarm] = cloudwatch.describe_alarms(AlarmNames=[TWIN])["MetricAlarms"]
            return str(alarm["StateValue"])

        wait_for(
            f"the alarm to be {wanted}",
            look,
            until=lambda found: found == wanted,
            timeout=timedelta(seconds=150),
            interval=timedelta(seconds=3),
        )

    become("OK", heard=True)
    before = len(told(TWIN, "ALARM state"))
    become("ALARM", heard=False)
    wait_for("the alert", lambda: len(told(TWIN, "ALARM state")) > before, timeout=timedelta(seconds=60))
    alert = told(TWIN, "ALARM state")[-1]
    assert by_aws_alone(world, alert)
    ends = len(told(TWIN, "OK state"))
    become("OK", heard=True)
    wait_for("its end", lambda: len(told(TWIN, "OK state")) > ends, timeout=timedelta(seconds=60))
    assert len(told(TWIN, "ALARM state")) == before + 1

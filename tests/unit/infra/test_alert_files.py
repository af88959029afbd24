"""Alerts in Terraform, read as an owner would: who may send them, when they come, and what they say."""

import json
import re

import pytest

from fixtures.world.images import ROOT
from tests.unit.infra.hcl import Block, document, everything, resources

TOPIC = "[aws_sns_topic.alerts.arn]"


def alarms() -> dict[str, dict[str, str]]:
    """The attributes of each alarm by its Terraform name."""
    return {name: block.attributes for name, block in resources("aws_cloudwatch_metric_alarm").items()}


def sender(service: str) -> Block:
    """The statement of the topic's policy for a service."""
    [found] = [
        statement
        for statement in document("alerts")
        if service in statement.inner("principals")[0].attributes["identifiers"]
    ]
    return found


def words() -> list[str]:
    """The lines of the notice about a crashed task, without the quotes that EventBridge wants."""
    [transformer] = resources("aws_cloudwatch_event_target")["task_crashed"].inner("input_transformer")
    written = re.findall(r'"((?:\\.|[^"\\])*)"', transformer.attributes["input_template"])
    [line_end, *lines] = [json.loads(f'"{text}"') for text in written]
    assert line_end == "\n"
    return [json.loads(line) for line in lines]


@pytest.mark.req("R-8.4-senders-get-through")
@pytest.mark.parametrize("service", ["cloudwatch.amazonaws.com", "events.amazonaws.com"])
def test_alarms_and_events_may_publish(service: str) -> None:
    """A statement each: publishing alone, to this topic."""
    statement = sender(service)
    assert json.loads(statement.attributes["actions"]) == ["sns:Publish"]
    assert statement.attributes["resources"] == TOPIC
    assert statement.inner("principals")[0].attributes == {
        "type": '"Service"',
        "identifiers": f'["{service}"]',
    }


@pytest.mark.req("R-8.4-senders-get-through")
def test_no_condition_keeps_events_out() -> None:
    """EventBridge knows none in a topic's policy: its events would be lost. An alarm's account counts."""
    assert sender("events.amazonaws.com").inner("condition") == []
    [condition] = sender("cloudwatch.amazonaws.com").inner("condition")
    assert condition.attributes["values"] == "[var.account_id]"


@pytest.mark.req("R-8.4-senders-get-through")
def test_no_key_keeps_them_out() -> None:
    """Under AWS's own key for SNS neither could publish."""
    assert resources("aws_sns_topic")["alerts"].attributes == {"name": '"mailserver-alerts"'}


@pytest.mark.req("R-8.4-silence-alarm")
def test_the_home_servers_silence_is_an_alarm() -> None:
    """Its heartbeat comes every five minutes; three of them without any breach (F37, F41)."""
    alarm = alarms()["home_server"]
    [namespace] = [
        b.attributes["home_namespace"]
        for b in everything().inner("locals")
        if "home_namespace" in b.attributes
    ]
    assert (namespace, alarm["namespace"]) == ('"Mailserver"', "local.home_namespace")
    assert (alarm["metric_name"], alarm["dimensions"]) == ('"Heartbeat"', "{ Host = var.mail_hostname }")
    assert (alarm["statistic"], alarm["comparison_operator"]) == ('"SampleCount"', '"LessThanThreshold"')
    assert (alarm["threshold"], alarm["treat_missing_data"]) == ("1", '"breaching"')
    assert (alarm["period"], alarm["evaluation_periods"]) == ("300", "3")


@pytest.mark.req("R-8.4-alarms-told")
def test_every_alarm_is_told_and_so_is_its_end() -> None:
    """Each to the topic, when it begins and when it ends, with words that lead to the runbook."""
    assert set(alarms()) == {"tasks", "load", "home_server"}
    for name, alarm in alarms().items():
        assert (alarm["alarm_actions"], alarm["ok_actions"]) == (TOPIC, TOPIC), name
        assert "What to do: docs/runbook.md, From AWS." in alarm["alarm_description"], name
    assert "\n#### From AWS\n" in (ROOT / "docs/runbook.md").read_text(encoding="utf-8")


@pytest.mark.req("R-8.4-crash-in-words")
def test_a_crash_is_told_in_words() -> None:
    """What, why, which task and when, and what to do: no JSON, and no blank that the event does not fill."""
    [transformer] = resources("aws_cloudwatch_event_target")["task_crashed"].inner("input_transformer")
    paths = dict(re.findall(r'(\w+) = "([^"]+)"', transformer.attributes["input_paths"]))
    assert paths == {
        "code": "$.detail.stopCode",
        "reason": "$.detail.stoppedReason",
        "task": "$.detail.taskArn",
        "time": "$.time",
    }
    text = "\n".join(words())
    assert set(re.findall(r"<(\w+)>", text)) == set(paths)
    assert "a task of the mail gateway has stopped by itself" in text
    assert "docs/runbook.md, From AWS" in text


@pytest.mark.req("R-6.1.3-home-identity")
def test_the_home_server_may_three_things() -> None:
    """Its SendGrid key, alerts to this topic, metrics of its own namespace: and nothing else (F35)."""
    may = {
        statement.attributes["sid"]: (
            json.loads(statement.attributes["actions"]),
            statement.attributes["resources"],
        )
        for statement in document("home_server")
    }
    assert may == {
        '"ReadSendGridKey"': (
            ["secretsmanager:GetSecretValue"],
            "[aws_secretsmanager_secret.sendgrid_api_key.arn]",
        ),
        '"Alert"': (["sns:Publish"], TOPIC),
        '"Heartbeat"': (["cloudwatch:PutMetricData"], '["*"]'),
    }
    [condition] = [c for statement in document("home_server") for c in statement.inner("condition")]
    assert condition.attributes == {
        "test": '"StringEquals"',
        "variable": '"cloudwatch:namespace"',
        "values": "[local.home_namespace]",
    }


@pytest.mark.req("R-6.1.3-home-identity")
def test_its_key_is_made_outside() -> None:
    """A user with that policy alone; an access key made here would stand in the state."""
    assert set(resources("aws_iam_user")) == {"home_server"}
    attached = [block.attributes for block in resources("aws_iam_user_policy_attachment").values()]
    assert attached == [
        {"user": "aws_iam_user.home_server.name", "policy_arn": "aws_iam_policy.home_server.arn"}
    ]
    kinds = {block.labels[0] for block in everything().inner("resource")}
    assert {kind for kind in kinds if kind.startswith("aws_iam_user")} == {
        "aws_iam_user",
        "aws_iam_user_policy_attachment",
    }
    assert "aws_iam_access_key" not in kinds

"""The emulated SNS writes mail as SNS does: alarms in words, everything else as it was published."""

import json

import pytest

from fixtures.aws.emulators.localstack.corrections.mail import compose, in_words

pytestmark = pytest.mark.req("R-0-sns-mail")

ALARM = {
    "AlarmName": "HomeServerSilent",
    "AlarmDescription": "Nothing was heard.",
    "NewStateValue": "ALARM",
    "OldStateValue": "OK",
    "NewStateReason": "Threshold Crossed",
    "StateChangeTime": "2026-01-01T00:00:00.000+0000",
}


def test_an_alarm_is_put_into_words() -> None:
    """Name, state, reason and description, instead of JSON."""
    text = in_words(json.dumps(ALARM))
    assert 'Alarm "HomeServerSilent" has entered the ALARM state, because "Threshold Crossed"' in text
    assert "- Description: Nothing was heard." in text
    assert "{" not in text


@pytest.mark.parametrize("text", ["plain words", '"quoted"', "[1]", "12", '{"a": 1}', '{"AlarmName": "x"}'])
def test_all_else_stays_as_it_is(text: str) -> None:
    """Also JSON that is no alarm's."""
    assert in_words(text) == text


def test_the_message_is_from_aws_and_bears_the_publishers_subject() -> None:
    """Or SNS's own; the topic stands at its end."""
    topic = "arn:aws:sns:ap-northeast-1:000000000000:mailserver-alerts"
    message = compose("admin@example.net", None, "something", topic)
    assert message["Subject"] == "AWS Notification Message"
    assert message["From"] == "AWS Notifications <no-reply@sns.amazonaws.com>"
    assert message.get_content().startswith("something\n")
    assert topic in message.get_content()
    assert compose("a@example.net", "ALARM", "x", topic)["Subject"] == "ALARM"

"""The Dell's scripts meet SNS and CloudWatch: calls by curl against the emulated account (8.4, F41)."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from fixtures.aws.session import ACCESS_KEY, SECRET_KEY, AwsAccount
from fixtures.aws.subscriber import subscriber
from fixtures.engine.containers import get
from fixtures.wait import wait_for
from tests.integration.aws.emulated import emulated_account
from tests.unit.compose.monitored import Monitored


@pytest.fixture(scope="module")
def account() -> Iterator[AwsAccount]:
    """An account of its own."""
    with emulated_account("dell-alerts", "localstack") as emulated:
        yield emulated


@pytest.fixture
def topic(account: AwsAccount) -> str:
    """The alerts' topic."""
    return str(account.client("sns").create_topic(Name="mailserver-alerts")["TopicArn"])


@pytest.fixture
def server(tmp_path: Path, account: AwsAccount, topic: str) -> Monitored:
    """A healthy server of today whose curl is the machine's, with an identity at that account."""
    made = Monitored(tmp_path)
    (tmp_path / "bin/curl").unlink()
    made.now = int(datetime.now(UTC).timestamp())
    made.certificate(80)
    made.env(ALERT_SNS_TOPIC_ARN=topic, AWS_ENDPOINT_URL=account.localstack_url)
    (tmp_path / "credentials").write_text(
        f"[default]\naws_access_key_id={ACCESS_KEY}\naws_secret_access_key={SECRET_KEY}\n"
    )
    return made


@pytest.mark.req("R-8.4-two-ways")
def test_the_topics_subscriber_gets_the_alert_word_for_word(
    account: AwsAccount, topic: str, server: Monitored
) -> None:
    """What forms, quoted strings and shells have a meaning for arrives as written; no mail goes."""
    words = "50 % & more = +1 \"quoted\" 'twice' \\ $(id)\n\nü at the end\n"
    with subscriber(account, get("dell-alerts-localstack"), topic) as heard:
        done = server.run("alert.sh", 'it says "no" & stops', said=words)
        assert done.returncode == 0, done
        assert heard.wait_for("it says") == words
        assert heard.subjects() == ['[mail.one.example.org] it says "no" & stops']
    assert server.mails() == []


@pytest.mark.req("R-8.4-heartbeat")
def test_cloudwatch_counts_the_heartbeats(account: AwsAccount, server: Monitored) -> None:
    """Three looks in five minutes are one, the next one is another, under this host's name."""
    cloudwatch = account.client("cloudwatch")

    def beats() -> float:
        now = datetime.now(UTC)
        shown = cloudwatch.get_metric_statistics(
            Namespace="Mailserver", MetricName="Heartbeat", Period=3600, Statistics=["Sum"],
            Dimensions=[{"Name": "Host", "Value": "mail.one.example.org"}],
            StartTime=now - timedelta(hours=2), EndTime=now + timedelta(hours=1),
        )  # fmt: skip
        return float(sum(point["Sum"] for point in shown["Datapoints"]))

    assert server.look(3, 60) == []
    wait_for("the first", beats, until=lambda seen: seen == 1, timeout=timedelta(seconds=10))
    assert server.look(1, 300) == []
    wait_for("the second", beats, until=lambda seen: seen == 2, timeout=timedelta(seconds=10))

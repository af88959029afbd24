"""alert.sh: by the topic at AWS or by mail, one of them; what neither takes is kept (8.4, F41)."""

import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.unit.compose.monitored import ACCESS, SECRET, TOPIC, Monitored

WORDS = "Something happened.\n"


@pytest.fixture
def server(tmp_path: Path) -> Monitored:
    """A healthy server."""
    return Monitored(tmp_path)


def _ways(server: Monitored) -> tuple[int, int, int]:
    """How many went by the topic, by mail, and are kept."""
    return len(server.calls_of_aws()), len(server.mails()), len(server.kept())


@pytest.mark.req("R-8.4-two-ways")
def test_the_topic_goes_before_the_mail(server: Monitored) -> None:
    """A signed call in the topic's region, and no mail as well: the administrator has subscribed to it."""
    server.at_aws()
    done = server.run("alert.sh", "something is wrong", said=WORDS)
    assert (done.returncode, done.stdout) == (0, "told the alerts' topic: something is wrong\n"), done
    assert _ways(server) == (1, 0, 0)
    [asked] = server.calls_of_aws()
    assert 'url = "https://sns.ap-northeast-1.amazonaws.com/"' in asked
    assert 'aws-sigv4 = "aws:amz:ap-northeast-1:sns"' in asked
    assert f'"TopicArn={TOPIC}"' in asked
    assert '"Subject=[mail.one.example.org] something is wrong"' in asked
    assert server.file("published").read_text() == WORDS


@pytest.mark.req("R-8.4-two-ways", "R-6.1.1-secret-input")
def test_no_command_line_has_the_credentials(server: Monitored) -> None:
    """They go to curl by its standard input; the profile of this host, not its neighbour in the file."""
    server.at_aws()
    assert server.run("alert.sh", "something is wrong", said=WORDS).returncode == 0
    assert f'user = "{ACCESS}:{SECRET}"' in server.calls_of_aws()[0]
    assert [call for call in server.site.calls() if SECRET in call or ACCESS in call] == []
    assert [call for call in server.site.calls() if call.startswith("curl ")] == [
        "curl --silent --show-error --fail --max-time 20 --config -"
    ]


@pytest.mark.req("R-8.4-two-ways")
def test_without_aws_it_goes_by_mail(server: Monitored) -> None:
    """AWS does not answer, there are no credentials, or no topic: each time one mail."""
    server.at_aws()
    server.file("noaws").touch()
    done = server.run("alert.sh", "the first", said=WORDS)
    assert (done.returncode, _ways(server)) == (0, (0, 1, 0)), done
    server.file("noaws").unlink()
    (server.site.root / "credentials").unlink()
    done = server.run("alert.sh", "the second", said=WORDS)
    assert (done.returncode, _ways(server)) == (0, (0, 2, 0)), done
    assert "no usable credentials" in done.stderr
    server.env(ALERT_SNS_TOPIC_ARN="mailserver-alerts")
    assert "is no topic's ARN" in server.run("alert.sh", "the third", said=WORDS).stderr
    assert [mail.subject.split()[-1] for mail in server.mails()] == ["first", "second", "third"]


@pytest.mark.req("R-8.4-two-ways")
def test_the_topic_works_while_the_mail_is_what_broke(server: Monitored) -> None:
    """Postfix is gone, and its alert arrives all the same (F41); without the topic it would be kept."""
    server.file("refuse").touch()
    server.containers(postfix="exited unhealthy")
    server.now += 60
    server.run()
    server.now += 60
    assert server.run().returncode == 1
    assert _ways(server) == (0, 0, 1)
    server.at_aws()
    server.now += 60
    assert server.run().returncode == 0
    assert len(server.kept()) == 0
    assert "mailserver-postfix is not well" in server.calls_of_aws()[0]
    assert "It is exited." in server.file("published").read_text()


@pytest.mark.req("R-8.4-two-ways")
def test_what_neither_takes_is_kept_and_told_later_once(server: Monitored) -> None:
    """Status 1 and the file says so; with the next run of the monitor it goes, with its own words."""
    server.file("refuse").touch()
    done = server.run("alert.sh", "something is wrong", said=WORDS)
    assert (done.returncode, _ways(server)) == (1, (0, 0, 1))
    assert "kept in" in done.stderr
    assert stat.S_IMODE(server.kept()[0].stat().st_mode) == 0o600
    assert stat.S_IMODE((server.site.root / "state/alerts").stat().st_mode) == 0o700
    server.now += 60
    assert server.run().returncode == 1
    server.file("refuse").unlink()
    [told] = server.look(2)
    assert (told.subject, told.text) == ("[mail.one.example.org] something is wrong", WORDS)
    assert server.kept() == []


@pytest.mark.req("R-8.4-two-ways")
def test_many_at_once_are_all_told_once(server: Monitored) -> None:
    """Units that fail in the same second: none is lost and none is doubled, and nothing of theirs stays."""
    server.run("alert.sh", "the first", said=WORDS)
    with ThreadPoolExecutor(6) as several:
        done = list(several.map(lambda n: server.run("alert.sh", f"number {n}", said=WORDS), range(6)))
    assert [run.returncode for run in done] == [0] * 6
    told = sorted(mail.subject.rpartition("] ")[2] for mail in server.mails())
    assert told == [*(f"number {n}" for n in range(6)), "the first"]
    assert [path.name for path in (server.site.root / "state/alerts").iterdir()] == [".lock"]


@pytest.mark.req("R-8.4-two-ways")
def test_a_subject_holds_no_second_header(server: Monitored) -> None:
    """Nor does the administrator's address; nothing is sent to anybody else."""
    for subject in ("two\nBcc: everybody@example.net", "two\rBcc: everybody@example.net", "\x1b[2J", ""):
        assert server.run("alert.sh", subject, said=WORDS).returncode == 2
    assert _ways(server) == (0, 0, 0)
    for address in ("a@example.net, b@example.net", "a@example.net> <b@example.net", "-oQ/tmp", ""):
        server.env(ADMIN_EMAIL=address)
        assert server.run("alert.sh", "something", said=WORDS).returncode == 1, address
    assert server.mails() == []
    server.env(ADMIN_EMAIL="admin@example.net")
    assert server.run("alert.sh", "--retry").returncode == 0
    assert _ways(server) == (0, 4, 0)


@pytest.mark.req("R-8.4-two-ways")
def test_a_text_is_as_long_as_it_may_be(server: Monitored) -> None:
    """SNS takes 256 KiB of text and 100 ASCII characters of subject: an unending log is cut, not lost."""
    server.at_aws()
    done = server.run("alert.sh", "ü" + "x" * 200, said="y" * 600_000)
    assert done.returncode == 0, done
    assert server.file("published").stat().st_size == 100_000
    [line] = [line for line in server.calls_of_aws()[0].splitlines() if "Subject=" in line]
    subject = line.partition("Subject=")[2].rstrip('"')
    assert (len(subject), subject.isascii()) == (100, True)


@pytest.mark.req("R-8.4-heartbeat")
def test_the_heart_beats_every_five_minutes(server: Monitored) -> None:
    """One number for this host in the namespace that the alarm watches; nothing without a topic."""
    server.look(2)
    assert server.calls_of_aws() == []
    server.at_aws()
    assert server.look(11) == []
    beats = server.calls_of_aws()
    assert len(beats) == 3
    for part in (
        "https://monitoring.ap-northeast-1.amazonaws.com/", "aws:amz:ap-northeast-1:monitoring",
        '"Action=PutMetricData"', '"Namespace=Mailserver"', '"MetricData.member.1.MetricName=Heartbeat"',
        '"MetricData.member.1.Value=1"', '"MetricData.member.1.Dimensions.member.1.Name=Host"',
        '"MetricData.member.1.Dimensions.member.1.Value=mail.one.example.org"',
    ):  # fmt: skip
        assert part in beats[0], part


@pytest.mark.req("R-8.4-heartbeat")
def test_the_heart_stops_while_an_alert_cannot_be_told(server: Monitored) -> None:
    """So that the alarm for its absence speaks instead; a beat that is not taken is tried every minute."""
    server.at_aws()
    server.look()
    assert len(server.calls_of_aws()) == 1
    server.file("refuse").touch()
    server.file("nopublish").touch()
    server.disk("system", 95)
    server.now += 600
    assert server.run().returncode == 1
    assert len(server.calls_of_aws()) == 1
    server.file("noaws").touch()
    server.file("nopublish").unlink()
    server.now += 60
    assert server.run().returncode == 1
    assert len(server.calls_of_aws()) == 1
    server.file("noaws").unlink()
    server.now += 60
    assert server.run().returncode == 0
    assert ["PutMetricData" in call for call in server.calls_of_aws()] == [True, False, True]

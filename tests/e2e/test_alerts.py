"""The Dell's alerts: each event is made to happen, and reaches the administrator once (design 8.4)."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta

import pytest

from fixtures.authority import Authority
from fixtures.aws.session import ACCESS_KEY, SECRET_KEY
from fixtures.aws.subscriber import subscriber
from fixtures.dell.layout import TARGET
from fixtures.engine.containers import get
from fixtures.internet.sendgrid.spec import new_api_key
from fixtures.mail.message import make, spam, virus
from fixtures.targets.sim import Sim
from fixtures.wait import wait_for
from fixtures.world.state import RUN_DIR
from tests.e2e.alerted import SERVICE, TIMER, Administrator, looking_by_hand, settings
from tests.e2e.conftest import STRANGER, Arrive
from tests.e2e.home_line import AWS_AT_HOME

CREDENTIALS = "/root/.aws/credentials"
MAIL_FOLDER = f"{TARGET}/data/mail"
CERTIFICATE = f"{TARGET}/data/certs/mailserver.crt"


@pytest.fixture
def admin(world: Sim) -> Iterator[Administrator]:
    """The administrator, who has the monitor look when the spec says so."""
    with looking_by_hand(world):
        yield Administrator(world)


def health(world: Sim, container: str) -> str:
    """A container's health, as Docker sees it."""
    argv = ["docker", "inspect", "--format", "{{.State.Status}} {{.State.Health.Status}}", container]
    return world.dell.run(argv).stdout.strip()


def wait_for_health(world: Sim, container: str, wanted: str) -> None:
    """Return when it is so."""
    wait_for(
        f"{container} is {wanted}",
        lambda: health(world, container),
        until=lambda seen: seen == wanted,
        timeout=timedelta(seconds=120),
    )


@pytest.mark.req("R-8.4-disk", "R-8.4-recovery-notice")
def test_a_full_disk_is_told_once_and_its_end(world: Sim, admin: Administrator) -> None:
    """A small disk over the mail's folder, half full, then at 94 %; the services keep the one they have."""
    words = "the disk with the mail is nearly full"
    world.dell.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", MAIL_FOLDER])
    try:
        world.dell.run(["dd", "if=/dev/zero", f"of={MAIL_FOLDER}/half", "bs=1k", "count=500", "status=none"])
        admin.look(2)
        world.dell.run(["dd", "if=/dev/zero", f"of={MAIL_FOLDER}/more", "bs=1k", "count=460", "status=none"])
        admin.look(3)
        text = admin.wait_for_mail(words)
        assert f"{MAIL_FOLDER} is 94 % full" in text
        assert f"du -xh -d 2 {MAIL_FOLDER}" in text
    finally:
        world.dell.run(["umount", MAIL_FOLDER])
    admin.look(2)
    admin.wait_for_mail(f"over: {words}")
    assert len(admin.mails(words)) == 2


@pytest.mark.req("R-8.4-certificate-days")
def test_a_certificate_that_runs_out_is_told_once_and_its_end(world: Sim, admin: Administrator) -> None:
    """Twenty days are left and nobody has renewed it; then one of the coordinator's, good for long."""
    present = world.dell.run(["cat", CERTIFICATE]).stdout.encode()
    admin.look(2)
    old = Authority.load(RUN_DIR / "ca").issue(world.server, days=20)
    world.dell.put(CERTIFICATE, old.certificate)
    try:
        admin.look(3)
        text = admin.wait_for_mail("the certificate is good for")
        # Full days: the first second still has twenty.
        assert any(f"is good for {days} days more" in text for days in (19, 20)), text
        assert f"{TARGET}/scripts/renew-certificate.sh" in text
    finally:
        world.dell.put(CERTIFICATE, present)
    admin.look(2)
    admin.wait_for_mail("over: the certificate runs out")
    assert len(admin.mails("certificate")) == 2


@pytest.mark.req("R-8.4-virus")
def test_a_virus_is_told_at_once(world: Sim, admin: Administrator, arrive: Arrive, alice: str) -> None:
    """Mail without one is no event; EICAR by mail is refused, and the next look tells its name, once."""
    assert arrive(make(STRANGER, [alice]), [alice]).accepted
    admin.look()
    assert arrive(virus(STRANGER, [alice]), [alice]).code == 554
    assert "The scanner found: Eicar-Test-Signature" in admin.look_until_told("viruses refused: 1")
    assert len(admin.mails("virus")) == 1


@pytest.fixture
def stats_key(world: Sim) -> Iterator[str]:
    """A key of the account that may read statistics and nothing else."""
    key = new_api_key()
    world.sendgrid.issue(key, "stats.read")
    yield key
    world.sendgrid.revoke(key)


def used_today(world: Sim, key: str) -> int:
    """How many messages SendGrid has counted today."""
    today = datetime.now(UTC).date().isoformat()
    [day] = world.sendgrid.stats(key, today).json()
    return int(day["stats"][0]["metrics"]["requests"])


@pytest.mark.req("R-8.4-quota", "R-5.3-stats")
def test_a_plan_that_is_nearly_used_up_is_told(world: Sim, admin: Administrator, stats_key: str) -> None:
    """Far below it nothing is said; at the day's limit it is, once, and its end when the plan grows."""
    words = "quota at SendGrid is nearly used up"
    with settings(world, SENDGRID_DAILY_QUOTA="1000000"):
        script = [f"{TARGET}/scripts/set-secret.sh", "SENDGRID_STATS_KEY"]
        world.dell.run(script, f"{stats_key}\n".encode())
        admin.look()
        wait_for("mail to be counted", lambda: used_today(world, stats_key), timeout=timedelta(seconds=10))
        used = used_today(world, stats_key)
        with settings(world, SENDGRID_DAILY_QUOTA=str(used)):
            admin.forget("quota")
            admin.look(2)
            assert f"{used} of {used} messages are sent" in admin.wait_for_mail(words)
        admin.forget("quota")
        admin.look(2)
        admin.wait_for_mail(f"over: today's {words}")
    assert len(admin.mails(words)) == 2


@pytest.mark.req("R-5.2-key-scope", "R-5.3-stats")
def test_each_key_does_its_own_work_alone(world: Sim, admin: Administrator, stats_key: str) -> None:
    """The sending key reads nothing, which is told; the key for statistics sends nothing (F78)."""
    sending = world.state.sendgrid_key
    today = datetime.now(UTC).date().isoformat()
    assert [world.sendgrid.stats(key, today).status_code for key in (sending, stats_key)] == [403, 200]
    with settings(world, SENDGRID_DAILY_QUOTA="1000000", SENDGRID_STATS_KEY=sending):
        admin.look(2)
        assert "refused" in admin.wait_for_mail("SendGrid's statistics cannot be read")
        script = [f"{TARGET}/scripts/set-secret.sh", "SENDGRID_API_KEY"]
        done = world.dell.run(script, f"{stats_key}\n".encode(), check=False)
        assert (done.status, "SendGrid refuses this key" in done.stderr) == (1, True), done
    shown = world.dell.run(["journalctl", "--no-pager", "--output=cat", f"--unit={SERVICE}"]).stdout
    assert shown != ""
    assert [key for key in (sending, stats_key) if key in shown] == []


@pytest.fixture
def topic(world: Sim) -> Iterator[str]:
    """The alerts' topic in the Dell's .env, and an identity of the Dell's own."""
    arn = str(world.state.outputs["alerts_topic_arn"])
    world.dell.run(["mkdir", "-p", "-m", "700", "/root/.aws"])
    text = f"[default]\naws_access_key_id = {ACCESS_KEY}\naws_secret_access_key = {SECRET_KEY}\n"
    world.dell.put(CREDENTIALS, text.encode(), 0o600)
    try:
        yield arn
    finally:
        world.dell.run(["rm", "-rf", "/root/.aws"])


@pytest.mark.req("R-8.4-two-ways", "R-8.4-recovery-notice")
def test_alerts_arrive_while_the_mail_is_what_broke(world: Sim, admin: Administrator, topic: str) -> None:
    """Postfix is stopped and AWS tells it; without AWS it is kept; when mail works again it goes by that."""
    with ExitStack() as line:
        line.enter_context(settings(world, ALERT_SNS_TOPIC_ARN=topic, AWS_ENDPOINT_URL=AWS_AT_HOME))
        heard = line.enter_context(subscriber(world.aws, get("localstack"), topic))
        world.dell.run(["docker", "stop", "mailserver-postfix"])
        try:
            admin.look(3)
            assert "It is exited." in heard.wait_for("mailserver-postfix is not well")
            with settings(world, ALERT_SNS_TOPIC_ARN=""):
                said = ["sh", "-c", f"echo nobody hears this | {TARGET}/scripts/alert.sh 'no way at all'"]
                done = world.dell.run(said, check=False)
                assert (done.status, "they are kept in" in done.stderr) == (1, True), done
        finally:
            world.dell.run(["docker", "start", "mailserver-postfix"])
        wait_for_health(world, "mailserver-postfix", "running healthy")
        with settings(world, ALERT_SNS_TOPIC_ARN=""):
            world.dell.run([f"{TARGET}/scripts/alert.sh", "--retry"])
        assert admin.wait_for_mail("no way at all") == "nobody hears this\n"
        admin.look(2)
        heard.wait_for("over: mailserver-postfix")
        assert len([subject for subject in heard.subjects() if "mailserver-postfix" in subject]) == 2
    mails = wait_for(
        "both mails from AWS",
        lambda: admin.mails("mailserver-postfix"),
        until=lambda found: len(found) >= 2,
        timeout=timedelta(seconds=40),
    )
    assert ["amazonses.com" in str(mail["Received"]) for mail in mails] == [True, True]
    assert len(admin.mails("no way at all")) == 1


@pytest.mark.req("R-8.4-two-ways")
def test_without_aws_an_alert_goes_by_mail(world: Sim, admin: Administrator, topic: str) -> None:
    """Nobody answers where AWS is said to be: the administrator's mailbox has it, once."""
    with settings(world, ALERT_SNS_TOPIC_ARN=topic, AWS_ENDPOINT_URL="http://127.0.0.1:9"):
        said = ["sh", "-c", f"echo by mail, then | {TARGET}/scripts/alert.sh 'AWS is away'"]
        world.dell.run(said)
        assert admin.wait_for_mail("AWS is away") == "by mail, then\n"
    assert len(admin.mails("AWS is away")) == 1


@pytest.mark.req("R-8.4-heartbeat")
def test_cloudwatch_gets_a_sign_of_life(world: Sim, admin: Administrator, topic: str) -> None:
    """A number of this host in the namespace of the alarm; none from a monitor that cannot tell an alert."""
    cloudwatch = world.aws.client("cloudwatch")
    dimensions = [{"Name": "Host", "Value": world.site.mail.hostname}]

    def beats() -> float:
        now = datetime.now(UTC)
        shown = cloudwatch.get_metric_statistics(
            Namespace="Mailserver", MetricName="Heartbeat", Dimensions=dimensions, Period=3600,
            StartTime=now - timedelta(hours=2), EndTime=now + timedelta(hours=1), Statistics=["Sum"],
        )  # fmt: skip
        return float(sum(point["Sum"] for point in shown["Datapoints"]))

    before = beats()
    with settings(world, ALERT_SNS_TOPIC_ARN=topic, AWS_ENDPOINT_URL=AWS_AT_HOME):
        admin.look(2)  # two looks of the same five minutes
        wait_for("the heartbeat", lambda: beats() - before, timeout=timedelta(seconds=20))
    assert beats() - before == 1


@pytest.mark.req("R-8.4-container-unhealthy", "R-8.4-recovery-notice")
def test_an_unhealthy_container_is_told_once_and_its_end(world: Sim, admin: Administrator) -> None:
    """MariaDB hangs: its port is open, nobody answers. Two looks tell it, more do not; its end is told."""
    words = "mailserver-mariadb is not well"
    admin.look()
    world.dell.run(["docker", "kill", "--signal", "STOP", "mailserver-mariadb"])
    try:
        wait_for_health(world, "mailserver-mariadb", "running unhealthy")
        admin.look(2)
        text = admin.wait_for_mail(words)
        assert "It is unhealthy." in text
        assert f"docker compose --project-directory {TARGET} logs --tail 50 mariadb" in text
        admin.look(2)
    finally:
        world.dell.run(["docker", "kill", "--signal", "CONT", "mailserver-mariadb"])
    wait_for_health(world, "mailserver-mariadb", "running healthy")
    admin.look(2)
    admin.wait_for_mail(f"over: {words}")
    assert len(admin.mails(words)) == 2


@pytest.mark.req("R-8.4-spam-flood")
def test_a_flood_of_spam_is_told_once(world: Sim, admin: Administrator, arrive: Arrive, alice: str) -> None:
    """99 refused messages are none; the hundredth makes a flood of them, once an hour."""
    admin.look()

    def send(_: int) -> int:
        return arrive(spam(STRANGER, [alice]), [alice]).code

    with ThreadPoolExecutor(4) as several:
        assert set(several.map(send, range(99))) == {554}
    admin.look()
    assert admin.mails("flood of spam") == []
    assert send(0) == 554
    assert "100 messages of the last hour" in admin.look_until_told("a flood of spam")
    assert len(admin.mails("flood of spam")) == 1


@pytest.mark.req("R-8.4-monitor-runs")
def test_the_timer_looks_by_itself(world: Sim) -> None:
    """It is enabled, and a minute does not pass without a look that ends well."""

    def ended() -> str:
        argv = ["systemctl", "show", "--value", "--property=ExecMainExitTimestampMonotonic", SERVICE]
        return world.dell.run(argv).stdout.strip()

    assert world.dell.run(["systemctl", "is-enabled", TIMER]).stdout.strip() == "enabled"
    before = ended()
    wait_for("a look", ended, until=lambda at: at not in ("", "0", before), timeout=timedelta(seconds=75))
    result = ["systemctl", "show", "--value", "--property=Result", SERVICE]
    assert world.dell.run(result).stdout == "success\n"


@pytest.mark.req("R-8.4-container-unhealthy")
def test_a_restart_is_no_alarm(world: Sim, admin: Administrator) -> None:
    """A container that was restarted and is in its start period; stopped for good, the same one is told."""
    world.dell.run(["docker", "restart", "mailserver-nginx"])
    admin.look(3)
    wait_for_health(world, "mailserver-nginx", "running healthy")
    admin.look()
    world.dell.run(["docker", "stop", "mailserver-nginx"])
    try:
        admin.look(2)
        assert "It is exited." in admin.wait_for_mail("mailserver-nginx is not well")
    finally:
        world.dell.run(["docker", "start", "mailserver-nginx"])
    wait_for_health(world, "mailserver-nginx", "running healthy")
    admin.look()
    admin.wait_for_mail("over: mailserver-nginx")
    assert len(admin.mails("mailserver-nginx")) == 2

"""health-looks.bash: disks, certificate, filter and quota are told as the design has it (8.4)."""

import json
from pathlib import Path

import pytest

from tests.unit.compose.monitored import (
    DAY,
    HAM,
    HOUR,
    NO_SCANNER,
    SPAM,
    STATS_KEY,
    VIRUS,
    Monitored,
    stats_answer,
)


@pytest.fixture
def server(tmp_path: Path) -> Monitored:
    """A healthy server."""
    return Monitored(tmp_path)


@pytest.mark.req("R-8.4-disk")
@pytest.mark.parametrize("name", ["system", "mail"])
def test_a_disk_is_told_from_90_percent_on_once_a_day(server: Monitored, name: str) -> None:
    """Not at 89; at 90 at once; again after a day, not before; its end once."""
    target = "/" if name == "system" else "/data"
    server.disk(name, 89, target)
    assert server.look() == []
    server.disk(name, 90, target)
    [told] = server.look()
    assert "nearly full" in told.subject
    assert f"{target} is 90 % full" in told.text
    assert server.look(3, 7 * HOUR) == []
    assert len(server.look(2, 3 * HOUR)) == 1
    server.disk(name, 60, target)
    assert [item.subject.startswith("[mail.one.example.org] over: ") for item in server.look(2)] == [True]


@pytest.mark.req("R-8.4-disk")
def test_a_disk_about_the_limit_is_told_once_a_day(server: Monitored) -> None:
    """89 and 90 in turn: the first time and its end; the next day again."""
    told = []
    for _ in range(5):
        for percent in (90, 89):
            server.disk("system", percent)
            told += server.look(1, HOUR)
    assert len(told) == 2
    server.disk("system", 91)
    assert len(server.look(2, 8 * HOUR)) == 1


@pytest.mark.req("R-8.4-disk")
def test_one_file_system_is_one_event(server: Monitored) -> None:
    """The mail on the system's disk: the same fullness is not told twice."""
    server.disk("mail", 95, "/")
    server.disk("system", 95, "/")
    [told] = server.look(2)
    assert told.text.count("nearly full") == 1


@pytest.mark.req("R-8.4-certificate-days")
def test_a_certificate_is_told_below_30_days_every_week(server: Monitored) -> None:
    """31 days are enough; 20 are told with what to do, once a week; a new one ends it."""
    server.certificate(31)
    assert server.look(2) == []
    server.certificate(20.5)
    server.renewed(server.now - HOUR)
    [told] = server.look(3)
    assert "the certificate is good for 20 days more" in told.subject
    assert "renew-certificate.sh" in told.text
    assert server.look(3, 2 * DAY) == []
    assert len(server.look(2, DAY)) == 1
    server.certificate(89)
    assert ["over: " in item.subject for item in server.look(3)] == [True]


@pytest.mark.req("R-8.4-certificate-days")
def test_a_renewal_that_is_merely_due_is_no_alarm(server: Monitored) -> None:
    """Between the thirtieth day and the daily timer nothing is wrong; once it has run in vain, it is."""
    server.certificate(30)
    server.renewed(server.now - 600)
    assert server.look(4) == []
    server.renewed(server.now)
    assert len(server.look(3)) == 1


@pytest.mark.req("R-8.4-certificate-days")
def test_a_timer_that_does_not_run_is_no_excuse(server: Monitored) -> None:
    """Below 28 days it is told whatever the timer did; so is a certificate that is not there."""
    server.certificate(27.5)
    server.renewed(server.now - 30 * DAY)
    assert len(server.look(3)) == 1
    server.file("certificate").write_text("")
    assert "no longer good, or there is none" in server.look(4, 2 * DAY)[0].subject


@pytest.mark.req("R-8.4-virus")
def test_a_virus_is_told_at_once_and_a_flood_of_them_by_the_hour(server: Monitored) -> None:
    """The first with its name; what comes in the hour after it is told together; there is no end to tell."""
    server.scanned(HAM, 20)
    assert server.look() == []
    server.scanned(VIRUS, at=server.now + 10)
    [told] = server.look()
    assert told.subject.endswith("viruses refused: 1")
    assert "Eicar-Test-Signature" in told.text
    for _ in range(5):
        server.scanned(VIRUS, 3, at=server.now + 10)
        assert server.look(1, 600) == []
    [later] = server.look(1, 600)
    assert later.subject.endswith("viruses refused: 15")
    assert server.look(3, HOUR) == []


@pytest.mark.req("R-8.4-virus")
def test_no_other_result_is_a_virus(server: Monitored) -> None:
    """A scanner that does not answer is another thing, and a name holds nothing for anybody's terminal."""
    server.scanned(NO_SCANNER, 3, at=server.now + 10)
    server.scanned(SPAM, 3, at=server.now + 10)
    assert server.look() == []
    server.scanned(VIRUS.replace("Eicar-Test-Signature", "\x1b[2J$(id)Bad"), at=server.now + 10)
    [told] = server.look()
    assert "The scanner found: 2JidBad." in told.text


@pytest.mark.req("R-8.4-spam-flood")
def test_a_hundred_in_an_hour_are_a_flood_once_an_hour(server: Monitored) -> None:
    """99 are not, over many looks; the hundredth is; once an hour while it lasts; then its end."""
    for _ in range(3):
        server.scanned(SPAM, 22, at=server.now + 20)
        server.scanned("S (reject): [15.00/15.00] [GTUBE(0.00){}]", 11, at=server.now + 40)
        server.scanned(HAM, 50, at=server.now + 40)
        assert server.look() == []
    server.scanned(SPAM, at=server.now + 1)
    [told] = server.look()
    assert told.subject.endswith("a flood of spam")
    assert "100 messages of the last hour" in told.text
    for _ in range(5):
        server.scanned(SPAM, 30, at=server.now + 1)
        assert server.look(1, 600) == []
    assert len(server.look(1, 600)) == 1
    assert ["over: " in item.subject for item in server.look(7, 600)] == [True]


@pytest.mark.req("R-8.4-spam-flood")
def test_spam_of_more_than_an_hour_is_forgotten(server: Monitored) -> None:
    """99 now and 99 in 70 minutes are no flood; nor is what was there before the first look."""
    server.scanned(SPAM, 500, at=server.now - 2 * HOUR)
    assert server.look() == []
    server.scanned(SPAM, 99, at=server.now + 1)
    assert server.look(7, 600) == []
    server.scanned(SPAM, 99, at=server.now + 1)
    assert server.look(2) == []
    server.scanned(SPAM, 1, at=server.now + 1)
    assert len(server.look()) == 1


@pytest.mark.req("R-8.4-quota", "R-5.3-stats")
@pytest.mark.parametrize(
    ("limits", "at_89", "at_90"),
    [
        ({"SENDGRID_DAILY_QUOTA": "100"}, (5000, 89), (0, 90)),
        ({"SENDGRID_MONTHLY_QUOTA": "1000"}, (800, 99), (800, 100)),
    ],
    ids=["day", "month"],
)
def test_quota_is_told_from_90_percent_on_once_a_day(
    server: Monitored, limits: dict[str, str], at_89: tuple[int, int], at_90: tuple[int, int]
) -> None:
    """The day's own count, or the month's sum; by a key of its own; once a day."""

    def used(counts: tuple[int, int]) -> str:
        return stats_answer(("2027-01-02", counts[0]), ("2027-01-15", counts[1]))

    server.plan(used(at_89), limits)
    assert server.look(2, 600) == []
    server.plan(used(at_90))
    [told] = server.look(2, 600)
    assert "quota at SendGrid is nearly used up" in told.subject
    assert next(iter(limits.values())) in told.text
    assert server.look(3, 600) == []
    asked = server.file("asked").read_text()
    assert f"Authorization: Bearer {STATS_KEY}" in asked
    assert "start_date=2027-01-01&end_date=2027-01-15" in asked
    assert [call for call in server.site.calls() if "stats_secret" in call or "Bearer" in call] == []


@pytest.mark.req("R-8.4-quota", "R-5.3-stats")
def test_the_quota_is_told_again_the_next_day(server: Monitored) -> None:
    """While it is nearly used up; a new day's count ends it."""
    server.plan(stats_answer(("2027-01-15", 95), ("2027-01-16", 96)), {"SENDGRID_DAILY_QUOTA": "100"})
    assert len(server.look(5, 3 * HOUR)) == 1
    assert len(server.look(4, 3 * HOUR)) == 1
    server.plan(stats_answer(("2027-01-16", 3)))
    assert ["over: " in item.subject for item in server.look(2, HOUR)] == [True]


@pytest.mark.req("R-5.3-stats")
def test_sendgrid_is_asked_every_ten_minutes_and_only_with_a_plan(server: Monitored) -> None:
    """Without a quota in .env nobody is asked; with one, twice in twenty minutes."""
    assert server.look(2, 600) == []
    assert not server.file("asked").exists()
    server.plan(stats_answer(("2027-01-15", 1)), {"SENDGRID_DAILY_QUOTA": "100"})
    assert server.look(20) == []
    assert server.file("asked").read_text().count("url = ") == 2


@pytest.mark.req("R-5.3-stats")
def test_a_key_that_may_not_read_is_told(server: Monitored) -> None:
    """403 for the key, at once and once a day; a SendGrid that does not answer now and then is no alarm."""
    server.plan("", {"SENDGRID_DAILY_QUOTA": "100"}, status=500)
    assert server.look(4, 600) == []
    server.plan(json.dumps({"errors": [{"message": "access forbidden"}]}), status=403)
    [told] = server.look(4, 600)
    assert "statistics cannot be read" in told.subject
    assert "set-secret.sh SENDGRID_STATS_KEY" in told.text
    server.plan(stats_answer(("2027-01-15", 1)))
    assert ["over: " in item.subject for item in server.look(2, 600)] == [True]

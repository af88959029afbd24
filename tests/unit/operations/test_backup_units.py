"""When backups are made, by whom, and who hears of one that was not (design 9.1, F82, F86)."""

import configparser
import subprocess
from pathlib import Path

import pytest

from tests.unit.compose.conf import COMPOSE, read
from tests.unit.operations.backups import NOON, BackedUp

KINDS = {"daily": "*-*-* 03:00:00", "weekly": "Sun *-*-* 04:00:00"}


def _unit(name: str) -> configparser.ConfigParser:
    """A unit's sections and keys as written."""
    parser = configparser.ConfigParser(interpolation=None, strict=True)
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read_string(read(f"host/{name}"))
    return parser


@pytest.mark.req("R-9.1-schedule")
@pytest.mark.parametrize("kind", KINDS)
def test_a_timer_makes_it_also_after_days_off(kind: str) -> None:
    """At three every night, at four on Sundays; what was missed is made up for; started at every boot."""
    timer = _unit(f"mailserver-backup-{kind}.timer")
    assert timer["Timer"]["OnCalendar"] == KINDS[kind]
    assert timer["Timer"]["Persistent"] == "true"
    assert timer["Install"]["WantedBy"] == "timers.target"
    assert "Unit" not in timer["Timer"]
    service = _unit(f"mailserver-backup-{kind}.service")
    assert service["Service"]["ExecStart"] == f"@ROOT@/scripts/backup.sh {kind}"
    assert service["Service"]["Type"] == "oneshot"
    assert not service.has_section("Install")


@pytest.mark.req("R-9.2-fails-loudly")
@pytest.mark.parametrize("kind", KINDS)
def test_one_that_fails_or_hangs_is_told(kind: str) -> None:
    """By the alert that the certificate's renewal has, too."""
    service = _unit(f"mailserver-backup-{kind}.service")
    assert service["Unit"].get("OnFailure") == "mailserver-alert@%n.service"
    assert service["Service"]["TimeoutStartSec"] == "8h"
    assert (COMPOSE / "host/mailserver-alert@.service").is_file()


@pytest.mark.req("R-9.2-locks")
def test_the_weekly_one_waits_for_the_daily_one() -> None:
    """Both may be due at once, after the host was off."""
    after = _unit("mailserver-backup-weekly.service")["Unit"]["After"].split()
    assert "mailserver-backup-daily.service" in after


@pytest.mark.req("R-9.1-schedule")
def test_the_set_up_wants_the_program_that_seals() -> None:
    """Without age no backup could be made, which would be found out at three in the morning."""
    install = read("host/install-host.sh")
    assert 'command -v age >/dev/null || die "age is missing' in install


@pytest.mark.req("R-9.2-fails-loudly")
def test_who_is_told_reads_what_to_do(tmp_path: Path) -> None:
    """The unit's failure is a mail to the administrator with the script's own words."""
    site = BackedUp(tmp_path)
    site.set("now", str(NOON))
    site.set("database", "down")
    done = site.backup()
    assert done.returncode == 1
    site.program("journalctl", f"#!/bin/sh\ncat <<'TEXT'\n{done.stderr}TEXT\n")
    site.program("docker", '#!/bin/sh\ncase "$*" in *sendmail*) cat >"$LOG.mail" ;; esac\n')
    told = site.run("unit-failed.sh", "mailserver-backup-daily.service")
    assert told.returncode == 0, told.stderr
    mail = site.told("mail")
    assert "To: <admin@example.net>" in mail
    assert "mailserver-backup-daily.service has failed" in mail
    assert "the database could not be read" in mail
    assert "systemctl start mailserver-backup-daily.service" in mail


@pytest.mark.req("R-9.1-schedule")
def test_the_seven_days_are_said_where_they_are_counted() -> None:
    """What --help promises is what the script does."""
    said = subprocess.run(
        ["bash", str(COMPOSE / "scripts/backup.sh"), "--help"], capture_output=True, text=True, check=True
    ).stdout
    assert "older than seven days go; the last three stay" in said
    assert "KEEP_SECONDS=$((7 * 86400))" in read("scripts/backup.bash")
    assert "KEEP_AT_LEAST=3" in read("scripts/backup.bash")

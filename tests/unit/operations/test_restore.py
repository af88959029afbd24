"""restore.sh: a new host from the last daily and weekly archive, and one mailbox alone (design 9)."""

import stat
from pathlib import Path

import pytest

from tests.unit.operations.backups import (
    ALICE,
    DATABASE,
    DAY,
    NEW,
    NOON,
    BackedUp,
    contents,
    kept,
    opened,
    reseal,
)

LATER = 3600
THERE = [".env", "config/dovecot/users", "data/mail/x/y", "data/db/data/x", "data/redis/x"]


@pytest.fixture
def site(tmp_path: Path) -> BackedUp:
    """A deployed folder with mail, and two disks."""
    return BackedUp(tmp_path)


def _present(site: BackedUp) -> dict[str, str]:
    """Everything of the site but the scripts, stand-ins and locks."""
    return {
        name: value
        for name, value in contents(site.root).items()
        if not name.startswith(("scripts/", "bin/", "log")) and not name.endswith(".lock")
    }


@pytest.mark.req("R-9-restore-everything")
def test_a_new_host_gets_everything_back(site: BackedUp) -> None:
    """Mail, users, keys, settings, certificates; database and lessons as their servers read them."""
    weekly, daily = site.made("weekly"), site.made(at=NOON + LATER)
    mail, certs, users = kept(site), contents(site.root / "data/certs"), site.users.read_bytes()
    env, key = (site.root / ".env").read_text(), (site.root / "config/postfix/sasl_passwd").read_text()
    site.lose_everything()
    done = site.restore(daily, weekly)
    assert done.returncode == 0, done.stderr
    assert contents(site.root / "data/mail") == mail
    assert contents(site.root / "data/certs") == certs
    assert site.users.read_bytes() == users
    assert stat.S_IMODE(site.users.stat().st_mode) == 0o640
    assert (site.root / ".env").read_text().startswith(env)
    assert stat.S_IMODE((site.root / ".env").stat().st_mode) == 0o600
    assert (site.root / "config/postfix/sasl_passwd").read_text() == key
    assert site.told("loaded") == DATABASE
    redis = site.root / "data/redis/appendonlydir"
    found = {path.name: path.read_text() for path in redis.iterdir()}
    assert found == {
        "appendonly.aof.1.base.rdb": "REDIS0011 learned",
        "appendonly.aof.manifest": "file appendonly.aof.1.base.rdb seq 1 type b\n",
    }
    assert "all services are healthy" in done.stdout
    assert "as of 20261129T130000Z" in done.stdout
    assert not (site.root / "data/.restore").exists()
    assert list(site.root.glob("before-restore-*")) == []


@pytest.mark.req("R-9-restore-everything")
def test_the_database_has_its_data_before_the_webmail_comes(site: BackedUp) -> None:
    """MariaDB alone, then its data, then everything else; what ran before is stopped in order first."""
    weekly, daily = site.made("weekly"), site.made(at=NOON + LATER)
    site.lose_everything()
    site.set("containers", "abc\n")
    before = len(site.calls())
    assert site.restore(daily, weekly).returncode == 0
    acts = [
        call for call in site.calls()[before:] if call.startswith(("stop", "rm", "exec")) or " up " in call
    ]
    assert [call.replace(str(site.root), "ROOT") for call in acts] == [
        "stop abc",
        "rm abc",
        "compose --project-directory ROOT up -d --wait mariadb",
        "exec -i mailserver-mariadb mariadb --defaults-file=/etc/mailserver/mariadb/my.cnf",
        "compose --project-directory ROOT up -d --wait",
    ]


@pytest.mark.req("R-9-restore-everything")
@pytest.mark.parametrize("later", ["daily", "weekly"])
def test_users_are_those_of_the_later_archive(site: BackedUp, later: str) -> None:
    """Somebody who came between the two can log in; somebody who left cannot."""
    first, second = ("daily", "weekly") if later == "weekly" else ("weekly", "daily")
    early = site.made(first)
    site.users.write_text("carol@one.example.org:{BLF-CRYPT}x::::::\n")
    late = site.made(second, at=NOON + LATER)
    site.lose_everything()
    assert site.restore(early, late).returncode == 0
    assert site.users.read_text().startswith("carol@")


@pytest.mark.req("R-9-restore-everything")
def test_what_belongs_to_the_new_host_is_its_own(site: BackedUp) -> None:
    """Its address in the tailnet and its images; also a variable that the older release did not have."""
    site.configure(TAILNET_IP="100.64.0.10", IMAGE_POSTFIX="postfix:1", CA_BUNDLE="/old")
    weekly, daily = site.made("weekly"), site.made(at=NOON + LATER)
    site.configure(IMAGE_POSTFIX="postfix:2", CA_BUNDLE="/new", NEW_SETTING="seven", MYSQL_DATABASE="other")
    done = site.restore(weekly, daily, "--force")
    assert done.returncode == 0, done.stderr
    lines = (site.root / ".env").read_text().splitlines()
    assert {"TAILNET_IP=100.64.0.99", "IMAGE_POSTFIX='postfix:2'", "CA_BUNDLE='/new'"} <= set(lines)
    assert {"NEW_SETTING='seven'", "MYSQL_DATABASE='roundcube'"} <= set(lines)
    names = [line.partition("=")[0] for line in lines]
    assert len(names) == len(set(names))


@pytest.mark.req("R-9-restore-everything")
def test_an_older_releases_archive_is_taken(site: BackedUp) -> None:
    """What it does not know comes from .env.example; its config/ does not replace the deployed one."""
    weekly, daily = site.made("weekly"), site.made(at=NOON + LATER)
    members = opened(weekly)
    members["env"] = b"MAIL_DOMAIN='one.example.org'\nMYSQL_DATABASE='roundcube'\n"
    members["config/postfix/main.cf"] = b"myhostname = of-the-former-release\n"
    site.lose_everything()
    done = site.restore(reseal(weekly, members), daily)
    assert done.returncode == 0, done.stderr
    example = (site.root / ".env.example").read_text()
    names = {line.partition("=")[0] for line in example.splitlines() if line and not line.startswith("#")}
    present = {line.partition("=")[0] for line in (site.root / ".env").read_text().splitlines()}
    assert names <= present
    assert (site.root / "config/postfix/main.cf").read_text() == "myhostname = mail\n"
    [former] = site.root.glob("before-restore-*/config-of-the-backup/postfix/main.cf")
    assert "former-release" in former.read_text()
    assert "postfix/main.cf" in done.stdout


@pytest.mark.req("R-9-restore-refuses")
@pytest.mark.parametrize("there", THERE)
def test_a_host_that_is_not_empty_is_refused(site: BackedUp, there: str) -> None:
    """Status 3, what is there is named, nothing is changed; with --force it is moved aside, whole."""
    weekly, daily = site.made("weekly"), site.made(at=NOON + LATER)
    env = (site.root / ".env").read_text()
    site.lose_everything()
    path = site.root / there
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(env if there == ".env" else "precious")
    path.chmod(0o600)
    before, calls = _present(site), len(site.calls())
    done = site.restore(daily, weekly)
    assert (done.returncode, _present(site), site.calls()[calls:]) == (3, before, [])
    assert "--force" in done.stderr
    done = site.restore(daily, weekly, "--force")
    assert done.returncode == 0, done.stderr
    [former] = site.root.glob("before-restore-*")
    assert contents(former).get(there) == before[there]
    assert stat.S_IMODE(former.stat().st_mode) == 0o700
    assert str(former) in done.stdout
    assert (site.maildir(ALICE) / "subscriptions").exists()


@pytest.mark.req("R-9-restore-refuses")
def test_a_daily_one_alone_needs_a_configured_host(site: BackedUp) -> None:
    """Without .env it is refused; with one the host keeps its own settings and gets mail and users."""
    daily = site.made()
    env = (site.root / ".env").read_text()
    site.lose_everything()
    done = site.restore(daily)
    assert (done.returncode, "weekly" in done.stderr) == (2, True)
    (site.root / ".env").write_text(f"{env}OWN='yes'\n")
    (site.root / ".env").chmod(0o600)
    assert site.restore(daily).returncode == 0
    assert (site.root / ".env").read_text() == f"{env}OWN='yes'\n"
    assert (site.maildir(ALICE) / "subscriptions").exists()
    assert site.users.read_text().startswith(ALICE)


@pytest.mark.req("R-10.1-scripts")
def test_a_dry_run_opens_everything_and_changes_nothing(site: BackedUp) -> None:
    """Nothing is stopped or moved; a wrong archive is found by it."""
    daily = site.made()
    before, calls = _present(site), len(site.calls())
    done = site.restore(daily, "--force", "--dry-run")
    assert (done.returncode, _present(site)) == (0, before), done.stderr
    assert "dry run: would restore from" in done.stdout
    assert "move aside: data/mail config/dovecot/users" in done.stdout
    acts = [call for call in site.calls()[calls:] if not call.endswith(("--quiet", "--images", "postfix:1"))]
    assert acts == []


@pytest.mark.req("R-9.2-verified")
def test_an_archive_can_be_checked_alone(site: BackedUp) -> None:
    """Also of a host that is in use: what it is and that it is good; no service is asked."""
    weekly, daily = site.made("weekly"), site.made(at=NOON + DAY)
    before, calls = _present(site), len(site.calls())
    done = site.restore(weekly, daily, "--check")
    assert (done.returncode, _present(site), site.calls()[calls:]) == (0, before, []), done.stderr
    assert done.stdout.count(": good, format 1,kind ") == 2
    assert "messages 24" in done.stdout


@pytest.mark.req("R-9-restore-refuses")
def test_one_mailbox_comes_back_beside_what_its_user_has(site: BackedUp) -> None:
    """By Dovecot itself, into folders of his own; his present mail and everybody else's are not touched."""
    daily = site.made()
    (site.maildir(NEW) / "cur/1.M1P1.mailserver,S=9:2,S").unlink()
    before, calls = _present(site), len(site.calls())
    done = site.restore(daily, "--mailbox", NEW)
    assert (done.returncode, _present(site)) == (0, before), done.stderr
    listed, imported = site.calls()[calls:]
    assert listed == f"exec mailserver-dovecot doveadm mailbox list -u {NEW} Restored/20261129-1200*"
    words = imported.split()
    assert words[:6] == ["exec", "mailserver-dovecot", "doveadm", "import", "-s", "-u"]
    assert words[7].startswith("maildir:/var/mail/vhosts/.restored.")
    assert words[6::2] == [NEW, "Restored/20261129-1200"]
    assert "Restored/20261129-1200" in done.stdout


@pytest.mark.req("R-9-restore-refuses")
@pytest.mark.parametrize(
    ("what", "value", "status"),
    [("folders", "Restored/20261129-1200/INBOX\n", 3), ("dovecot", "down", 1), ("import", "refused", 1)],
)
def test_a_mailbox_that_cannot_be_restored_says_why(
    site: BackedUp, what: str, value: str, status: int
) -> None:
    """The folder is there already, Dovecot does not know him, not everything went in: nothing is lost."""
    daily = site.made()
    before = _present(site)
    site.set(what, value)
    done = site.restore(daily, "--mailbox", ALICE)
    assert (done.returncode, _present(site)) == (status, before)
    assert done.stderr
    site.set(what, "")
    assert site.restore(daily, "--mailbox", ALICE).returncode == 0


@pytest.mark.req("R-9-restore-refuses")
@pytest.mark.parametrize("address", ["carol@one.example.org", "../x@one.example.org", "alice", "x@../etc"])
def test_a_mailbox_that_is_not_in_it_is_refused(site: BackedUp, address: str) -> None:
    """Status 2, also for what is no address."""
    done = site.restore(site.made(), "--mailbox", address)
    assert done.returncode == 2

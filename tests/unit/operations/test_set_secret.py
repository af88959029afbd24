"""set-secret.sh: a secret goes from standard input into .env, and its services get it (design 6.1.1)."""

import stat
from pathlib import Path

import pytest

from tests.unit.compose.owner import ENV, Site

KEY = "SG.new-id.new_secret"
LONG = "0123456789abcdef" * 3
SERVICES = {
    "MYSQL_PASSWORD": "mariadb roundcube",
    "MYSQL_ROOT_PASSWORD": "mariadb",
    "RSPAMD_PASSWORD": "rspamd dovecot",
}


@pytest.fixture
def site(tmp_path: Path) -> Site:
    """A deployed folder."""
    return Site(tmp_path)


def _env(site: Site) -> str:
    return (site.root / ".env").read_text()


@pytest.mark.req("R-6.1.1-secret-input")
@pytest.mark.parametrize("name", SERVICES)
def test_a_secret_reaches_the_services_that_use_it(site: Site, name: str) -> None:
    """One line of .env changes, root alone reads it, no command line shows it, just those start anew."""
    done = site.run("set-secret.sh", name, said=f"{LONG}\n")
    assert done.returncode == 0, done.stderr
    assert _env(site) == ENV + f"{name}='{LONG}'\n"
    assert stat.S_IMODE((site.root / ".env").stat().st_mode) == 0o600
    [call] = site.calls()
    assert call.endswith(f" up -d --wait --no-deps --force-recreate {SERVICES[name]}")
    assert LONG not in done.stdout + done.stderr + call
    assert site.run("set-secret.sh", name, said=LONG[::-1]).returncode == 0  # without a line end
    assert _env(site) == ENV + f"{name}='{LONG[::-1]}'\n"


@pytest.mark.req("R-6.1.1-secret-input")
@pytest.mark.parametrize(("answer", "why"), [("1", "refuses this key"), ("2", "could not be asked")])
def test_a_key_that_sendgrid_does_not_take_changes_nothing(site: Site, answer: str, why: str) -> None:
    """It is asked first, by standard input; a good key is put into .env and what waits is tried."""
    Path(f"{site.log}.try").write_text(answer)
    done = site.run("set-secret.sh", "SENDGRID_API_KEY", said=f"{KEY}\n")
    assert (done.returncode, why in done.stderr, _env(site)) == (1, True, ENV)
    Path(f"{site.log}.try").write_text("0")
    done = site.run("set-secret.sh", "SENDGRID_API_KEY", said=f"{KEY}\n")
    assert (done.returncode, _env(site)) == (0, ENV.replace("KEY=''", f"KEY='{KEY}'"))
    assert Path(f"{site.log}.tried").read_text() == f"{KEY}\n"
    assert site.calls()[-1] == "exec mailserver-postfix postqueue -f"
    assert [call for call in site.calls() if KEY in call] == []


@pytest.mark.req("R-6.1.1-secret-input")
def test_a_key_that_would_not_count_is_no_success(site: Site) -> None:
    """At level 2 the fetched key goes before the one of .env: the owner hears it instead of waiting."""
    (site.root / "config/postfix/sasl_passwd").write_text("[smtp.sendgrid.net]:587 apikey:SG.old.key\n")
    done = site.run("set-secret.sh", "SENDGRID_API_KEY", said=f"{KEY}\n")
    assert (done.returncode, "goes before it" in done.stderr) == (1, True)


@pytest.mark.req("R-6.1.1-secret-input")
@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("MYSQL_PASSWORD", LONG), LONG),
        (("MYSQL_DATABASE",), LONG),
        ((), LONG),
        (("MYSQL_PASSWORD",), ""),
        (("MYSQL_PASSWORD",), "short"),
        (("MYSQL_PASSWORD",), f"{LONG}'; id; '"),
        (("MYSQL_PASSWORD",), f"{LONG}$HOME"),
        (("ROUNDCUBE_DES_KEY",), LONG),
        (("SENDGRID_API_KEY",), LONG),
    ],
)
def test_a_wrong_call_or_secret_changes_nothing(site: Site, arguments: tuple[str, ...], said: str) -> None:
    """A secret as an argument, no name of one, none, too short, another form; it is not repeated."""
    done = site.run("set-secret.sh", *arguments, said=said)
    assert (done.returncode, site.calls(), _env(site)) == (2, [], ENV)
    assert LONG not in done.stdout + done.stderr


@pytest.mark.req("R-6.1.1-secret-input")
def test_services_that_do_not_start_with_it_are_no_success(site: Site) -> None:
    """It says which secret counts now, and where to look; another run completes it."""
    Path(f"{site.log}.refuse").touch()
    done = site.run("set-secret.sh", "MYSQL_PASSWORD", said=f"{LONG}\n")
    assert (done.returncode, "MYSQL_PASSWORD is in .env" in done.stderr) == (1, True)
    Path(f"{site.log}.refuse").unlink()
    assert site.run("set-secret.sh", "MYSQL_PASSWORD", said=f"{LONG}\n").returncode == 0


@pytest.mark.req("R-5.2-key-scope")
def test_the_key_for_statistics_is_not_the_one_for_sending(site: Site) -> None:
    """It goes into .env and no service gets it; the sending key in its place is refused (F78)."""
    assert site.run("set-secret.sh", "SENDGRID_API_KEY", said=f"{KEY}\n").returncode == 0
    before, calls = _env(site), site.calls()
    done = site.run("set-secret.sh", "SENDGRID_STATS_KEY", said=f"{KEY}\n")
    assert (done.returncode, _env(site)) == (2, before)
    assert KEY not in done.stderr
    done = site.run("set-secret.sh", "SENDGRID_STATS_KEY", said="SG.stats.another_key\n")
    assert (done.returncode, site.calls()) == (0, calls), done
    assert _env(site) == before + "SENDGRID_STATS_KEY='SG.stats.another_key'\n"

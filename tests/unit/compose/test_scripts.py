"""The owner's scripts, run in a copy of the deployed folder with stand-ins for docker and tailscale."""

import stat
from email import message_from_string
from email.message import Message
from pathlib import Path

import pytest

from tests.unit.compose.owner import ENV, HASH, PASSWORD, Site


@pytest.fixture
def site(tmp_path: Path) -> Site:
    """A folder with two domains and no users."""
    return Site(tmp_path)


@pytest.mark.req("R-6.3-users-by-script", "R-6.1.1-password-not-in-arguments")
def test_a_user_gets_a_line_with_a_hash(site: Site) -> None:
    """The password is in the file as a hash, and in no command line; others may not read the file."""
    assert site.add("alice@one.example.org") == 0
    assert site.users.read_text() == f"alice@one.example.org:{HASH}::::::\n"
    assert stat.S_IMODE(site.users.stat().st_mode) == 0o640
    assert [call for call in site.calls() if PASSWORD in call] == []
    assert len(site.calls()) == 2  # the hash, and whether Dovecot knows him


@pytest.mark.req("R-6.3-users-by-script")
def test_users_of_every_domain_and_of_no_other(site: Site) -> None:
    """The site's domains are those of .env; anything else is refused (F14)."""
    assert site.add("bob@two.example.org") == 0
    assert site.add("bob@three.example.org") == 2
    assert site.add("bob@sub.one.example.org") == 2
    assert site.users.read_text().count("\n") == 1


@pytest.mark.req("R-6.3-users-by-script")
@pytest.mark.parametrize(
    "address", ["Alice@one.example.org", "a b@one.example.org", "x:y@one.example.org", "@one.example.org"]
)
def test_an_address_that_would_spoil_the_file_is_refused(site: Site, address: str) -> None:
    """Nothing with capitals, blanks or colons gets a line."""
    assert site.add(address) == 2
    assert not site.users.exists()


@pytest.mark.req("R-6.3-users-by-script")
@pytest.mark.parametrize("password", ["short", "x" * 73, "with\ta tab in it"])
def test_a_password_that_cannot_be_kept_is_refused(site: Site, password: str) -> None:
    """Too short, longer than the hash reads, or with control characters."""
    assert site.add("alice@one.example.org", password=password) == 2
    assert site.calls() == []


@pytest.mark.req("R-6.3-users-by-script")
def test_an_existing_user_is_replaced_on_demand_alone(site: Site) -> None:
    """Without --replace the second one is refused, with it there is still one line."""
    assert site.add("alice@one.example.org") == 0
    assert site.add("alice@one.example.org") == 3
    assert site.add("alice@one.example.org", "--replace") == 0
    assert site.users.read_text().count("alice@one.example.org:") == 1


@pytest.mark.req("R-6.3-users-by-script")
def test_removing_takes_one_user_and_ends_his_sessions(site: Site) -> None:
    """Neighbours whose names only look alike stay; open sessions are kicked."""
    for address in ("a.b@one.example.org", "axb@one.example.org", "a.b@two.example.org"):
        assert site.add(address) == 0
    assert site.run("remove-user.sh", "a.b@one.example.org").returncode == 0
    kept = [line.split(":")[0] for line in site.users.read_text().splitlines()]
    assert kept == ["axb@one.example.org", "a.b@two.example.org"]
    ended = [call for call in site.calls() if call.startswith("exec mailserver-dovecot doveadm kick ")]
    assert ended == ["exec mailserver-dovecot doveadm kick a.b@one.example.org"]
    assert site.run("remove-user.sh", "a.b@one.example.org").returncode == 3


@pytest.mark.req("R-6.2-renewed-by-timer")
def test_a_new_certificate_is_used_by_all_three_servers(site: Site) -> None:
    """Renewed with 30 days left, by name, readable key for root alone; then each server is told (F72)."""
    assert site.run("renew-certificate.sh").returncode == 0
    renewal, *reloads = site.calls()
    assert renewal.endswith("--min-validity 720h mailserver.tailnet.ts.net")
    assert [call.split()[1] for call in reloads] == [
        "mailserver-nginx",
        "mailserver-dovecot",
        "mailserver-postfix",
    ]
    modes = [
        stat.S_IMODE((site.root / "data/certs" / name).stat().st_mode)
        for name in ("mailserver.crt", "mailserver.key")
    ]
    assert modes == [0o644, 0o600]
    assert site.run("renew-certificate.sh").returncode == 0
    assert len(site.calls()) == 5  # the same certificate again: nobody is told


@pytest.mark.req("R-6.2-renewed-by-timer")
def test_a_reload_that_failed_is_tried_again(site: Site) -> None:
    """The failure is told, and the certificate does not count as used (F72)."""
    Path(f"{site.log}.refuse").touch()
    failed = site.run("renew-certificate.sh")
    assert failed.returncode == 1
    assert "not yet used by: mailserver-nginx mailserver-dovecot mailserver-postfix" in failed.stderr
    Path(f"{site.log}.refuse").unlink()
    before = len(site.calls())
    assert site.run("renew-certificate.sh").returncode == 0
    assert len(site.calls()) - before == 4  # the renewal and three reloads


def _mail(site: Site) -> Message:
    """What the stand-in for sendmail was given last."""
    return message_from_string(Path(f"{site.log}.mail").read_text())


@pytest.mark.req("R-6.2-failed-renewal")
def test_an_alert_is_a_mail_to_the_administrator(site: Site) -> None:
    """From an address of the site, which the smarthost takes (F59); marked as no human's."""
    done = site.run("alert.sh", "something is wrong", said="What happened.\n")
    assert done.returncode == 0, done.stderr
    assert site.calls() == [
        "exec -i mailserver-postfix sendmail -i -f mailserver@one.example.org -- admin@example.net"
    ]
    mail = _mail(site)
    assert {name: mail[name] for name in ("From", "To", "Subject", "Auto-Submitted")} == {
        "From": "Mail server <mailserver@one.example.org>",
        "To": "<admin@example.net>",
        "Subject": "[mail.one.example.org] something is wrong",
        "Auto-Submitted": "auto-generated",
    }
    assert mail.get_payload() == "What happened.\n"


@pytest.mark.req("R-6.2-failed-renewal")
def test_an_alert_that_cannot_be_sent_fails(site: Site) -> None:
    """Nothing is promised without Postfix or an administrator, or with a second header in the subject."""
    Path(f"{site.log}.refuse").touch()
    assert site.run("alert.sh", "something is wrong").returncode == 1
    Path(f"{site.log}.refuse").unlink()
    assert site.run("alert.sh", "two\nBcc: everybody@example.net").returncode == 2
    (site.root / ".env").write_text(ENV.replace("admin@example.net", ""))
    assert site.run("alert.sh", "something is wrong").returncode == 1
    assert len(site.calls()) == 1


@pytest.mark.req("R-6.2-failed-renewal")
def test_a_failed_unit_is_told_with_what_it_said(site: Site) -> None:
    """The log of the run that failed, not of those before it."""
    done = site.run("unit-failed.sh", "some.service", MONITOR_INVOCATION_ID="abc")
    assert done.returncode == 0, done.stderr
    journal, _ = site.calls()
    assert journal.endswith("--unit=some.service _SYSTEMD_INVOCATION_ID=abc")
    assert _mail(site)["Subject"] == "[mail.one.example.org] some.service has failed"
    assert "too many certificates" in str(_mail(site).get_payload())


@pytest.mark.req("R-2.2-domain-by-script")
def test_a_domain_is_added_once(site: Site) -> None:
    """It stands in .env, whose mode stays private, and Postfix gets it; twice is refused (F14)."""
    assert site.run("add-domain.sh", "three.example.org").returncode == 0
    assert "MAIL_ADDITIONAL_DOMAINS='two.example.org three.example.org'" in (site.root / ".env").read_text()
    assert stat.S_IMODE((site.root / ".env").stat().st_mode) == 0o600
    assert site.calls()[-1].endswith("up -d --wait postfix")
    added = (site.root / ".env").read_text()
    assert site.run("add-domain.sh", "three.example.org").returncode == 3
    assert (site.root / ".env").read_text() == added
    assert site.run("add-domain.sh", "no domain").returncode == 2

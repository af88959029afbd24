"""The owner's scripts, run in a copy of the deployed folder with stand-ins for docker and tailscale."""

import shutil
import stat
import subprocess
from pathlib import Path

import pytest

from tests.unit.compose.conf import COMPOSE

ENV = """MAIL_DOMAIN='one.example.org'
MAIL_ADDITIONAL_DOMAINS='two.example.org'
MAIL_HOSTNAME='mailserver.tailnet.ts.net'
IMAGE_DOVECOT='dovecot:1'
"""
HASH = "{BLF-CRYPT}$2y$05$stand-in"
DOCKER = """#!/bin/sh
echo "$*" >>"$LOG"
case "$*" in
*"pw -s BLF-CRYPT"*) cat >/dev/null; echo '{hash}' ;;
*) ! [ -e "$LOG.refuse" ] ;;
esac
"""
TAILSCALE = """#!/bin/sh
echo "tailscale $*" >>"$LOG"
[ -e "$LOG.kept" ] || { echo certificate >"$3"; echo key >"$5"; }
"""
PASSWORD = "a long enough password"


class Site:
    """A deployed folder, its users' file, and what the stand-ins were called with."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.users = root / "config/dovecot/users"
        self.log = root / "log"
        shutil.copytree(COMPOSE / "scripts", root / "scripts")
        for folder in ("config/dovecot", "data/certs", "bin"):
            (root / folder).mkdir(parents=True)
        (root / ".env").write_text(ENV)
        for name, text in (("docker", DOCKER.replace("{hash}", HASH)), ("tailscale", TAILSCALE)):
            (root / "bin" / name).write_text(text)
            (root / "bin" / name).chmod(0o755)

    def run(self, script: str, *arguments: str, said: str = "") -> "subprocess.CompletedProcess[str]":
        """Run a script with something on its standard input."""
        environment = {"PATH": f"{self.root}/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LOG": str(self.log)}
        argv = ["bash", str(self.root / "scripts" / script), *arguments]
        return subprocess.run(argv, env=environment, input=said, capture_output=True, text=True, check=False)

    def add(self, address: str, *options: str, password: str = PASSWORD) -> int:
        """Add a user; the exit status."""
        return self.run("add-user.sh", address, *options, said=f"{password}\n").returncode

    def calls(self) -> list[str]:
        """Command lines of the stand-ins so far."""
        return self.log.read_text().splitlines() if self.log.exists() else []


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
    assert len(site.calls()) == 1


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
    assert site.calls()[-1] == "exec mailserver-dovecot doveadm kick a.b@one.example.org"
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


@pytest.mark.req("R-2.2-domain-by-script")
def test_a_domain_is_added_once(site: Site) -> None:
    """It stands in .env, whose mode stays private, and Postfix gets it; twice is refused (F14)."""
    assert site.run("add-domain.sh", "three.example.org").returncode == 0
    assert "MAIL_ADDITIONAL_DOMAINS='two.example.org three.example.org'" in (site.root / ".env").read_text()
    assert stat.S_IMODE((site.root / ".env").stat().st_mode) == 0o600
    assert site.calls()[-1].endswith("up -d --wait postfix")
    assert site.run("add-domain.sh", "three.example.org").returncode == 3
    assert site.run("add-domain.sh", "no domain").returncode == 2

"""Files of the deployed host, with their owners and modes (design 6.1.2, 10.1)."""

import pytest

from tests.e2e.host.conftest import Host

pytestmark = pytest.mark.req("R-10.1-host-as-deployed")

ROOT = "/opt/mailserver"
FILES = {
    ".env": (0o600, "root"),
    "docker-compose.yml": (0o644, "root"),
    "host/install-host.sh": (0o755, "root"),
    "scripts/add-user.sh": (0o755, "root"),
    "scripts/users.bash": (0o644, "root"),
    "config/dovecot/users": (0o640, "root"),
    "data/certs/mailserver.crt": (0o644, "root"),
    "data/certs/mailserver.key": (0o600, "root"),
}
SYSTEM = {
    "/etc/firewalld/zones/tailscale.xml": 0o644,
    "/etc/systemd/system/mailserver.service": 0o644,
    "/etc/systemd/system/mailserver-cert.timer": 0o644,
    "/usr/local/sbin/mailserver-firewall": 0o755,
}


@pytest.mark.parametrize("name", FILES)
def test_a_deployed_file_has_its_mode_and_owner(host: Host, name: str) -> None:
    """By hand from the design: secrets are root's alone."""
    file = host.file(f"{ROOT}/{name}")
    assert file.is_file
    assert (file.mode, file.user) == FILES[name]


@pytest.mark.parametrize("name", SYSTEM)
def test_a_file_of_the_system_has_its_mode_and_knows_its_folder(host: Host, name: str) -> None:
    """What the set-up installs; no place-holder is left in it."""
    file = host.file(name)
    assert (file.mode, file.user) == (SYSTEM[name], "root")
    assert not file.contains("@ROOT@")
    assert file.size > 0


def test_mail_is_its_own_users_alone(host: Host) -> None:
    """vmail's number, and nobody else may look in."""
    mail = host.file(f"{ROOT}/data/mail")
    assert (mail.is_directory, mail.uid, mail.mode) == (True, 5000, 0o750)


def test_every_file_of_the_release_is_there_and_nothing_half_done(host: Host) -> None:
    """The list that a deployment keeps, and no trace of one that was cut off."""
    names = host.check_output(f"cat {ROOT}/.deployed").splitlines()
    assert {"docker-compose.yml", "config/postfix/main.cf", "scripts/add-user.sh"} <= set(names)
    missing = host.check_output(
        f'cd {ROOT} && while read -r name; do [ -f "$name" ] || echo "$name"; done <.deployed'
    )
    assert missing == ""
    for trace in (".former", ".incoming", ".stage"):
        assert not host.file(f"{ROOT}/{trace}").exists


def test_no_file_of_the_deployment_is_open_to_all_writers(host: Host) -> None:
    """Nothing that root runs or reads may be written by others; the search sees such a file (the control)."""
    search = f"find {ROOT}/config {ROOT}/host {ROOT}/scripts /etc/systemd/system -perm /022 ! -type l"
    assert host.check_output(search) == ""
    assert host.check_output("find /tmp -maxdepth 0 -perm /022") == "/tmp"

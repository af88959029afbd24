"""Deploying a small project to the machine, again and again: what changes, what stays, what is refused."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from fixtures.dell.console import ContainerConsole
from fixtures.dell.deploy import DeployError, deploy
from fixtures.dell.dotenv import EnvironmentValueError
from fixtures.dell.stack import Stack
from fixtures.world.images import ROOT

TARGET = "/srv/deployed"
COMPOSE = """
name: deployed
services:
  good:
    image: ${IMAGE:?}
    init: true
    network_mode: none
    command: [sh, -c, "cp /config/setting /tmp/seen; exec sleep infinity"]
    volumes: ["./config/good:/config:ro"]
    healthcheck: {test: [CMD, "test", "-s", "/tmp/seen"], interval: 1s, retries: 9}
    secrets: [token]
secrets:
  token: {environment: TOKEN}
"""
TAILSCALE = b"""#!/bin/sh
case $1 in
ip) echo 100.64.0.10 ;;
cert) echo certificate >"$3"; echo key >"$5" ;;
esac
"""


@pytest.fixture
def member(console: ContainerConsole) -> Iterator[ContainerConsole]:
    """The machine with an interface and a client command as if it were in a tailnet, and nothing deployed."""
    console.put("/usr/local/bin/tailscale", TAILSCALE, 0o755)
    console.run(["ip", "tuntap", "add", "tailscale0", "mode", "tun"])
    console.run(["rm", "-rf", TARGET])
    try:
        yield console
    finally:
        console.run(["rm", "/usr/local/bin/tailscale"])
        console.run(["ip", "link", "delete", "tailscale0"])
        Stack(console, TARGET).down()


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A compose folder with one service, its configuration, a script and what must never be shipped."""
    files = {
        "docker-compose.yml": COMPOSE,
        "config/good/setting": "first\n",
        "host/install-host.sh": '#!/bin/sh\necho run >>"$(dirname "$0")/../data/installs"\n',
        "scripts/old.sh": "#!/bin/sh\n",
        ".env": "LEAK=1\n",
        "config/dovecot/users": "leak\n",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    (tmp_path / "host/install-host.sh").chmod(0o755)
    return tmp_path


@pytest.fixture
def variables(inner_image: str) -> dict[str, str]:
    """What the small project needs."""
    return {
        "IMAGE": inner_image,
        "TAILNET_IP": "100.64.0.10",
        "MAIL_HOSTNAME": "mailserver.tail8088.ts.net",
        "MYSQL_PASSWORD": "of-the-first-day",
        "TOKEN": "first",
    }


@pytest.mark.req("R-10.1-first-deployment", "R-6.1.2-env-600", "R-10.1-shipped-files")
def test_a_first_deployment_is_complete(
    member: ContainerConsole, project: Path, variables: dict[str, str]
) -> None:
    """Files, folders, modes, certificate, host set-up and a healthy service (design 10.1)."""
    stack = deploy(member, project, variables, target=TARGET)
    assert stack.services()["good"].good
    assert stack.execute("good", ["cat", "/tmp/seen"]).stdout == "first\n"
    modes = {
        ".env": "600 0",
        "data/certs/mailserver.key": "600 0",
        "data/certs/mailserver.crt": "644 0",
        "data/mail": "750 5000",
        "config/dovecot/users": "640 0",
        "scripts/old.sh": "644 0",
    }
    shown = member.run(["stat", "-c", "%n %a %u", *(f"{TARGET}/{name}" for name in modes)]).stdout
    assert shown.splitlines() == [f"{TARGET}/{name} {mode}" for name, mode in modes.items()]
    assert member.run(["cat", f"{TARGET}/data/installs"]).stdout == "run\n"
    assert "LEAK" not in member.run(["cat", f"{TARGET}/.env"]).stdout
    assert member.run(["cat", f"{TARGET}/config/dovecot/users"]).stdout == ""
    assert member.run(["ls", "-A", TARGET]).stdout.split().count(".stage") == 0


@pytest.mark.req("R-10.1-idempotent", "R-6.1.2-env-merged")
def test_deploying_the_same_again_touches_nothing(
    member: ContainerConsole, project: Path, variables: dict[str, str]
) -> None:
    """Same container, same start time; people, mail, own variables and made passwords are as they were."""
    first = deploy(member, project, variables, target=TARGET)
    before = _started(first)
    member.put(f"{TARGET}/config/dovecot/users", b"alice\n", 0o640)
    member.put(f"{TARGET}/data/mail/message", b"mail\n")
    member.run(["sh", "-c", f"echo OWN=1 >>{TARGET}/.env"])
    again = deploy(member, project, variables | {"MYSQL_PASSWORD": "of-the-second-day"}, target=TARGET)
    assert _started(again) == before
    assert member.run(["cat", f"{TARGET}/config/dovecot/users"]).stdout == "alice\n"
    assert member.run(["cat", f"{TARGET}/data/mail/message"]).stdout == "mail\n"
    lines = member.run(["cat", f"{TARGET}/.env"]).stdout.splitlines()
    assert "MYSQL_PASSWORD='of-the-first-day'" in lines
    assert "OWN=1" in lines


@pytest.mark.req("R-10.1-changed-restarts", "R-10.1-removes-own-only")
def test_a_changed_configuration_reaches_its_service_and_a_dropped_file_goes(
    member: ContainerConsole, project: Path, variables: dict[str, str]
) -> None:
    """A service is given a new container for its new file; what is no longer shipped does not linger."""
    deploy(member, project, variables, target=TARGET)
    (project / "config/good/setting").write_text("second\n")
    (project / "scripts/old.sh").unlink()
    stack = deploy(member, project, variables, target=TARGET)
    assert stack.execute("good", ["cat", "/tmp/seen"]).stdout == "second\n"
    assert member.run(["test", "-e", f"{TARGET}/scripts/old.sh"], check=False).status == 1


@pytest.mark.req("R-10.1-cut-off-made-up")
def test_a_deployment_that_was_cut_off_is_made_up_for(
    member: ContainerConsole, project: Path, variables: dict[str, str]
) -> None:
    """The files arrived, then the certificate failed: the next run restarts the service all the same."""
    running = deploy(member, project, variables, target=TARGET)
    (project / "config/good/setting").write_text("second\n")
    member.put("/usr/local/bin/tailscale", TAILSCALE.replace(b"cert) ", b"cert) exit 9; "), 0o755)
    with pytest.raises(DeployError, match="certificate"):
        deploy(member, project, variables, target=TARGET)
    assert running.execute("good", ["cat", "/tmp/seen"]).stdout == "first\n"
    member.put("/usr/local/bin/tailscale", TAILSCALE, 0o755)
    deploy(member, project, variables, target=TARGET)
    assert running.execute("good", ["cat", "/tmp/seen"]).stdout == "second\n"


@pytest.mark.req("R-10.1-bad-input", "R-6.1.2-env-refuses")
def test_bad_input_changes_nothing_on_the_host(
    member: ContainerConsole, project: Path, variables: dict[str, str]
) -> None:
    """Neither a file that Compose refuses nor an unusable value reaches what is deployed."""
    running = deploy(member, project, variables, target=TARGET)
    before = _fingerprint(member), _started(running)
    (project / "config/good/setting").write_text("second\n")
    refused: list[tuple[str, str, type[Exception], str]] = [
        (COMPOSE.replace("secrets:\n", "  broken: {nonsense: 1}\nsecrets:\n"), "", DeployError, "nonsense"),
        (COMPOSE.replace("${IMAGE:?}", "${ABSENT:?}"), "", DeployError, "ABSENT"),
        (COMPOSE, "two\nlines", EnvironmentValueError, "NOTE"),
    ]
    for text, value, error, reason in refused:
        (project / "docker-compose.yml").write_text(text)
        with pytest.raises(error, match=reason):
            deploy(member, project, variables | {"NOTE": value}, target=TARGET)
        assert (_fingerprint(member), _started(running)) == before


@pytest.mark.req("R-6.1.2-secret-redeployed")
def test_a_changed_secret_reaches_its_service(
    member: ContainerConsole, project: Path, variables: dict[str, str]
) -> None:
    """Compose takes the container with the old one for up to date; the same again leaves it alone."""
    stack = deploy(member, project, variables, target=TARGET)
    for value in ("second $HOME #", ""):
        deploy(member, project, variables | {"TOKEN": value}, target=TARGET)
        assert stack.execute("good", ["cat", "/run/secrets/token"]).stdout == value
    before = _started(stack)
    deploy(member, project, variables | {"TOKEN": ""}, target=TARGET)
    assert _started(stack) == before


@pytest.mark.req("R-4.1-modern-hashes")
def test_a_password_in_plain_text_stops_the_deployment(
    member: ContainerConsole, project: Path, variables: dict[str, str]
) -> None:
    """The new files' own check is asked before anything changes; without that line the deployment goes on."""
    shutil.copytree(ROOT / "compose/scripts", project / "scripts", dirs_exist_ok=True)
    variables |= {"MAIL_DOMAIN": "example.org", "MAIL_ADDITIONAL_DOMAINS": "example.net"}
    running = deploy(member, project, variables, target=TARGET)
    good = f"alice@example.org:{{BLF-CRYPT}}$2y$10${'x' * 53}::::::\n"
    member.put(f"{TARGET}/config/dovecot/users", f"{good}bob@example.net:{{PLAIN}}secret::::::\n".encode())
    before = _fingerprint(member), _started(running)
    (project / "config/good/setting").write_text("second\n")
    with pytest.raises(DeployError, match="line 2, bob@example") as caught:
        deploy(member, project, variables, target=TARGET)
    assert "secret" not in str(caught.value)
    assert (_fingerprint(member), _started(running)) == before
    with pytest.raises(DeployError, match="line 1, alice@example"):
        deploy(member, project, variables | {"MAIL_DOMAIN": "example.com"}, target=TARGET)
    member.put(f"{TARGET}/config/dovecot/users", good.encode(), 0o640)
    deploy(member, project, variables, target=TARGET)
    assert running.execute("good", ["cat", "/tmp/seen"]).stdout == "second\n"


def _started(stack: Stack) -> str:
    """The service's container and when it started."""
    name = stack.services()["good"].container
    template = "{{.Id}} {{.State.StartedAt}}"
    return stack.console.run(["docker", "inspect", "--format", template, name]).stdout


def _fingerprint(console: ContainerConsole) -> str:
    """Every file below the target with mode, size and time of change."""
    listing = console.run(["find", TARGET, "-type", "f", "-printf", "%P %m %s %T@\n"]).stdout
    assert "docker-compose.yml" in listing
    return "\n".join(sorted(listing.splitlines()))

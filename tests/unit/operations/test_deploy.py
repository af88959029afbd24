"""deploy.sh: what a host gets, in which order, and that the same again changes nothing (design 10.1)."""

import subprocess
from pathlib import Path

import pytest

from fixtures.dell.layout import files_to_ship
from fixtures.world.images import ROOT
from tests.unit.operations.deployment import ENV, Deployment

NOTHING = "nothing has changed: this release was in place, every service is healthy"


@pytest.fixture
def deployment(tmp_path: Path) -> Deployment:
    """A release, and a host that has nothing yet."""
    return Deployment(tmp_path)


@pytest.mark.req("R-10.1-deploy-script")
def test_a_first_deployment_is_complete(deployment: Deployment) -> None:
    """Files with their modes, .env, folders, certificate, images, and every service healthy."""
    done = deployment.deployed()
    assert done.stdout.endswith("deployed: every service is healthy\n")
    files = deployment.files()
    assert files[".env"] == (ENV, 0o600)
    assert files["scripts/old.sh"] == ("#!/bin/bash\n", 0o755)
    assert files["config/good/setting"] == ("first\n", 0o644)
    assert files["data/certs/mailserver.key"] == ("key\n", 0o600)
    assert files["config/dovecot/users"] == ("", 0o640)
    assert "scripts/old.sh" in files[".deployed"][0].splitlines()
    assert set(deployment.containers()) == {"good", "other"}
    assert all(" running healthy " in row for row in deployment.containers().values())
    assert deployment.leftovers() == []


@pytest.mark.req("R-10.1-deploy-firewall-first")
def test_the_firewall_is_set_up_before_any_service_starts(deployment: Deployment) -> None:
    """At the first deployment, and at one that changes a service (F42, F43)."""
    for text in ("first\n", "second\n"):
        deployment.put("config/good/setting", text)
        deployment.forget_calls()
        deployment.deployed()
        calls = deployment.calls()
        assert calls.index("install-host first") < min(
            i for i, c in enumerate(calls) if c.startswith("docker create")
        )


@pytest.mark.req("R-10.1-deploy-again")
def test_the_same_again_changes_nothing_and_says_so(deployment: Deployment) -> None:
    """No file, no container; its words are others when there was something to do."""
    assert NOTHING not in deployment.deployed().stdout
    (deployment.target / "data/mail/message").write_text("mail\n")
    before = deployment.files(), deployment.containers(), deployment.tags()
    deployment.forget_calls()
    assert NOTHING in deployment.deployed().stdout
    assert (deployment.files(), deployment.containers(), deployment.tags()) == before
    assert [call for call in deployment.calls() if call.startswith(("docker create", "docker load"))] == []
    assert deployment.leftovers() == []


@pytest.mark.req("R-10.1-deploy-again")
def test_a_service_that_was_still_starting_is_no_change(deployment: Deployment) -> None:
    """It gets healthy meanwhile, by itself."""
    deployment.deployed()
    for container in (deployment.state / "there/containers").iterdir():
        container.write_text(container.read_text().replace(" healthy ", " starting "))
    assert NOTHING in deployment.deployed().stdout
    assert {"healthy" in shown for shown in deployment.containers().values()} == {True}


@pytest.mark.req("R-10.1-deploy-again")
def test_a_dry_run_says_what_would_change_and_changes_nothing(deployment: Deployment) -> None:
    """On a host with nothing, and on one with a release; the real run then does it."""
    done = deployment.run("--dry-run")
    assert (done.returncode, deployment.target.exists(), deployment.containers(), deployment.tags()) == (
        0,
        False,
        {},
        {},
    )
    assert "would send site/good:1 site/other:1\n" in done.stdout
    assert done.stdout.splitlines()[-1].startswith("dry run: would deploy 13 files")
    deployment.deployed()
    deployment.put("config/good/setting", "second\n")
    (deployment.release / "scripts/old.sh").unlink()
    before = deployment.files(), deployment.containers()
    done = deployment.run("--dry-run")
    assert (done.returncode, deployment.files(), deployment.containers()) == (0, *before)
    said = [line for line in done.stdout.splitlines() if line.startswith("would ")]
    assert said == [
        "would put config/good/setting",
        "would remove scripts/old.sh",
        "would give a new container to good",
    ]
    assert deployment.leftovers() == []
    deployment.deployed()
    assert deployment.files()["config/good/setting"][0] == "second\n"


@pytest.mark.req("R-10.1-changed-restarts", "R-10.1-removes-own-only")
def test_a_changed_file_reaches_its_service_alone_and_a_dropped_one_goes(deployment: Deployment) -> None:
    """A new container for it, the other one runs on; no list makes it remove what is the host's own."""
    deployment.deployed()
    before = deployment.containers()
    outside = deployment.target.parent / "outside"
    outside.write_text("mine\n")
    (deployment.target / "data/mail/message").write_text("mail\n")
    with (deployment.target / ".deployed").open("a") as manifest:
        manifest.write("../outside\ndata/mail/message\n.env\nconfig/dovecot/users\n")
    deployment.put("config/good/setting", "second\n")
    (deployment.release / "scripts/old.sh").unlink()
    deployment.deployed()
    after = deployment.containers()
    assert (after["good"] == before["good"], after["other"] == before["other"]) == (False, True)
    files = deployment.files()
    assert "scripts/old.sh" not in files
    assert {".env", "config/dovecot/users", "data/mail/message"} <= set(files)
    assert outside.exists()


@pytest.mark.req("R-10.1-changed-restarts")
@pytest.mark.parametrize("what", ["secret", "file"])
def test_a_service_with_something_older_than_the_host_has_is_made_anew(
    deployment: Deployment, what: str
) -> None:
    """A secret of .env, or a file that came after its start: neither is noticed by Compose."""
    secrets = deployment.state / "there/secrets/good"
    secrets.mkdir(parents=True)
    (secrets / "token").write_text("first")
    deployment.deployed()
    deployment.forget_calls()
    deployment.deployed()
    assert "docker create good" not in deployment.calls()
    if what == "secret":
        (secrets / "token").write_text("an older one")
    else:
        path = deployment.target / "config/good/setting"
        path.write_text(path.read_text())
    deployment.deployed()
    assert [call for call in deployment.calls() if call.startswith("docker create")] == ["docker create good"]


@pytest.mark.req("R-10.1-deploy-units")
def test_a_unit_that_the_release_has_no_more_goes_from_systemd(deployment: Deployment) -> None:
    """Stopped, disabled, its file removed; the others stay."""
    deployment.put("host/old.timer", "[Timer]\n")
    deployment.deployed()
    installed = deployment.root / "old.timer"
    installed.touch()
    (deployment.state / "unit-old.timer").write_text(str(installed))
    (deployment.release / "host/old.timer").unlink()
    deployment.forget_calls()
    deployment.deployed()
    units = [call for call in deployment.calls() if call.startswith("systemctl")]
    assert units == ["systemctl --quiet disable --now old.timer", "systemctl daemon-reload"]
    assert not installed.exists()


@pytest.mark.req("R-10.1-shipped-files")
def test_what_goes_is_what_the_specs_deployer_ships(tmp_path: Path) -> None:
    """The same files of compose/, and the same of a folder with all that must stay at home."""
    names = (
        "docker-compose.yml", ".env", ".env.example", "images.env", "deploy.sh", "data/mail/x", "logs/x",
        "secrets/x", "images/postfix/Dockerfile", "backups/x", "config/dovecot/users", "config/.swp",
        "config/dovecot/users.d", "config/postfix/sasl_passwd", "scripts/__pycache__/x.pyc", ".git/config",
        "scripts/deploy.sh", "config/data/x",
    )  # fmt: skip
    for name in names:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name)
    for folder in (tmp_path, ROOT / "compose"):
        script = '. "$1/compose/host/release.bash"; release_files "$2"'
        argv = ["bash", "-euc", script, "list", str(ROOT), str(folder)]
        listed = subprocess.run(argv, capture_output=True, text=True, check=True).stdout.splitlines()
        assert sorted(listed) == sorted(files_to_ship(folder))
        assert len(listed) > 4


@pytest.mark.req("R-10.1-deploy-secrets")
def test_no_secret_of_the_first_env_is_in_an_argument_or_in_the_words(deployment: Deployment) -> None:
    """It goes in the stream, and is the host's alone from its first moment on."""
    secret = "only-known-to-two"
    deployment.put(".env", ENV.replace("'first'", f"'{secret}'"), 0o600)
    done = deployment.deployed()
    assert deployment.files()[".env"] == (ENV.replace("'first'", f"'{secret}'"), 0o600)
    commands = Path(f"{deployment.log}.commands").read_text()
    assert "take-release.sh" in commands
    assert secret not in commands + done.stdout
    assert deployment.files().get("logs/deploy.log", ("", 0))[0].count(secret) == 0


@pytest.mark.req("R-10.1-deploy-script")
def test_an_account_with_sudo_does_as_well(deployment: Deployment) -> None:
    """Every command that needs root is run by sudo."""
    (deployment.state / "uid").write_text("1000\n")
    deployment.deployed()
    commands = [
        line for line in Path(f"{deployment.log}.commands").read_text().splitlines() if "take-release" in line
    ]
    assert "take-release.sh" in commands[0]
    assert "sudo -n bash -c" in Path(f"{deployment.log}.commands").read_text()


@pytest.mark.req("R-10.1-deploy-script")
def test_another_program_can_be_taken_for_ssh(deployment: Deployment) -> None:
    """With its options, as rsync's and git's variables of that kind; ssh itself is then not run."""
    program = deployment.root / "bin/other-ssh"
    program.write_text('#!/bin/sh\nshift 2\nexec ssh "$@"\n')
    program.chmod(0o755)
    done = deployment.run(MAILSERVER_SSH="other-ssh -p 2222")
    assert done.returncode == 0, done.stdout
    assert "BatchMode" not in Path(f"{deployment.log}.commands").read_text()


@pytest.mark.req("R-10.1-scripts")
@pytest.mark.parametrize(
    "words",
    [
        (),
        ("one", "two"),
        ("--folder", "relative", "one"),
        ("--folder", "/opt/../etc", "one"),
        ("--folder", "/opt/x'; id; '", "one"),
        ("--wait", "soon", "one"),
        ("--images", "/nowhere/images", "one"),
        ("--images",),
    ],
)
def test_a_wrong_call_is_refused(deployment: Deployment, words: tuple[str, ...]) -> None:
    """Status 2, before anything is asked of any host."""
    argv = ["bash", str(deployment.release / "deploy.sh"), *words]
    done = subprocess.run(argv, env=deployment.environment(), capture_output=True, text=True, check=False)
    assert (done.returncode, deployment.calls()) == (2, [])
    assert done.stderr.startswith("deploy.sh: ")

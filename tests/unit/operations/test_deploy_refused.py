"""deploy.sh refuses a host or a release that cannot go together before anything changes (design 10.1)."""

import fcntl
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.unit.operations.deployment import ENV, Deployment

HOST = [
    ("system", "offline", "systemd does not run here"),
    ("no-engine", "", "no Docker engine answers"),
    ("compose", "2.23.3", "Docker Compose is 2.23.3"),
    ("firewall", "not running", "firewalld does not run"),
    ("address", "192.168.1.5", "this host is in no tailnet"),
    (
        "address",
        "100.64.0.11",
        "this host is 100.64.0.11 in the tailnet, and TAILNET_IP in .env is 100.64.0.10",
    ),
    ("no-interface", "", "there is no interface tailscale0"),
    ("free", "1023", "1023 MiB free"),
]


@pytest.fixture
def deployment(tmp_path: Path) -> Deployment:
    """A release, and a host that has nothing yet."""
    return Deployment(tmp_path)


@pytest.fixture
def running(deployment: Deployment) -> Deployment:
    """A host on which a release runs."""
    deployment.deployed()
    deployment.put("config/good/setting", "second\n")
    return deployment


def _env(deployment: Deployment, old: str, new: str) -> None:
    assert old in ENV
    deployment.put(".env", ENV.replace(old, new), 0o600)


def _everything(deployment: Deployment) -> object:
    return deployment.files(), deployment.containers(), deployment.tags()


@pytest.mark.req("R-10.1-deploy-refuses")
@pytest.mark.parametrize(("file", "content", "words"), HOST, ids=lambda word: word[:20])
def test_a_host_that_cannot_take_it_is_named_with_the_next_step(
    deployment: Deployment, file: str, content: str, words: str
) -> None:
    """Status 1 and no file there; without the defect the same run goes through."""
    (deployment.state / file).write_text(f"{content}\n")
    done = deployment.run()
    assert (done.returncode, words in done.stdout) == (1, True), done.stdout
    assert "next step: " in done.stdout
    assert "nothing was changed" in done.stdout
    assert (deployment.target.exists(), deployment.containers(), deployment.tags()) == (False, {}, {})
    (deployment.state / file).unlink()
    deployment.deployed()


@pytest.mark.req("R-10.1-deploy-refuses")
def test_every_defect_is_named_at_once(deployment: Deployment) -> None:
    """The owner does not find them one by one."""
    rows = [row for row in HOST if row[0] in ("system", "compose", "firewall", "no-interface")]
    for file, content, _ in rows:
        (deployment.state / file).write_text(f"{content}\n")
    done = deployment.run()
    assert [words for _, _, words in rows if words not in done.stdout] == []
    assert done.stdout.count("next step: ") == len(rows)


@pytest.mark.req("R-10.1-deploy-refuses")
def test_a_host_that_does_not_answer_or_gives_no_root(deployment: Deployment) -> None:
    """Ssh's own words and the next step."""
    (deployment.state / "no-answer").touch()
    done = deployment.run()
    assert (done.returncode, "no answer from mail.example.net; next step: " in done.stdout) == (1, True)
    (deployment.state / "no-answer").unlink()
    (deployment.state / "uid").write_text("1000\n")
    (deployment.state / "no-sudo").touch()
    done = deployment.run()
    assert (done.returncode, "next step: passwordless sudo, or root@" in done.stdout) == (1, True)
    assert not deployment.target.exists()


@pytest.mark.req("R-10.1-deploy-refuses")
@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda d: (d.release / ".env").unlink(), "has no .env yet"),
        (lambda d: (d.release / ".env").chmod(0o640), "has mode 640, so others may know its secrets"),
        (lambda d: _env(d, "RSPAMD_PASSWORD='of-the-first-day'", "RSPAMD_PASSWORD=''"), "RSPAMD_PASSWORD is"),
        (lambda d: _env(d, "site/good:1", "site/good:latest"), "never latest"),
        (lambda d: _env(d, "site/good:1", "site/good"), "IMAGE_GOOD is 'site/good'"),
        (lambda d: _env(d, "BUNDLE=''", "BUNDLE='/nowhere/ca.crt'"), "CA_BUNDLE /nowhere"),
    ],
    ids=["missing", "readable", "empty", "latest", "untagged", "bundle"],
)
def test_a_first_env_that_will_not_do(
    deployment: Deployment, spoil: Callable[[Deployment], object], words: str
) -> None:
    """There is none, others read it, a password or image is not given: nothing reaches the host."""
    spoil(deployment)
    done = deployment.run()
    assert (done.returncode, words in done.stdout) == (1, True), done.stdout
    assert "of-the-first-day" not in done.stdout
    assert not deployment.target.exists()


@pytest.mark.req("R-10.1-deploy-refuses")
def test_a_first_env_that_others_may_write_is_not_run(deployment: Deployment) -> None:
    """Its lines would be the owner's own commands, here; private, a line of it is run (the control)."""
    ran = deployment.root / "ran"
    deployment.put(".env", f"{ENV}: >'{ran}'\n", 0o602)
    assert (deployment.run().returncode, ran.exists()) == (1, False)
    (deployment.release / ".env").chmod(0o600)
    deployment.deployed()
    assert ran.exists()


@pytest.mark.req("R-10.1-deploy-refuses")
@pytest.mark.parametrize("mode", [0o640, 0o602])
def test_an_env_of_the_host_that_others_see_is_not_run(running: Deployment, mode: int) -> None:
    """Its lines would be commands of root's; private again, it does."""
    ran = running.root / "ran"
    with (running.target / ".env").open("a") as file:
        file.write(f": >'{ran}'\n")
    (running.target / ".env").chmod(mode)
    before = _everything(running)
    done = running.run()
    assert (done.returncode, f"has mode {mode:o}" in done.stdout, ran.exists()) == (1, True, False), (
        done.stdout
    )
    assert _everything(running) == before
    (running.target / ".env").chmod(0o600)
    running.deployed()
    assert ran.exists()


@pytest.mark.req("R-10.1-deploy-refuses")
def test_the_hosts_own_env_counts(running: Deployment) -> None:
    """What was changed there stays, whatever lies beside the script."""
    path = running.target / ".env"
    path.write_text(ENV.replace("'first'", "'changed there'") + "OWN=1\n")
    running.put(".env", "nonsense", 0o644)
    running.deployed()
    assert running.files()[".env"] == (ENV.replace("'first'", "'changed there'") + "OWN=1\n", 0o600)


@pytest.mark.req("R-10.1-deploy-refuses")
@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        (
            "docker-compose.yml",
            "# services: good\nnonsense: 1\n",
            "Compose does not take the new files: nonsense: 1",
        ),
        (
            "scripts/check-users.sh",
            "#!/bin/bash\necho line 2 is plain; exit 1\n",
            "the users' file does not suit: line 2",
        ),
    ],
)
def test_a_release_that_the_host_does_not_accept_changes_nothing(
    running: Deployment, name: str, text: str, words: str
) -> None:
    """Compose's and the users' check's own words; the same files and containers as before."""
    running.put(name, text, 0o755)
    before = _everything(running)
    for option in ((), ("--dry-run",)):
        done = running.run(*option)
        assert (done.returncode, words in done.stdout) == (1, True), done.stdout
        assert _everything(running) == before
    assert running.leftovers() == []


@pytest.mark.req("R-10.1-deploy-whole")
@pytest.mark.parametrize("cut", ["1", "10240", "20480", ".contents", "config/good/setting"])
def test_a_release_that_is_cut_off_on_its_way_changes_nothing(running: Deployment, cut: str) -> None:
    """After so many bytes, or without a file, where tar itself sees nothing; whole it goes through."""
    (running.state / "cut").write_text(cut)
    before = _everything(running)
    done = running.run()
    assert (done.returncode, "did not arrive whole" in done.stdout) == (1, True), done.stdout
    assert _everything(running) == before
    (running.state / "cut").unlink()
    running.deployed()
    assert running.leftovers() == []


@pytest.mark.req("R-10.1-deploy-one-at-a-time")
def test_two_deployments_do_not_meet(running: Deployment) -> None:
    """The second is told so and changes nothing; when the first has ended it goes through."""
    before = _everything(running)
    with (running.target / ".deploy.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        done = running.run()
        assert (done.returncode, "another deployment is under way" in done.stdout) == (1, True), done.stdout
        assert _everything(running) == before
    running.deployed()


@pytest.mark.req("R-10.1-deploy-images")
def test_images_go_once_and_only_where_they_are_missing(deployment: Deployment) -> None:
    """The missing one is sent, the host's own of the same name is kept, and the owner is told of another."""
    deployment.image("site/other:1", "another", "there")
    done = deployment.deployed()
    assert deployment.tags() == {"site+good:1": "good-1", "site+other:1": "another"}
    assert "site/other:1 is another one here than on mail.example.net" in done.stdout
    assert [call for call in deployment.calls() if "load" in call] == ["docker load site/good:1"]


@pytest.mark.req("R-10.1-deploy-images")
def test_new_images_come_with_their_release(running: Deployment) -> None:
    """The lines of --images replace those of .env in their place; nothing else in it changes."""
    running.image("site/good:2", "good-2")
    lines = running.root / "lines"
    lines.write_text("# built today\nIMAGE_GOOD=site/good:2\n")
    done = running.run("--images", str(lines))
    assert done.returncode == 0, done.stdout
    assert running.files()[".env"][0] == ENV.replace("site/good:1", "site/good:2")
    assert running.containers()["good"].endswith(" site/good:2 good-2\n")
    lines.write_text("IMAGE_GOOD=site/good:latest\n")
    assert running.run("--images", str(lines)).returncode == 2


@pytest.mark.req("R-10.1-deploy-images")
def test_images_that_are_nowhere_or_have_no_room_change_nothing(running: Deployment) -> None:
    """Fetched by the host if a registry has it; else refused, as when the disk or the connection fails."""
    lines = running.release / "images.env"
    lines.write_text("IMAGE_GOOD='site/good:3'\n")
    before = running.files(), running.containers()
    done = running.run()
    assert (done.returncode, "site/good:3 is neither here nor to be had" in done.stdout) == (1, True), (
        done.stdout
    )
    running.image("site/good:3", "good-3")
    for name, words in (("size", "MiB on mail.example.net, 50000 are free"), ("no-load", "did not arrive")):
        (running.state / name).write_text(str(30_000 * 1048576))
        done = running.run()
        assert (done.returncode, words in done.stdout) == (1, True), done.stdout
        (running.state / name).unlink()
    assert (running.files(), running.containers()) == before
    (running.state / "here/images/site+good:3").unlink()
    (running.state / "registry").touch()
    running.deployed()
    assert running.containers()["good"].endswith(" site/good:3 pulled\n")

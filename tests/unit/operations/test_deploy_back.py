"""deploy.sh takes back what does not come up, and what was cut off (design 10.1)."""

import os
import shutil
import signal
import subprocess
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from fixtures.wait import wait_for
from tests.unit.operations.deployment import ENV, Deployment

# Read by every bash; the one that changes the host numbers its commands and at the wanted number ends
# with its whole process group, as by a power cut, or gets a signal.
_TRAP = """
case $0 in */take-release.sh) ;; *) return 0 ;; esac
set -o functrace
__n=0
__count() {
    __n=$((__n + 1))
    [ $__n -ne ${KILL_AT:-0} ] || eval "kill -${SIGNAL:-KILL} ${WHOM:-0}" 2>/dev/null || :
    [ -z "${COUNT-}" ] || echo $__n >>"$COUNT"
}
trap __count DEBUG
"""
FORMER_SERVES = "rolled back: the former release serves"


@pytest.fixture
def running(tmp_path: Path) -> Deployment:
    """A host on which a release runs, and the next release: every part of it is another."""
    made = Deployment(tmp_path)
    made.put("host/own.timer", "[Timer]\n")
    made.deployed()
    made.put("config/good/setting", "second\n")
    made.put("config/other/setting", "second\n")
    made.put("config/other/more", "new\n")
    made.put("scripts/new.sh", "#!/bin/bash\n", 0o755)
    made.put("host/unit.service", "second\n")
    made.put("host/new.timer", "[Timer]\n")
    made.put("images.env", "IMAGE_GOOD=site/good:2\n")
    made.image("site/good:2", "good-2")
    (made.release / "scripts/old.sh").unlink()
    (made.root / "trap").write_text(_TRAP)
    return made


def _service(deployment: Deployment) -> dict[str, list[str]]:
    """What each container is made of: health and image."""
    return {name: row.split()[3:] for name, row in deployment.containers().items()}


def _spoil_health(d: Deployment) -> None:
    d.put("config/good/state", "bad\n")


def _spoil_image(d: Deployment) -> None:
    d.image("site/good:2", "bad")


def _spoil_host(d: Deployment) -> None:
    d.put("host/refuses", "")


def _spoil_certificate(d: Deployment) -> None:
    (d.state / "no-certificate").touch()


@pytest.mark.req("R-10.1-roll-back")
@pytest.mark.parametrize("spoil", [_spoil_health, _spoil_image, _spoil_host, _spoil_certificate])
def test_whatever_fails_the_former_release_serves(
    running: Deployment, spoil: Callable[[Deployment], None]
) -> None:
    """Files, modes, .env, images and the host's set-up as before, every service healthy; status 1."""
    before = running.files(), _service(running)
    running.forget_calls()
    spoil(running)
    done = running.run()
    assert (done.returncode, FORMER_SERVES in done.stdout) == (1, True), done.stdout
    assert (running.files(), _service(running)) == before
    calls = running.calls()
    assert "install-host second" in calls
    assert [call for call in calls if call.startswith("install-host")][-1] == "install-host first"
    assert "systemctl --quiet disable --now new.timer" in calls
    assert "systemctl --quiet disable --now own.timer" not in calls
    assert running.leftovers() == []


@pytest.mark.req("R-10.1-roll-back")
def test_without_a_defect_the_same_release_stays(running: Deployment) -> None:
    """The control: everything is the new one's."""
    running.deployed()
    files = running.files()
    assert files["config/other/more"][0] == "new\n"
    assert "scripts/old.sh" not in files
    assert files[".env"][0] == ENV.replace("site/good:1", "site/good:2")
    assert _service(running)["good"] == ["running", "healthy", "site/good:2", "good-2"]


@pytest.mark.req("R-10.1-roll-back")
def test_it_is_said_what_did_not_get_healthy(running: Deployment) -> None:
    """State, the health check's words and the log's end of that service, of no other; the host keeps it."""
    _spoil_health(running)
    done = running.run()
    kept = (running.target / "logs/deploy.log").read_text()
    for said in ("good: running, unhealthy", "the checks own words", "the last words of good"):
        assert said in done.stdout
        assert said in kept
    assert "last words of other" not in done.stdout


@pytest.mark.req("R-10.1-roll-back")
def test_services_that_the_change_did_not_reach_run_on(running: Deployment) -> None:
    """What failed before any service was touched, and its way back, give nobody a new container."""
    before = running.containers()
    _spoil_host(running)
    assert running.run().returncode == 1
    assert running.containers() == before


@pytest.mark.req("R-10.1-roll-back")
def test_a_name_that_was_given_to_another_image_is_given_back(running: Deployment) -> None:
    """Somebody loaded another image under the name of the one that runs."""
    running.image("site/other:1", "bad", "there")
    done = running.run()
    assert (done.returncode, FORMER_SERVES in done.stdout) == (1, True), done.stdout
    assert running.tags()["site+other:1"] == "other-1"
    assert _service(running)["other"] == ["running", "healthy", "site/other:1", "other-1"]


@pytest.mark.req("R-10.1-roll-back")
def test_a_first_deployment_that_fails_leaves_nothing_that_runs(tmp_path: Path) -> None:
    """No container, no file of the release, no unit; .env is kept, and the next run is a first one."""
    deployment = Deployment(tmp_path)
    deployment.put("config/good/state", "bad\n")
    done = deployment.run()
    assert (done.returncode, "there was no former release" in done.stdout) == (1, True), done.stdout
    assert deployment.containers() == {}
    left = {name for name in deployment.files() if not name.startswith(("data/", "config/dovecot/"))}
    assert left == {".env"}
    assert "systemctl --quiet disable unit.service" in deployment.calls()
    deployment.put("config/good/state", "well\n")
    deployment.deployed()


@pytest.mark.req("R-10.1-roll-back")
def test_what_cannot_be_rolled_back_is_said_and_kept(running: Deployment) -> None:
    """Status 3 and where the former release lies; once mended, the next run puts it back and goes on."""
    (running.state / "no-host").touch()
    done = running.run()
    assert (done.returncode, "NOT rolled back: look at this host now" in done.stdout) == (3, True), (
        done.stdout
    )
    assert (running.target / ".former/files/scripts/old.sh").exists()
    assert running.run().returncode == 3
    (running.state / "no-host").unlink()
    done = running.deployed()
    assert "a former deployment was cut off; rolling it back first" in done.stdout
    assert running.files()["config/good/setting"][0] == "second\n"
    assert running.leftovers() == []


def _cut(deployment: Deployment, **variables: str) -> int:
    """Deploy with the trap; the exit status. Everything that was started has ended then."""
    process = subprocess.Popen(
        deployment.argv(), env=deployment.environment(BASH_ENV=str(deployment.root / "trap"), **variables),
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        start_new_session=True,
    )  # fmt: skip
    try:
        return process.wait(60)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _copy(running: Deployment, folder: Path) -> Deployment:
    """The same host and release in a place of its own."""
    made = Deployment(folder)
    for name in ("release", "host", "state", "trap"):
        source, target = running.root / name, folder / name
        if source.is_dir():
            shutil.rmtree(target, ignore_errors=True)
            shutil.copytree(source, target)
        else:
            shutil.copy(source, target)
    return made


@pytest.fixture
def points(running: Deployment) -> list[str]:
    """Commands of a whole run on the host, by number: some everywhere, more where the changes are."""
    count = running.root / "count"
    whole = _copy(running, running.root / "whole")
    assert _cut(whole, COUNT=str(count)) == 0
    numbers = sorted({int(line) for line in count.read_text().splitlines()})
    assert len(numbers) > 200
    step = len(numbers) // 9
    return [str(number) for number in sorted({*numbers[step::step], numbers[-4]})]


@pytest.mark.req("R-10.1-deploy-cut-off")
@pytest.mark.timeout(240)
def test_killed_anywhere_the_next_run_puts_the_former_release_back_first(
    running: Deployment, points: list[str]
) -> None:
    """A next release that is refused shows the former one whole and healthy; one that is good completes."""
    old = running.files(), _service(running)
    met = set()
    for point in points:
        host = _copy(running, running.root / f"at-{point}")
        assert _cut(host, KILL_AT=point) == -signal.SIGKILL, point
        met.add((host.target / ".former").exists())
        if (host.target / ".former").exists():
            compose = (host.release / "docker-compose.yml").read_text()
            host.put("docker-compose.yml", "nonsense\n")
            assert host.run().returncode == 1, point
            assert (host.files(), _service(host)) == old, point
            host.put("docker-compose.yml", compose)
        host.deployed()
        assert host.files()["config/other/more"][0] == "new\n", point
        assert _service(host)["good"] == ["running", "healthy", "site/good:2", "good-2"], point
        assert [name for name in host.leftovers() if not name.startswith("tmp.")] == [], point
    assert met == {True, False}


@pytest.mark.req("R-10.1-deploy-cut-off")
def test_a_host_that_is_told_to_stop_takes_the_change_back_itself(
    running: Deployment, points: list[str]
) -> None:
    """A signal at the script, not a power cut: the former release serves without a further run."""
    old = running.files(), _service(running)
    point = points[len(points) // 2]
    assert _cut(running, KILL_AT=point, SIGNAL="TERM", WHOM="$$") == 1
    assert (running.files(), _service(running)) == old
    assert running.leftovers() == []


@pytest.mark.req("R-10.1-deploy-cut-off")
def test_a_connection_that_breaks_does_not_stop_the_host(running: Deployment, points: list[str]) -> None:
    """The deploying side is gone in the middle; the host completes the release by itself."""
    point = points[len(points) // 2]
    assert _cut(running, KILL_AT=point, SIGNAL="KILL", WHOM="$PPID") != 0
    wait_for(
        "the host to complete", lambda: (running.target / ".deployed").read_text(),
        until=lambda text: "scripts/new.sh" in text, timeout=timedelta(seconds=30),
    )  # fmt: skip
    wait_for(
        "its traces to go", running.leftovers, until=lambda left: left == [], timeout=timedelta(seconds=30)
    )
    assert _service(running)["good"] == ["running", "healthy", "site/good:2", "good-2"]

"""health-monitor.sh: what is wrong is told once, as often as the design has it, and when it is over (8.4)."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.unit.compose.monitored import DAY, HOUR, NAMES, SPAM, VIRUS, Monitored, stats_answer
from tests.unit.operations.killed import Killer


@pytest.fixture
def server(tmp_path: Path) -> Monitored:
    """A healthy server."""
    return Monitored(tmp_path)


@pytest.mark.req("R-8.4-container-unhealthy", "R-8.4-recovery-notice")
@pytest.mark.parametrize(
    ("state", "word"),
    [
        ("running unhealthy", "unhealthy"),
        ("exited unhealthy", "exited"),
        ("paused healthy", "paused"),
        ("restarting starting", "restarting"),
        ("", "missing"),
    ],
)
def test_a_container_that_is_not_well_is_told_once(server: Monitored, state: str, word: str) -> None:
    """With the second look, then never again while it lasts; its end once; then it may begin anew."""
    assert server.look() == []
    server.containers(dovecot=state)
    assert server.look() == []
    [told] = server.look()
    assert told.subject == "[mail.one.example.org] mailserver-dovecot is not well"
    assert f"It is {word}." in told.text
    assert server.look(4, HOUR) == []
    server.containers()
    [over] = server.look()
    assert over.subject == "[mail.one.example.org] over: mailserver-dovecot is not well"
    assert server.look() == []
    server.containers(dovecot=state)
    assert len(server.look(2)) == 1


@pytest.mark.req("R-8.4-container-unhealthy")
def test_a_restart_is_no_alarm(server: Monitored) -> None:
    """One look that meets it, and its start period however long; ill after that, it is one."""
    server.containers(clamav="exited unhealthy")
    assert server.look() == []
    server.containers(clamav="running starting")
    assert server.look(4) == []
    server.containers()
    assert server.look(2) == []
    server.containers(clamav="running unhealthy")
    assert len(server.look(3)) == 1


@pytest.mark.req("R-8.4-container-unhealthy")
@pytest.mark.parametrize("unit", ["inactive", "activating", "deactivating"])
def test_a_server_that_was_stopped_on_purpose_is_no_alarm(server: Monitored, unit: str) -> None:
    """Its unit is not active; as soon as it is, what does not run is told."""
    server.file("unit").write_text(f"{unit}\n")
    server.containers(**{name.removeprefix("mailserver-"): "exited healthy" for name in NAMES})
    assert server.look(3) == []
    server.file("unit").write_text("active\n")
    assert len(server.look(2)) == 1


@pytest.mark.req("R-8.4-container-unhealthy")
def test_docker_that_does_not_answer_is_one_event(server: Monitored) -> None:
    """Not nine, and no look fails for it. No mail goes then: it is kept, and told once one does."""
    server.file("nodocker").touch()
    for _ in range(3):
        server.now += 60
        server.run()
    assert len(server.kept()) == 1
    server.file("nodocker").unlink()
    told = server.look()
    assert [item.subject.partition("] ")[2] for item in told] == [
        "Docker does not answer",
        "over: Docker does not answer",
    ]


@pytest.mark.req("R-8.4-recovery-notice")
def test_coming_and_going_is_no_storm(server: Monitored) -> None:
    """Ill two minutes of every four, for forty: told every quarter of an hour at most, ends no oftener."""
    told = []
    for _ in range(10):
        server.containers(redis="running unhealthy")
        told += server.look(2)
        server.containers()
        told += server.look(2)
    begins = [item for item in told if "over:" not in item.subject]
    assert 2 <= len(begins) <= 3
    assert len(told) - len(begins) == len(begins)


@pytest.mark.req("R-8.4-recovery-notice")
def test_what_happens_together_is_one_message(server: Monitored) -> None:
    """All nine containers and a disk in one minute: one mail, in which each of them stands."""
    server.containers(**{name.removeprefix("mailserver-"): "running unhealthy" for name in NAMES})
    server.look()
    server.disk("system", 95)
    server.certificate(10)
    server.look()
    [first] = server.mails()
    assert first.subject.endswith(" is not well, and 9 more")
    assert [name for name in NAMES if f"{name} is not well" not in first.text] == []
    assert "the system's disk is nearly full" in first.text


@pytest.mark.req("R-8.4-recovery-notice")
def test_each_alert_says_what_to_do(server: Monitored) -> None:
    """A command of this host in each, and where the runbook has more of it."""
    server.plan(stats_answer(("2027-01-15", 95)), {"SENDGRID_DAILY_QUOTA": "100"})
    server.containers(nginx="exited none")
    server.disk("system", 99)
    server.certificate(3)
    server.scanned(VIRUS, at=server.now + 70)
    server.scanned(SPAM, 200, at=server.now + 70)
    server.look(2)
    together = "".join(item.text for item in server.mails())
    parts = [part for part in together.split("\n\n") if ", since " in part or "viruses refused" in part]
    assert len(parts) == 6
    for part in parts:
        commands = [line for line in part.splitlines() if line.startswith("  ")]
        assert commands != [], part
    assert 'docs/runbook.md, "Alerts"' in together
    runbook = (Path(__file__).parents[3] / "docs/runbook.md").read_text(encoding="utf-8")
    section = runbook.split("\n### Alerts\n")[1].split("\n### ")[0]
    for word in (
        "is not well",
        "nearly full",
        "certificate",
        "virus",
        "flood of spam",
        "quota",
        "Docker does not",
    ):
        assert word in section, word


@pytest.mark.req("R-8.4-recovery-notice")
def test_a_spoilt_memory_or_clock_keeps_no_alert_away(server: Monitored) -> None:
    """Nonsense in the file, and a time of telling in the future: what is wrong is told."""
    memory = server.site.root / "state/health"
    server.look()
    memory.write_text("event\nevent disk:system x y z 1\n$(id)\nmark spam.1 99999999999999\n")
    server.disk("system", 95)
    assert len(server.look()) == 1
    server.now -= 300 * DAY
    assert server.look(2, 11 * HOUR) == []
    assert len(server.look(2, 11 * HOUR)) == 1


@pytest.mark.req("R-8.4-recovery-notice")
def test_killed_anywhere_it_has_told_or_tells_with_the_next_run(tmp_path: Path) -> None:
    """No moment at which an alert is neither told nor remembered as untold; nothing half written counts."""

    def ill(name: str) -> Monitored:
        (tmp_path / name).mkdir()
        server = Monitored(tmp_path / name)
        server.disk("system", 95)
        server.file("now").write_text(f"{server.now}\n")
        return server

    script = Path("scripts/health-monitor.sh")
    whole = ill("whole")
    numbers = Killer(whole.site).numbers(whole.site.root / script, [], "", **whole.variables())
    assert len(numbers) > 40
    assert len(whole.mails()) == 1
    before = after = 0
    for point in numbers[:: max(1, len(numbers) // 14)]:
        server = ill(f"at-{point}")
        killer, path = Killer(server.site), server.site.root / script
        assert killer.run(path, [], "", KILL_AT=str(point), **server.variables()) == -9
        first = len(server.mails())
        server.look(2)
        assert 1 <= len(server.mails()) <= 2, point
        assert server.kept() == []
        before, after = before + (first == 0), after + (first == 1)
    assert before > 0
    assert after > 0


@pytest.mark.req("R-8.4-recovery-notice")
def test_two_runs_at_once_tell_once(server: Monitored) -> None:
    """By hand beside the timer's: the second waits for the first."""
    server.look()
    server.disk("system", 95)
    with ThreadPoolExecutor(4) as several:
        done = list(several.map(lambda _: server.run(), range(4)))
    assert [run.returncode for run in done] == [0] * 4
    assert len(server.mails()) == 1

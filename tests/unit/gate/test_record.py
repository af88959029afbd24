"""What a green whole run proved is recorded, and nothing else is."""

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from fixtures import cli
from fixtures.gate import record
from fixtures.gate.checkout import look
from fixtures.gate.images import Image, ImageError, here, inspected
from fixtures.gate.record import Beginning, begin, keep
from fixtures.proof.report.judge import Judgement
from fixtures.proof.verdict import Counts
from fixtures.world import state, world
from tests.unit.gate.deployed import GATEWAY, SERVICES, Deployed, hashed

pytestmark = pytest.mark.req("R-0-proved-record")

STARTED = datetime(2026, 11, 29, 12, 0, tzinfo=UTC)
ENGINE = """#!/bin/sh
[ "$1 $2 $3 $5" = "image inspect --format a:1" ] || { echo "no such image: $5" >&2; exit 1; }
case $4 in "{{.Id}}") echo sha256:7 ;; *RootFS.Layers*) echo layers ;; esac
"""
BUILT = {"postfix": Image(tag="mailproof/postfix:1", id="sha256:1", content="2")}


@pytest.fixture
def results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A results folder in which every end-to-end spec of a run has passed, but for one that was skipped."""
    folder = tmp_path / "results"
    folder.mkdir()
    monkeypatch.setenv("MAILPROOF_RESULTS", str(folder))
    _ran(folder)
    return folder


def _ran(folder: Path, **other: Any) -> None:
    outcomes = ["passed", "passed", "skipped"]
    content = {"complete": True, "started": STARTED.isoformat(), "specs": [{"outcome": o} for o in outcomes]}
    (folder / "specs-e2e.json").write_text(json.dumps(content | other))


def _keep(deployed: Deployed, **other: Any) -> str:
    began = Beginning(look(deployed.root), STARTED)
    return keep(began, root=deployed.root, path=deployed.record, **({"inspect": lambda: BUILT} | other))


@pytest.mark.usefixtures("results")
def test_a_green_run_is_recorded_whole(deployed: Deployed) -> None:
    """Commit, every deployable file, the images, the time in UTC, the specs that passed; in one rename."""
    deployed.record.unlink()
    before = datetime.now(UTC).replace(microsecond=0)
    assert "recorded" in _keep(deployed)
    written = json.loads(deployed.record.read_text())
    assert written["commit"] == deployed.git("rev-parse", "HEAD")
    assert (written["clean"], written["specs"]) == (True, 2)
    assert written["files"] == deployed.hashes()
    assert written["images"] == {"postfix": {"tag": "mailproof/postfix:1", "id": "sha256:1", "content": "2"}}
    assert before <= datetime.fromisoformat(written["time"]) <= datetime.now(UTC)
    assert [path.name for path in deployed.record.parent.glob("proved*")] == ["proved.json"]


@pytest.mark.usefixtures("results")
def test_what_was_recorded_is_what_the_gate_goes_by(deployed: Deployed) -> None:
    """Right after a green run the repository is the same; after one more commit it is not."""
    deployed.prove(commit="0" * 40)
    assert deployed.answers()["repository"].state == "differs"
    _keep(deployed)
    assert deployed.answers()["repository"].state == "same"
    deployed.commit()
    assert deployed.answers()["repository"].state == "differs"


@pytest.mark.usefixtures("results")
def test_a_run_of_uncommitted_changes_is_recorded_as_such(deployed: Deployed) -> None:
    """The record says that no commit names what it proved."""
    deployed.write("compose/config/nginx/nginx.conf", "listen 444;\n")
    assert "uncommitted" in _keep(deployed)
    assert json.loads(deployed.record.read_text())["clean"] is False


def _no_engine() -> Mapping[str, Image]:
    raise ImageError("docker does not answer: no")


def test_what_proves_nothing_leaves_the_old_record(deployed: Deployed, results: Path) -> None:
    """A change in between, an older world, specs that did not all run in it, an engine that is gone."""
    old = deployed.record.read_text()
    now = Beginning(look(deployed.root), STARTED)

    def said(began: Beginning = now, inspect: Callable[[], Mapping[str, Image]] = lambda: BUILT) -> str:
        words = keep(began, root=deployed.root, path=deployed.record, inspect=inspect)
        assert deployed.record.read_text() == old
        assert words.startswith("not recorded as proved: ")
        return words

    assert "made of other files" in said(Beginning(now.checkout, STARTED, older=True))
    assert "docker does not answer" in said(inspect=_no_engine)
    assert "did not all run" in said(Beginning(now.checkout, STARTED + timedelta(seconds=1)))
    _ran(results, complete=False)
    assert "did not all run" in said()
    _ran(results, specs=[])
    assert "did not all run" in said()
    (results / "specs-e2e.json").write_text("[")
    assert "did not all run" in said()
    _ran(results)
    deployed.commit()
    assert "changed while it ran" in said()
    assert keep(Beginning(look(deployed.root), STARTED), root=deployed.root, path=deployed.record,
                inspect=lambda: BUILT).startswith("proved")  # fmt: skip
    assert deployed.record.read_text() != old


@pytest.mark.parametrize("warm", ["none", "same", "other", "unknown"])
def test_a_world_that_is_reused_has_to_be_of_these_files(
    deployed: Deployed, monkeypatch: pytest.MonkeyPatch, warm: str
) -> None:
    """It is what was proved, whatever lies in the checkout now."""
    made_of = {"same": deployed.hashes(), "other": deployed.hashes() | {"site.toml": "x"}}.get(warm, {})
    left = state.WorldState("x", {}, {}, "", {}, {}, "", 0, deployed=made_of)
    monkeypatch.setattr(world, "is_up", lambda: warm != "none")
    monkeypatch.setattr(state.WorldState, "load", lambda: left)
    assert begin(deployed.root).older == (warm in ("other", "unknown"))


@pytest.mark.parametrize(("status", "judged"), [(0, 0), (1, 1), (0, 1), (0, 3), (5, 3), (1, 0)])
@pytest.mark.parametrize("command", ["verify", "test"])
def test_only_a_verified_run_is_kept(
    monkeypatch: pytest.MonkeyPatch, command: str, status: int, judged: int
) -> None:
    """By its specs' exit status and by the report's verdict, both."""
    kept: list[object] = []

    def keep(began: object) -> str:
        kept.append(began)
        return "kept"

    nothing = dict.fromkeys(
        ("fixtures.proof.recorders.folder.forget", "fixtures.proof.recorders.versions.record_versions",
         "fixtures.proof.recorders.phases.record_phases", "fixtures.world.world.take_down"), lambda *_: None,
    )  # fmt: skip
    for name, act in nothing.items():
        monkeypatch.setattr(name, act)
    monkeypatch.setattr(world, "is_up", lambda: True)
    monkeypatch.setattr(record, "begin", lambda: "the beginning")
    monkeypatch.setattr(record, "keep", keep)
    monkeypatch.setattr(cli, "_specs", lambda _: (status, Counts(1)))
    line = {0: "VERIFIED: x", 1: "NOT VERIFIED: x", 3: "NO VERDICT: x"}[judged]
    monkeypatch.setattr("fixtures.proof.report.write.write_report", lambda _: Judgement(line))
    monkeypatch.setattr(cli, "BIN", Path("/nowhere"))
    ended = type("Ended", (), {"returncode": status})
    monkeypatch.setattr("fixtures.cli.subprocess.run", lambda *_, **__: ended)
    monkeypatch.setattr("fixtures.streams.run", lambda *_: status)
    done = CliRunner().invoke(cli.app, [command])
    assert not isinstance(done.exception, Exception), done.exception
    assert done.stdout.splitlines()[-1] == line
    assert kept == (["the beginning"] if (status, judged) == (0, 0) else [])


def test_an_image_is_known_by_tag_id_and_content(deployed: Deployed) -> None:
    """Of this machine's engine; one that it lacks is named."""
    (deployed.bin / "docker").write_text(ENGINE)
    assert inspected("a:1") == Image(tag="a:1", id="sha256:7", content=hashed(b"layers\n"))
    with pytest.raises(ImageError, match="b:1: no such image: b:1"):
        inspected("b:1")
    with pytest.raises(ImageError, match="no such image"):
        here()
    (deployed.bin / "docker").write_text("#!/bin/sh\necho x\n")
    assert set(here()) == {*SERVICES, *GATEWAY}

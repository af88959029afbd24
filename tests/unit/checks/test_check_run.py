"""A check as a whole: its exit status, its last line, its time, and what differs from the run before."""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from fixtures.checks import history
from fixtures.checks.item import Finding, Item, bad, good, unknown
from fixtures.checks.run import check, looked, verdict
from fixtures.proof.verdict import Word
from fixtures.targets.file import TargetError
from fixtures.world.images import ROOT
from tests.unit.checks.servers import name_server
from tests.unit.checks.system import HEAD
from tests.unit.checks.test_check_names import DOMAINS, MX, SOUND
from tests.unit.targets.files import written

pytestmark = pytest.mark.req("R-0-check-exit")


def _items(*findings: Finding) -> list[Item]:
    return [Item(str(number), *finding) for number, finding in enumerate(findings)]


@pytest.mark.parametrize(
    ("findings", "word", "status"),
    [
        ((good(""), good("")), Word.PASS, 0),
        ((good(""), bad("")), Word.FAIL, 1),
        ((bad(""), unknown("")), Word.FAIL, 1),
        ((good(""), unknown("")), Word.COULD_NOT_TELL, 3),
        ((), Word.COULD_NOT_TELL, 3),
    ],
)
def test_the_verdict_and_its_exit_status(findings: tuple[Finding, ...], word: Word, status: int) -> None:
    """A failure weighs most, what is not known next; nothing at all is not green."""
    assert (verdict(_items(*findings)), word.status) == (word, status)


def test_looks_go_on_at_once_and_are_bounded() -> None:
    """One that hangs is given up, and hides nothing; one that breaks has found nothing."""
    hanging = threading.Event()

    def hang() -> Finding:
        hanging.wait(30)
        return good("too late")

    def broken() -> Finding:
        raise ValueError("odd")

    started = time.monotonic()
    items = looked({"hangs": hang, "well": lambda: good("yes"), "broken": broken}, 0.5)
    took = time.monotonic() - started
    hanging.set()
    assert [(item.name, item.word) for item in items] == [
        ("hangs", Word.COULD_NOT_TELL), ("well", Word.PASS), ("broken", Word.COULD_NOT_TELL),
    ]  # fmt: skip
    assert items[0].seen == "no answer within 0.5 s"
    assert took < 10


def test_changes_are_what_is_new_gone_or_other() -> None:
    """And what is as it was is not mentioned."""
    former = {"same": ("PASS", "x"), "gone": ("PASS", "x"), "worse": ("PASS", "x")}
    now = [Item("same", *good("x")), Item("worse", *bad("y")), Item("new", *good("z"))]
    assert history.changes(former, now) == [
        "new: new: PASS: z", "no longer looked at: gone", "worse: PASS: x -> FAIL: y",
    ]  # fmt: skip


@pytest.mark.parametrize("text", ["", "{", "[]", '{"items": [{}]}', '{"items": 1}'])
def test_a_broken_memory_counts_as_none(tmp_path: Path, text: str) -> None:
    """And is written anew."""
    (tmp_path / "staging.json").write_text(text, encoding="utf-8")
    assert history.last(tmp_path, "staging") is None
    history.keep(tmp_path, "staging", [Item("a", *good("x"))])
    assert history.last(tmp_path, "staging") == {"a": ("PASS", "x")}


Checked = Callable[..., tuple[int, list[str]]]


@pytest.fixture
def checked(tmp_path: Path) -> Checked:
    """A whole check of a target that has DNS alone: its exit status and its lines."""

    def act(records: Mapping[tuple[str, str], str], *, only_changes: bool = False) -> tuple[int, list[str]]:
        lines: list[str] = []
        with name_server(records) as port:
            table = f'capabilities = ["dns"]\n[addresses]\nresolver = "127.0.0.1"\nresolver_port = {port}\n'
            written(tmp_path, HEAD + table)
            status = check(
                "staging", tmp_path, tmp_path / "kept", only_changes=only_changes, say=lines.append
            )
        return status, lines

    return act


def test_a_run_says_each_item_and_the_verdict_last(checked: Checked) -> None:
    """And what was not looked at, so that nobody takes it for well."""
    status, lines = checked(SOUND)
    assert (status, len(lines)) == (0, len(DOMAINS) + 3)
    assert lines[0] == f"PASS            dns: MX of {DOMAINS[0]}: {MX}"
    assert lines[-2].endswith("does not offer it: internet, tailnet, lan, accounts, host, aws")
    assert lines[-1] == "target staging: PASS (5 pass, 0 fail, 0 could not tell)"


def test_changes_alone_are_said_of_later_runs(checked: Checked) -> None:
    """The first run has nothing to compare with; the exit status says what is, not what differs."""
    assert len(checked(SOUND, only_changes=True)[1]) > 2
    assert checked(SOUND, only_changes=True)[1][0] == "nothing differs from the last check"
    other = dict(SOUND) | {(MX, "A"): "192.0.2.26"}
    assert checked(other, only_changes=True) == (
        0, [f"dns: address of {MX}: PASS: 192.0.2.25 -> PASS: 192.0.2.26",
            "target staging: PASS (5 pass, 0 fail, 0 could not tell)"],
    )  # fmt: skip
    lacking = {key: text for key, text in other.items() if key != (DOMAINS[0], "MX")}
    assert checked(lacking, only_changes=True)[0] == 1
    assert checked(lacking, only_changes=True) == (
        1, ["nothing differs from the last check", "target staging: FAIL (4 pass, 1 fail, 0 could not tell)"],
    )  # fmt: skip


def test_the_simulation_is_not_checked(tmp_path: Path) -> None:
    """It is verified."""
    with pytest.raises(TargetError, match="only a deployed system is checked"):
        check("sim", tmp_path, tmp_path, only_changes=False, say=print)


def test_the_command_tells_a_bad_target_with_a_next_step() -> None:
    """Exit status 2 and no traceback, as of every other wrong call."""
    argv = [sys.executable, "-m", "fixtures.cli", "check", "--target", "nowhere"]
    done = subprocess.run(
        argv,
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2, done.stderr
    assert "targets/nowhere.toml: no such file" in done.stderr
    assert "next step: correct the target file" in done.stderr
    assert "Traceback" not in done.stderr

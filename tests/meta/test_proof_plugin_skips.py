"""No spec stays away without a reason of a known kind, by whatever way it does."""

from pathlib import Path

import pytest

from tests.meta.proof_project import DOOR, Project, row

pytestmark = pytest.mark.req("R-0-typed-skips")

MARK = '@req("R-1-door")\n'


def _run(root: Path, code: str) -> tuple[int, str, list[str]]:
    """Exit status, output, and what was recorded of each spec; one further spec shows the row."""
    code = f"{code}\n{MARK}def test_shown():\n    pass\n"
    project = Project.create(root, row("door", DOOR), {"unit/test_house.py": code}, {"unit": 1})
    ended = project.run("tests/unit", "-ra")
    return ended.status, ended.output, [spec["outcome"] for spec in project.results()["specs"]]


@pytest.mark.parametrize(
    "code",
    [
        f'{MARK}def test_a():\n    skip(CapabilityAbsent("no glass"))\n',
        f'@pytest.mark.skipif(True, reason=CapabilityAbsent("no glass"))\n{MARK}def test_a():\n    pass\n',
        f'@pytest.mark.skip(reason=CapabilityAbsent("no glass"))\n{MARK}def test_a():\n    pass\n',
        f'@pytest.fixture\ndef no():\n    skip(CapabilityAbsent("x"))\n{MARK}def test_a(no):\n    pass\n',
    ],
)
def test_a_reason_of_a_known_kind_is_accepted(tmp_path: Path, code: str) -> None:
    """From the body, a mark or a fixture: the run passes, and the reason is shown with its kind."""
    status, output, outcomes = _run(tmp_path, code)
    assert (status, outcomes) == (0, ["skipped", "passed"]), output
    assert "CapabilityAbsent: " in output


@pytest.mark.parametrize(
    "code",
    [
        f'{MARK}def test_a():\n    pytest.skip("no glass")\n',
        f'{MARK}def test_a():\n    pytest.skip("CapabilityAbsent: no glass")\n',
        f'{MARK}def test_a():\n    pytest.importorskip("no_such_module")\n',
        f'@pytest.mark.skipif(True, reason="no glass")\n{MARK}def test_a():\n    pass\n',
        f"@pytest.mark.skip\n{MARK}def test_a():\n    pass\n",
        f'@pytest.fixture\ndef pane():\n    pytest.skip("x")\n{MARK}def test_a(pane):\n    pass\n',
        f'@pytest.fixture\ndef pane():\n    yield\n    pytest.skip("x")\n{MARK}def test_a(pane):\n    pass\n',
        f'{MARK}def test_a():\n    import unittest\n    raise unittest.SkipTest("no glass")\n',
        f"@pytest.mark.xfail\n{MARK}def test_a():\n    assert False\n",
        f'{MARK}def test_a():\n    pytest.xfail("no glass")\n',
        f"@pytest.mark.xfail(run=False)\n{MARK}def test_a():\n    pass\n",
    ],
)
def test_any_other_way_fails_the_spec(tmp_path: Path, code: str) -> None:
    """Also one that looks typed, one that pytest or unittest takes by itself, and an expected failure."""
    status, output, outcomes = _run(tmp_path, code)
    assert (status, outcomes) == (1, ["failed", "passed"]), output
    assert "test_house.py::test_a: not run without a reason of a known kind" in output
    assert "allowed: fixtures.proof.skip with CapabilityAbsent, VantageDown, TargetAbsent" in output


@pytest.mark.parametrize(
    "code",
    [
        'pytest.skip("no glass", allow_module_level=True)\n',
        'pytest.importorskip("no_such_module")\n',
        'pytest.skip(CapabilityAbsent("no glass"), allow_module_level=True)\n',
    ],
)
def test_a_file_is_not_skipped_as_a_whole(tmp_path: Path, code: str) -> None:
    """Its specs, and the promises that they name, would vanish from the count."""
    files = {"unit/test_house.py": code, "unit/test_other.py": f"{MARK}def test_shown():\n    pass\n"}
    project = Project.create(tmp_path, row("door", DOOR), files, {"unit": 1})
    ended = project.run("tests/unit")
    assert ended.status == 2, ended.output
    assert "tests/unit/test_house.py: a file is never skipped as a whole" in ended.output

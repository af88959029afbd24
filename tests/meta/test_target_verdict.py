"""Pass, fail and could not tell: three exit statuses, and nothing that is not reached is green."""

import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.meta.target_project import TargetProject

pytestmark = pytest.mark.req("R-0-three-verdicts")

GOOD = '@pytest.mark.needs("tailnet")\ndef test_good(target):\n    pass\n'
BAD = '@pytest.mark.needs("tailnet")\ndef test_bad(target):\n    assert False\n'
DEAD = """
@pytest.mark.needs("tailnet")
def test_dead(target):
    target.vantage("tailnet-pc").dial("x.example", 25)
"""
LOCKED = (
    '@pytest.fixture(scope="session")\ndef key():\n    raise CannotTellError(PermissionMissing("no key"))\n'
    '@pytest.mark.needs("tailnet")\ndef test_locked(target, key):\n    pass\n'
    '@pytest.mark.needs("tailnet")\ndef test_locked_too(target, key):\n    pass\n'
)
WORLD = "def test_inside(world):\n    pass\n"
AWS = '@pytest.mark.needs("aws")\ndef test_aws(target):\n    pass\n'
BESIDE = "def test_beside():\n    pass\n"


@pytest.mark.parametrize(
    ("code", "floors", "status", "told"),
    [
        (GOOD, {"tailnet": 1}, 0, ["PASS: all 1 specs that could look at it passed"]),
        (
            GOOD + WORLD,
            {"tailnet": 1},
            0,
            ["PASS: all 1", "1 not run: CapabilityAbsent: target staging does not"],
        ),
        (GOOD + AWS, {"tailnet": 1}, 0, ["1 not run: CapabilityAbsent: target staging does not offer aws"]),
        (GOOD + BAD, {"tailnet": 1}, 1, ["FAIL: 1 specs failed"]),
        (GOOD + BAD + DEAD, {"tailnet": 1}, 1, ["FAIL: 1 specs failed", "1 not run: VantageDown: "]),
        (
            GOOD + DEAD,
            {"tailnet": 1},
            3,
            ["COULD NOT TELL: 1 specs did not get at", "VantageDown: the proxy"],
        ),
        (
            GOOD + LOCKED,
            {"tailnet": 1},
            3,
            ["COULD NOT TELL: 2 specs", "2 not run: PermissionMissing: no key"],
        ),
        (DEAD, {"tailnet": 1}, 3, ["COULD NOT TELL"]),
        (GOOD, {"tailnet": 2}, 3, ["COULD NOT TELL: only 1 specs that need tailnet ran; at least 2 must"]),
        (WORLD, {"tailnet": 1}, 3, ["COULD NOT TELL: only 0 specs that need tailnet ran"]),
        (BESIDE, {"tailnet": 1}, 3, ["COULD NOT TELL: only 0 specs that need tailnet ran"]),
        (BESIDE, {"host": 1}, 3, ["COULD NOT TELL: the target offers nothing that specs could look at"]),
        ("", {"tailnet": 1}, 3, ["COULD NOT TELL"]),
    ],
)
def test_exit_status_and_words_agree(
    tmp_path: Path, code: str, floors: Mapping[str, int], status: int, told: list[str]
) -> None:
    """0, 1 and 3; the last line is the verdict, the lines before it say what was not run and why."""
    ended = TargetProject.create(tmp_path, code, {"staging": ""}, floors).run("--target", "staging")
    assert [words for words in told if words not in ended.output] == [], ended.output
    assert ended.status == status, ended.output


def test_results_of_a_target_lie_by_themselves(tmp_path: Path) -> None:
    """They are not taken for the simulation's, and prove no row of the catalogue."""
    project = TargetProject.create(tmp_path, GOOD, {"staging": ""})
    assert project.run("--target", "staging").status == 0
    results = tmp_path / ".mailproof" / "results"
    verdict = json.loads((results / "targets" / "staging" / "verdict.json").read_text(encoding="utf-8"))
    assert (verdict["verdict"], verdict["target"], verdict["not_run"]) == ("PASS", "staging", {})
    [found] = results.rglob("specs-e2e.json")
    assert found == results / "targets" / "staging" / "specs-e2e.json"
    content = json.loads(found.read_text(encoding="utf-8"))
    assert (content["complete"], [spec["outcome"] for spec in content["specs"]]) == (False, ["passed"])


@pytest.mark.req("R-0-target-file")
def test_a_bad_target_file_ends_the_run_before_it_begins(tmp_path: Path) -> None:
    """With what is wrong, and without a traceback."""
    ended = TargetProject.create(tmp_path, GOOD, {"staging": "pace = 1\n"}).run("--target", "staging")
    assert ended.status == 4, ended.output
    assert "targets/staging.toml: pace: unknown key" in ended.output
    assert "Traceback" not in ended.output
    other = TargetProject(tmp_path).run("--target", "nowhere")
    assert (other.status, "there are sim, staging" in other.output) == (4, True), other.output


@pytest.mark.req("R-0-target-secrets")
def test_a_failed_specs_folder_holds_no_password(tmp_path: Path) -> None:
    """Although the failure's own words do; who it belongs to is still there."""
    spec = """
@pytest.mark.needs("tailnet")
def test_bad(target):
    said = [f"{user} has {word}" for user, word in target.passwords.items()]
    raise AssertionError(said)
"""
    project = TargetProject.create(tmp_path, spec, {"staging": ""})
    with (tmp_path / "targets" / "staging.toml").open("a", encoding="utf-8") as file:
        file.write('[[accounts]]\nuser = "probe"\npassword_env = "PROBE_PASSWORD"\n')
    secret = "tr0ub4dor-and-3"
    ended = project.run("--target", "staging", "--show-capture=no", environment={"PROBE_PASSWORD": secret})
    assert ended.status == 1, ended.output
    [folder] = (tmp_path / ".mailproof" / "failures").iterdir()
    texts = [path.read_text(encoding="utf-8") for path in folder.rglob("*") if path.is_file()]
    assert [text for text in texts if secret in text] == []
    assert any("probe@kuma8088.com has ***" in text for text in texts), texts

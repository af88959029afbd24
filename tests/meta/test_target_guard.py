"""What a target's owner does not allow does not happen, whatever the flags."""

from pathlib import Path

import pytest

from tests.meta.target_project import TargetProject

pytestmark = pytest.mark.req("R-0-live-read-only")

CHANGES = ("destructive", "load", "fault")
READING = """
@pytest.fixture(scope="session", autouse=True)
def opened(target):
    pass

@pytest.mark.needs("tailnet")
def test_reading(target):
    Path("reading.trace").touch()
"""
CHANGING = """
@pytest.fixture
def prepared_{change}():
    Path("prepared-{change}.trace").touch()

@pytest.mark.needs("tailnet")
@pytest.mark.{change}
def test_{change}(target, prepared_{change}):
    Path("{change}.trace").touch()
"""
CODE = READING + "".join(CHANGING.format(change=change) for change in CHANGES)
UNMARKED = """
def test_of_nobody_knows_what(target):
    Path("unmarked.trace").touch()
"""
BY_NAME = tuple(f"tests/e2e/test_house.py::test_{change}" for change in CHANGES)
FLAGS: tuple[tuple[str, ...], ...] = (
    BY_NAME,
    ("-m", "destructive or load or fault"),
    ("-o", "addopts=", "-o", "markers="),
    ("-p", "no:skipping", "--runxfail"),
    ("-p", "no:mailproof-telling"),
    ("--setup-only",),
    ("-c", "/dev/null", "--rootdir", "/"),
    ("-p", "no:fixtures.targets.plugin"),
    ("--noconftest",),
)


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> TargetProject:
    """A spec that only reads, one for each kind of change, and targets that allow nothing, or one kind."""
    targets = {"nothing": ""} | {change: f"allow = ['{change}']\n" for change in CHANGES}
    return TargetProject.create(tmp_path_factory.mktemp("guard"), CODE, targets)


@pytest.fixture
def project(house: TargetProject) -> TargetProject:
    """The same, without traces of another spec's runs."""
    for name in house.traces():
        (house.root / name).unlink()
    return house


@pytest.mark.parametrize("flags", FLAGS, ids=" ".join)
def test_no_flag_makes_it_run(project: TargetProject, flags: tuple[str, ...]) -> None:
    """Neither the specs nor fixtures of their own begin; the next specs are the controls."""
    ended = project.run("--target", "nothing", *flags)
    assert set(project.traces()) <= {"reading.trace"}, ended.output


def test_it_says_why_and_reading_goes_on(project: TargetProject) -> None:
    """The reason has its kind, and the spec that only reads has run."""
    ended = project.run("--target", "nothing", "-rs")
    assert project.traces() == ["reading.trace"], ended.output
    for change in CHANGES:
        assert f"NotAllowed: target nothing does not allow {change}" in ended.output
    assert ended.status == 0, ended.output


def test_a_spec_that_names_no_need_is_kept_away(tmp_path: Path) -> None:
    """Nobody has thought about it for deployed systems; the one that names its need has run beside it."""
    project = TargetProject.create(tmp_path, READING + UNMARKED, {"nothing": ""})
    ended = project.run("--target", "nothing", "-rs")
    assert project.traces() == ["reading.trace"], ended.output
    assert "CapabilityAbsent: target nothing does not offer simulation" in ended.output


@pytest.mark.parametrize("change", CHANGES)
def test_what_the_owner_allows_runs_and_nothing_else(project: TargetProject, change: str) -> None:
    """One kind is not the others."""
    ended = project.run("--target", change, *BY_NAME)
    assert project.traces() == sorted([f"{change}.trace", f"prepared-{change}.trace"]), ended.output


def test_the_simulation_allows_all(tmp_path: Path) -> None:
    """Without a target the guard keeps nothing away; a world is not started for specs that ask for none."""
    code = "@pytest.mark.destructive\ndef test_it():\n    Path('spec.trace').touch()\n"
    project = TargetProject.create(tmp_path, code, {})
    ended = project.run()
    assert project.traces() == ["spec.trace"], ended.output

"""The judgement: killed only when every named spec turned red by itself."""

import pytest

from fixtures.proof.mutants.command import clean, score
from fixtures.proof.mutants.entry import Mutant
from fixtures.proof.mutants.judge import Result, judge, not_tried
from fixtures.proof.mutants.specs import Outcome

pytestmark = pytest.mark.req("R-0-mutants")


def mutant(*, starts: bool = True) -> Mutant:
    """Any mutant."""
    return Mutant(
        name="any", breaks="harness", why="because of this", file="x", find="a", replace="b",
        specs=("one", "two"), starts=starts,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("one", "two", "starts", "verdict"),
    [
        ("failed", "failed", True, "killed"),
        ("failed", "passed", True, "survived"),
        ("passed", "passed", True, "survived"),
        ("failed", "error", True, "invalid"),
        ("error", "error", True, "invalid"),
        ("failed", "missing", True, "invalid"),
        ("missing", "missing", True, "invalid"),
        ("error", "failed", False, "killed"),
        ("error", "passed", False, "survived"),
        ("error", "missing", False, "invalid"),
    ],
)
def test_what_a_mutant_is(one: str, two: str, starts: bool, verdict: str) -> None:
    """A spec that stays green is a survivor; a broken set-up proves nothing, unless declared."""
    result = judge(mutant(starts=starts), Outcome({"one": one, "two": two}), 1.5)
    assert (result.name, result.breaks, result.outcome, result.seconds) == ("any", "harness", verdict, 1.5)


def test_the_killers_are_named() -> None:
    """Of a killed one its killers, of a survivor the specs that stayed green."""
    assert judge(mutant(), Outcome({"one": "failed", "two": "failed"}), 0).by == ("one", "two")
    survivor = judge(mutant(), Outcome({"one": "failed", "two": "passed"}), 0)
    assert (survivor.by, survivor.why) == (("one",), "stayed green: two")


def test_why_it_is_invalid_is_told_with_the_programs_own_words() -> None:
    """The end of the output comes with it; a mutant that could not be applied has its own reason."""
    result = judge(mutant(), Outcome({"one": "missing", "two": "failed"}, "first\nlast words"), 0)
    assert result.why == "did not run: one\nfirst\nlast words"
    assert not_tried(mutant(), "no such file").outcome == "invalid"


def test_only_killed_mutants_are_success() -> None:
    """One survivor or invalid one spoils it, and so does having tried none."""
    killed, survived, invalid = (
        Result("x", "harness", word, 0) for word in ("killed", "survived", "invalid")
    )
    assert clean([killed, killed])
    assert not clean([killed, survived])
    assert not clean([killed, invalid])
    assert not clean([])
    assert score([killed, killed, survived]) == "2 killed, 1 survived, 0 invalid"

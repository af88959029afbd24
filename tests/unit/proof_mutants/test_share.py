"""Shares of the fast mutants: the same for the same commit, disjoint, and together all of them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fixtures.proof.mutants.entry import Mutant, MutantError
from fixtures.proof.mutants.share import share

pytestmark = pytest.mark.req("R-0-mutants")

NAMES = st.lists(st.from_regex(r"[a-z][a-z0-9]{0,5}", fullmatch=True), unique=True, max_size=20)


def mutant(name: str, spec: str = "tests/unit/test_it.py") -> Mutant:
    """A mutant of that name."""
    return Mutant(
        name=name, breaks="harness", why="because of this", file="x", find="a", replace="b", specs=(spec,)
    )


@given(NAMES, st.integers(1, 9))
def test_the_shares_are_disjoint_and_together_all(names: list[str], parts: int) -> None:
    """Whatever there is: each fast mutant is in exactly one share, and the shares differ by one at most."""
    mutants = [mutant(name) for name in names]
    shares = [share(mutants, f"{number}/{parts}", "") for number in range(1, parts + 1)]
    assert sorted(found.name for part in shares for found in part) == sorted(names)
    sizes = [len(part) for part in shares]
    assert max(sizes) - min(sizes) <= 1


def test_a_commit_chooses_the_same_share_every_time() -> None:
    """Its id alone decides; other commits take the other shares."""
    mutants = [mutant(name) for name in "abcdef"]
    by_commit = {
        commit: [found.name for found in share(mutants, "commit/3", commit.ljust(40, "0"))]
        for commit in ("00000000", "00000001", "00000002", "00000003")
    }
    assert list(by_commit.values()) == [["a", "d"], ["b", "e"], ["c", "f"], ["a", "d"]]


def test_slow_mutants_are_in_no_share() -> None:
    """What needs a container or the world waits for the full run."""
    mutants = [mutant("slow", "tests/integration/test_it.py"), mutant("fast")]
    assert [found.name for found in share(mutants, "1/1", "")] == ["fast"]


@pytest.mark.parametrize("wanted", ["0/3", "4/3", "1", "1/0", "third", "/3", "1/100", "commit"])
def test_other_shares_are_refused(wanted: str) -> None:
    """The refusal says what is allowed."""
    with pytest.raises(MutantError, match="allowed: N/M with 1 <= N <= M <= 99, or commit/M"):
        share([mutant("any")], wanted, "0" * 40)

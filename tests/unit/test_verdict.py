"""The verdict says no more than what ran."""

from pathlib import Path

import pytest

from fixtures.proof.verdict import Counts, verdict

pytestmark = pytest.mark.req("R-0-verdict-counts")

_JUNIT = """<?xml version="1.0"?><testsuites><testsuite name="pytest">
<testcase classname="a" name="passes"/>
<testcase classname="a" name="fails"><failure message="x"/></testcase>
<testcase classname="a" name="breaks"/>
<testcase classname="a" name="breaks"><error message="at teardown"/></testcase>
<testcase classname="a" name="waits"><skipped message="typed"/></testcase>
</testsuite></testsuites>"""


def test_counts_of_a_run(tmp_path: Path) -> None:
    """A case that passed and then broke in its clean-up is listed twice, and counts once, as failed."""
    (tmp_path / "specs.xml").write_text(_JUNIT)
    assert Counts.read(tmp_path / "specs.xml") == Counts(run=3, failed=2, skipped=1)


def test_no_file_means_that_nothing_ran(tmp_path: Path) -> None:
    """pytest writes its file at the end; without one there are no results."""
    assert Counts.read(tmp_path / "specs.xml") == Counts()


@pytest.mark.parametrize(
    ("status", "counts", "word"),
    [
        (0, Counts(70), "VERIFIED: all 70"),
        (1, Counts(70, 2), "NOT VERIFIED: 2 of 70"),
        (1, Counts(70), "NOT VERIFIED: all 70 specs passed, but"),
        (0, Counts(0), "NO VERDICT"),
        (0, Counts(70, 1), "NO VERDICT"),
        (2, Counts(10), "NO VERDICT"),
        (5, Counts(0), "NO VERDICT"),
    ],
)
def test_the_line_for_each_end(status: int, counts: Counts, word: str) -> None:
    """Only a complete run without failures is called verified."""
    assert verdict(status, counts).startswith(word)

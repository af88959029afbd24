"""docs/runbook.md is whole: seven problems, each with its cure; the plan; what is marked as a command."""

import re
from pathlib import Path

import pytest

from fixtures.proof.runbook import RunbookError, read
from fixtures.world.images import ROOT

DOCUMENT = ROOT / "docs/runbook.md"
TEXT = DOCUMENT.read_text(encoding="utf-8")
PROBLEMS = re.findall(r"^### (\d\. .+)$", TEXT, re.MULTILINE)


def _plain(text: str) -> str:
    return " ".join(text.split())


@pytest.mark.req("R-11.2-commands")
def test_every_problem_of_the_design_has_all_four_parts() -> None:
    """Seven, in the design's order, each with commands for finding, curing and seeing it cured."""
    assert [title[0] for title in PROBLEMS] == list("1234567")
    for title in PROBLEMS:
        section = TEXT.split(f"### {title}\n")[1].split("\n### ")[0]
        parts = re.findall(r"^\*\*(Symptom|Found by|Remedy|Cured when)\b", section, re.MULTILINE)
        assert parts == ["Symptom", "Found by", "Remedy", "Cured when"], title
        with_commands = {command.part for command in read(DOCUMENT) if command.heading == title}
        assert with_commands == {"Found by", "Remedy", "Cured when"}, title


@pytest.mark.req("R-11.2-commands")
def test_every_command_that_looks_says_what_it_shows() -> None:
    """A remedy may be silent; each place's shell has its first lines once, and reads no secret into view."""
    commands = read(DOCUMENT)
    silent = {(c.heading[:2], c.part) for c in commands if c.shows is None and "preamble" not in c.words}
    assert {part for _, part in silent} <= {"Remedy"}
    assert sorted(c.place for c in commands if "preamble" in c.words) == ["admin", "dell"]
    assert len([c for c in commands if not c.part]) > 15


@pytest.mark.req("R-11.2-commands")
def test_what_is_shown_is_compared(tmp_path: Path) -> None:
    """Dots stand for anything and blanks for blanks, nothing else agrees; no block escapes by its mark."""
    page = tmp_path / "page.md"
    page.write_text(
        "## A\n**Found by** x\n```sh dell until\nls\n```\n```text\na ... c\n```\n```sh admin\nid\n```\n"
    )
    first, second = read(page)
    assert (first.heading, first.part, first.place, first.line) == ("A", "Found by", "dell", 3)
    assert first.agrees("a b\n c\n")
    assert not first.agrees("a b\n")
    assert not first.agrees("")
    assert (second.shows, second.agrees("anything")) == (None, True)
    for bad in (
        "```sh\nls\n```\n",
        "```sh laptop\nls\n```\n",
        "```sh dell unti\nls\n```\n",
        "```sh dell\nls\n",
    ):
        page.write_text(bad)
        with pytest.raises(RunbookError, match="line 1"):
            read(page)


@pytest.mark.req("R-5.3-plan-stated")
def test_the_plan_is_stated_and_what_ends_with_it() -> None:
    """Which plan is assumed, that the free one is gone, what stops and what does not (F79)."""
    section = _plain(TEXT.split("### The SendGrid plan\n")[1].split("\n## ")[0])
    for said in (
        "Assumed is a paid plan",
        "trial of 60 days with 100 messages a day",
        "SendGrid takes nothing more until a plan is bought",
        "What ends with the plan",
        "Mail of your users to other domains",
        "Mail from outside does not pass SendGrid",
    ):
        assert said in section


@pytest.mark.req("R-5.3-plan-stated")
def test_how_long_mail_waits_is_what_postfix_is_set_to() -> None:
    """The four hours and the five days of that section; five days is Postfix's own default."""
    settings = (ROOT / "compose/config/postfix/main.cf").read_text(encoding="utf-8")
    assert re.search(r"^delay_warning_time = 4h$", settings, re.MULTILINE)
    assert "queue_lifetime" not in settings
    assert "told after four hours; after five days it goes back" in _plain(TEXT)

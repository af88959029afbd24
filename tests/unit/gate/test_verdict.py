"""The last line and the exit status: verified only when everything was looked at and is the same."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from fixtures.cli import app
from fixtures.gate import command
from fixtures.gate.answer import Answer, CallError, judge, printable
from tests.unit.gate.deployed import Deployed

pytestmark = pytest.mark.req("R-0-deploy-gate")

ANSWERS = {
    "same": Answer("x"),
    "differs": Answer("x", ("a", "b"), ("c",)),
    "could not tell": Answer("x", (), ("c",)),
    "not looked at": Answer("x", looked=False),
}
States = st.lists(st.sampled_from(sorted(ANSWERS)), min_size=1, max_size=4)


def test_everything_the_same_is_verified(deployed: Deployed, capsys: pytest.CaptureFixture[str]) -> None:
    """Repository, host and account."""
    assert command.show([*deployed.answers("host", "AWS").values()]) == 0
    shown = capsys.readouterr().out.splitlines()
    assert shown[-1] == "VERIFIED: what is deployed is what was proved"
    assert [line for line in shown if not line.startswith(" ")][:3] == [
        "repository: same",
        "host: same",
        "AWS: same",
    ]


def test_one_difference_anywhere_is_not_verified(
    deployed: Deployed, capsys: pytest.CaptureFixture[str]
) -> None:
    """Even while something else cannot be told."""
    deployed.say("error", "Error: no\n")
    (deployed.host / "docker-compose.yml").write_text("services: []\n")
    assert command.show([*deployed.answers("host", "AWS").values()]) == 1
    shown = capsys.readouterr().out.splitlines()
    assert "  differs: docker-compose.yml has another content" in shown
    assert shown[-1] == "NOT VERIFIED: host differs from what was proved"


def test_what_was_not_asked_for_is_said_and_not_verified(
    deployed: Deployed, capsys: pytest.CaptureFixture[str]
) -> None:
    """Unless the repository alone was asked for, and then the line says so."""
    found = [*deployed.answers("host").values()]
    assert command.show(found) == 3
    shown = capsys.readouterr().out.splitlines()
    assert "AWS: not looked at" in shown
    assert shown[-1] == "NO VERDICT: AWS not looked at"
    assert command.show([*deployed.answers().values()], repository_only=True) == 0
    last = capsys.readouterr().out.splitlines()[-1]
    assert last == "VERIFIED: the repository is what was proved; host, AWS not looked at"


def test_the_repository_alone_still_has_to_be_the_same(deployed: Deployed) -> None:
    """No record, and a difference."""
    deployed.write("site.toml", "x = 1\n")
    assert command.show([*deployed.answers().values()], repository_only=True) == 1
    deployed.record.unlink()
    assert command.show([*deployed.answers().values()], repository_only=True) == 3


def test_programs_get_the_same_as_json(deployed: Deployed, capsys: pytest.CaptureFixture[str]) -> None:
    """Every difference, however many; people get thirty of a part."""
    for number in range(40):
        (deployed.host / f"config/nginx/{number:02}.conf").write_text("x")
    found = [*deployed.answers("host").values()]
    assert command.show(found, as_json=True) == 1
    said = json.loads(capsys.readouterr().out)
    assert (said["verdict"], said["status"]) == ("NOT VERIFIED", 1)
    host = next(part for part in said["parts"] if part["part"] == "host")
    assert (host["state"], len(host["differs"])) == ("differs", 40)
    assert command.show(found) == 1
    shown = capsys.readouterr().out
    assert shown.count("is there too much") == 30
    assert "differs: … and 10 more" in shown


@given(states=States, repository_only=st.booleans())
def test_verified_means_that_nothing_spoke_against_it(states: list[str], repository_only: bool) -> None:
    """Any mixture of answers: 1 for a difference, 0 only for all the same, else 3."""
    verdict = judge([ANSWERS[state] for state in states], repository_only=repository_only)
    seen = {*states} - ({"not looked at"} if repository_only else set())
    expected = 1 if "differs" in states else 0 if seen == {"same"} else 3
    assert verdict.status == expected
    assert verdict.word == {0: "VERIFIED", 1: "NOT VERIFIED", 3: "NO VERDICT"}[expected]


@given(text=st.text())
def test_a_line_is_one_printable_line(text: str) -> None:
    """Whatever was said; what could be printed stays as it is."""
    shown = printable(text)
    assert shown.isprintable()
    assert len(shown) == len(text)
    assert all(a == b for a, b in zip(text, shown, strict=True) if a.isprintable())


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--host", "http://x"], "is no ssh address"),
        (["--terraform", "/nonexistent"], "no Terraform configuration is there"),
        (["--repository-only", "--host", "mailserver"], "--repository-only goes with neither"),
        (["--repository-only", "--terraform", "infra/terraform"], "--repository-only goes with neither"),
    ],
)
def test_a_wrong_call_says_what_is_wrong_and_the_next_step(options: list[str], told: str) -> None:
    """With status 2, and no traceback."""
    done = CliRunner().invoke(app, ["plan", *options])
    assert (done.exit_code, type(done.exception)) == (2, SystemExit)
    assert told in done.output
    assert "next step: " in done.output


def test_the_command_hands_its_options_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """And its status back."""
    called: list[Any] = []

    def run(*arguments: Any, **options: Any) -> int:
        called.append((arguments, options))
        return 3

    monkeypatch.setattr(command, "run", run)
    words = ["plan", "--host", "ssh://root@mailserver", "--terraform", "infra/terraform", "--json"]
    assert CliRunner().invoke(app, words).exit_code == 3
    expected = (
        ("ssh://root@mailserver", Path("infra/terraform")),
        {"repository_only": False, "as_json": True},
    )
    assert called == [expected]


def test_a_broken_site_file_is_said_with_the_next_step(deployed: Deployed) -> None:
    """It is needed for the names of the variables."""
    deployed.write("site.toml", "[mail]\n")
    with pytest.raises(CallError) as caught:
        deployed.answers("host")
    assert caught.value.next_step == "correct site.toml, then run again"

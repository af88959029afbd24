"""Passwords of test accounts: from where the target file says, when they are needed, and in no words."""

import sys
from pathlib import Path

import pytest

from fixtures.proof.skip import CannotTellError
from fixtures.targets.deployed import Deployed
from fixtures.targets.file import load_target
from fixtures.targets.passwords import Passwords, disclosed
from tests.unit.targets.files import GOOD, written

pytestmark = pytest.mark.req("R-0-target-secrets")

USER = "probe@kuma8088.com"
SECRET = "tr0ub4dor-and-3"


def _passwords(folder: Path, *argv: str) -> Passwords:
    text = GOOD
    if argv:
        text = text.replace('password_env = "PROBE_PASSWORD"', f"password_command = {list(argv)}")
    return Deployed(load_target("staging", written(folder, text))).passwords


def test_it_is_read_when_it_is_needed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From the environment as it is then; who there is can be told without it."""
    passwords = _passwords(tmp_path)
    assert list(passwords) == [USER]
    monkeypatch.setenv("PROBE_PASSWORD", SECRET)
    assert passwords[USER] == SECRET
    assert SECRET in disclosed
    assert SECRET not in repr(passwords)


def test_a_command_prints_it(tmp_path: Path) -> None:
    """Its first line, without the line's end; it is an argument list, so that no shell reads it."""
    code = f"print('{SECRET}'); print('url: https://example.net')"
    assert _passwords(tmp_path, sys.executable, "-c", code)[USER] == SECRET


@pytest.mark.parametrize(
    ("argv", "told"),
    [
        (["no-such-program"], "command 'no-such-program': there is no such program"),
        ([sys.executable, "-c", f"import sys; sys.exit('{SECRET}')"], "exit status 1"),
        ([sys.executable, "-c", ""], "the command is empty or not set"),
    ],
)
def test_one_that_is_not_to_be_had_says_why(tmp_path: Path, argv: list[str], told: str) -> None:
    """In a typed reason that repeats nothing of what the command said."""
    with pytest.raises(CannotTellError) as caught:
        _passwords(tmp_path, *argv)[USER]
    text = str(caught.value.reason)
    assert text.startswith(f"PermissionMissing: password of {USER}: ")
    assert told in text
    assert SECRET not in text


def test_an_unset_variable_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """So that whoever runs it knows what to set."""
    monkeypatch.delenv("PROBE_PASSWORD", raising=False)
    with pytest.raises(CannotTellError, match="environment variable PROBE_PASSWORD is empty or not set"):
        _passwords(tmp_path)[USER]

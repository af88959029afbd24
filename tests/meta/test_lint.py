"""The repository's own lint sees what must never be committed."""

from pathlib import Path

import pytest

from tests import lint


@pytest.mark.req("R-0-lint")
@pytest.mark.parametrize(
    ("line", "what"),
    [
        ("RUN curl https://" + "pypi" + ".org/simple", "a package registry's host name"),
        ("see .." + "/shared/design", "a path into the workplace"),
        ("key = SG." + "a" * 22 + "." + "b" * 43, "a real-looking SendGrid key"),
        ("-----BEGIN " + "EC PRIVATE KEY-----", "a private key"),
        ("admin = me@" + "gmail.com", "an address at a public mailbox provider"),
    ],
)
def test_each_forbidden_thing_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, line: str, what: str
) -> None:
    """A file with it is named with line and reason; the same file without it is not."""
    monkeypatch.setattr(lint, "ROOT", tmp_path)
    bad, good = tmp_path / "bad.txt", tmp_path / "good.txt"
    bad.write_text(f"first\n{line}\n")
    good.write_text("first\nsecond\n")
    assert lint.forbidden([bad, good]) == [f"bad.txt:2: {what}"]

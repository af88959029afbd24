"""What people are told to type exists on the machines that they type it on (design 11.2, F89)."""

import re
from pathlib import Path

import pytest

from fixtures.proof.mutants.tree import files_of
from fixtures.world.images import ROOT
from tests.lint import is_shell

pytestmark = pytest.mark.req("R-11.2-current-tools")

# The compose file's name is no command.
OLD = re.compile(r"\bdocker-compose\b(?!\.ya?ml)|\bnetstat\b")
ROOMS = ("compose", "docs", "infra")


def told() -> list[Path]:
    """Documents, scripts and units: whatever people read or hosts run."""
    return [
        path
        for path in (ROOT / name for name in files_of(ROOT))
        if path.suffix == ".md" or (path.relative_to(ROOT).parts[0] in ROOMS and path.suffix != ".toml")
        or is_shell(path)
    ]  # fmt: skip


def test_nothing_names_a_tool_that_has_gone() -> None:
    """Compose is a plugin of docker's, and sockets are shown by ss."""
    files = told()
    assert ROOT / "README.md" in files
    assert ROOT / "compose/host/install-host.sh" in files
    assert [path for path in files if OLD.search(path.read_text("utf-8", errors="replace"))] == []


@pytest.mark.parametrize(
    ("line", "old"),
    [
        ("docker-compose up -d", True),
        ("sudo netstat -tlnp", True),
        ("docker compose -f docker-compose.yml up", False),
        ("ss -tlnp", False),
    ],
)
def test_the_search_sees_the_commands_and_not_the_file(line: str, old: bool) -> None:
    """It would have found the design's own lines (section 11.2)."""
    assert bool(OLD.search(line)) is old

"""The access that docs/targets.md asks for is the access that the check uses."""

import re

import pytest

from fixtures.checks.inside import by_root
from fixtures.targets.tables import SshHost
from fixtures.world.images import ROOT

pytestmark = pytest.mark.req("R-0-check-access")

RULES = re.findall(
    r"^mailproof ALL=\(root\) NOPASSWD: (.+)$", (ROOT / "docs/targets.md").read_text("utf-8"), re.M
)


def test_sudo_is_asked_for_these_commands_and_no_other() -> None:
    """Word for word, with the default place of the backups."""
    default = SshHost(host="mailproof@mailserver").backups
    assert sorted(RULES) == sorted(" ".join(argv) for argv in by_root(default).values())


@pytest.mark.parametrize("rule", RULES)
def test_a_rule_is_closed(rule: str) -> None:
    """A whole path, and no character that sudo reads as anything but itself (sudoers(5), wildcards)."""
    assert rule.startswith("/usr/bin/")
    assert re.findall(r"[^A-Za-z0-9/ _.-]", rule) == []
    assert not {"-exec", "-delete", "-fprint", "sh"} & set(rule.split())

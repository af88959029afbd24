"""What every test session has: the targets' fixtures, the proof, and a header that says what is tested."""

from pathlib import Path

import pytest
from hypothesis import settings

pytest_plugins = ["fixtures.targets.plugin", "fixtures.targets.evidence", "fixtures.proof.plugin"]

settings.register_profile("default", deadline=None, max_examples=60)
settings.load_profile("default")

_MARKS = {"unit": (), "integration": ("integration",), "e2e": ("e2e",), "meta": ("meta",)}


def pytest_configure(config: pytest.Config) -> None:
    """Declare the layers' marks, so that ``-m e2e`` selects as documented."""
    for layer in ("integration", "e2e", "meta"):
        config.addinivalue_line("markers", f"{layer}: tests below tests/{layer}/")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark each test with its layer, which is its folder below tests/."""
    for item in items:
        layer = Path(str(item.path)).relative_to(Path(__file__).parent / "tests").parts[0]
        for mark in _MARKS.get(layer, ()):
            item.add_marker(mark)

"""A results folder of the spec's own."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fixtures.proof.report.models import Shape

Read = Callable[[str, type[Shape]], Any]


@pytest.fixture
def results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder that recorders write to."""
    monkeypatch.setenv("MAILPROOF_RESULTS", str(tmp_path / "results"))
    return tmp_path / "results"


@pytest.fixture
def read(results: Path) -> Read:
    """Read a recorded file as the report does."""

    def act(name: str, shape: type[Shape]) -> Any:
        return shape.model_validate_json((results / name).read_text(encoding="utf-8"))

    return act

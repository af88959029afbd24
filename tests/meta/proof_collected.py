"""``python -m tests.meta.proof_collected``: every spec here with the ids that it names, as JSON."""

import contextlib
import io
import json
import sys

import pytest

from fixtures.proof.requirements_check import ids_of
from fixtures.world.images import ROOT


class _Collected:
    """Keeps what pytest collects."""

    def __init__(self) -> None:
        self.specs: dict[str, list[str]] = {}

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Called once all specs are known."""
        self.specs = {item.nodeid: ids_of(item) for item in session.items}


def main() -> int:
    """Collect without running; pytest's own output is shown only when that fails."""
    collected, output = _Collected(), io.StringIO()
    with contextlib.redirect_stdout(output):
        status = pytest.main(
            ["--collect-only", "-q", "-p", "no:cacheprovider", str(ROOT / "tests")], plugins=[collected]
        )
    if status:
        print(output.getvalue(), file=sys.stderr)
    print(json.dumps(collected.specs))
    return int(status)


if __name__ == "__main__":
    sys.exit(main())

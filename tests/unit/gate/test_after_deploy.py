"""What deploy.sh puts onto a host is what the gate looks for there: both know the same files."""

from pathlib import Path

import pytest

from fixtures.gate import host
from fixtures.gate.host_facts import ask
from tests.unit.operations.deployment import Deployment

pytestmark = pytest.mark.req("R-0-gate-host")


def test_a_release_is_the_same_from_its_deployment_to_its_next_change(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Names, contents and modes, by the real deploy.sh; then a change here, and its deployment."""
    deployment = Deployment(tmp_path)
    for name, value in deployment.environment().items():
        monkeypatch.setenv(name, value)

    def differences() -> list[str]:
        return list(
            host.files(deployment.release, ask("mail.example.net", str(deployment.target), ["TOKEN"]))
        )

    deployment.deployed()
    assert differences() == []
    deployment.put("config/good/setting", "second\n")
    deployment.put("scripts/new.sh", "#!/bin/bash\n", 0o755)
    (deployment.release / "scripts/old.sh").unlink()
    assert differences() == [
        "config/good/setting has another content",
        "scripts/new.sh is missing",
        "scripts/old.sh is there too much",
    ]
    deployment.deployed()
    assert differences() == []

"""What was deployed, the same as what was proved: each spec changes one thing."""

import json
import os
from pathlib import Path

import pytest

from fixtures.aws.variables import terraform_variables
from fixtures.site import load_site
from tests.unit.gate.deployed import GATEWAY, Deployed


@pytest.fixture
def deployed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Deployed:
    """A repository, its host and its account, with the stand-ins on PATH."""
    made = Deployed(tmp_path)
    monkeypatch.setenv("PATH", f"{made.bin}:{os.environ['PATH']}")
    monkeypatch.setenv("STATE", str(made.state))
    variables = terraform_variables(load_site(made.root / "site.toml"), dict.fromkeys(GATEWAY, "x:1"))
    (made.root / "infra/terraform/terraform.tfvars.json").write_text(json.dumps(variables))
    return made

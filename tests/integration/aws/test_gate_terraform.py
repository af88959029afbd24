"""The deploy gate's comparison with AWS, by the real Terraform."""

import json
import subprocess
import threading
from collections.abc import Iterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from fixtures.aws.provider import find_mirror, terraform_command
from fixtures.gate.terraform import Planned, TerraformSilentError, plan

pytestmark = pytest.mark.req("R-0-gate-aws")

LIMIT = timedelta(minutes=2)
SECRET = "hunter2hunter2"
# Terraform's own resource needs no provider and no account.
BUILT_IN = """
variable "password" {
  type      = string
  sensitive = true
  default   = "%s"
}
resource "terraform_data" "one" {
  input = %s
}
output "size" {
  value = %s
}
"""
ACCOUNT = """
provider "aws" {
  region     = "ap-northeast-1"
  access_key = "test"
  secret_key = "test"
  endpoints {
    sts = "%s"
  }
}
data "aws_caller_identity" "me" {}
"""
EXPIRED = b"""<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><Error><Type>Sender</Type>
<Code>ExpiredToken</Code><Message>The security token included in the request is expired</Message></Error>
<RequestId>1</RequestId></ErrorResponse>"""


def _terraform(folder: Path, *arguments: str) -> None:
    argv = [*terraform_command(), f"-chdir={folder}", *arguments]
    done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=240)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture
def applied(tmp_path: Path) -> Path:
    """A folder whose state is as its configuration."""
    folder = tmp_path / "terraform"
    folder.mkdir()
    (folder / "main.tf").write_text(BUILT_IN % (SECRET, "var.password", "1"))
    _terraform(folder, "init", "-input=false")
    _terraform(folder, "apply", "-input=false", "-auto-approve")
    return folder


@pytest.mark.req("R-0-gate-no-secrets")
def test_what_was_applied_is_the_same_until_something_changes(applied: Path, tmp_path: Path) -> None:
    """A sensitive value and an output: named, not shown, though the plan holds them."""
    state = (applied / "terraform.tfstate").read_bytes()
    assert plan(applied, tmp_path / "same", LIMIT) == Planned((), {})
    (applied / "main.tf").write_text(BUILT_IN % ("another-" + SECRET, "var.password", "2"))
    found = plan(applied, tmp_path / "changed", LIMIT)
    assert found.changes == ("terraform_data.one: update (input, output)", "output size: update")
    assert SECRET not in str(found)
    assert json.loads(state) == json.loads((applied / "terraform.tfstate").read_text())
    assert SECRET in state.decode()


def test_a_folder_that_was_not_initialised_or_is_wrong_is_an_error(applied: Path, tmp_path: Path) -> None:
    """Each with Terraform's own words."""
    (applied / "main.tf").write_text(BUILT_IN % (SECRET, "var.unheard", "1"))
    with pytest.raises(TerraformSilentError, match="Reference to undeclared input variable"):
        plan(applied, tmp_path / "wrong", LIMIT)
    (applied / "main.tf").write_text(ACCOUNT % "http://127.0.0.1:9")
    with pytest.raises(TerraformSilentError, match="next step: run 'terraform init' in that folder"):
        plan(applied, tmp_path / "fresh", LIMIT)


@pytest.fixture
def sts() -> Iterator[str]:
    """An STS that calls every token expired."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.send_response(403)
            self.send_header("Content-Type", "text/xml")
            self.send_header("Content-Length", str(len(EXPIRED)))
            self.end_headers()
            self.wfile.write(EXPIRED)

        def log_message(self, format: str, *arguments: object) -> None:
            """Nothing on the terminal."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_an_expired_login_cannot_tell_and_says_so(
    sts: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the next step; nothing of it is taken for a plan."""
    for name in ("HTTPS_PROXY", "HTTP_PROXY", "https_proxy", "http_proxy"):
        monkeypatch.delenv(name, raising=False)
    folder = tmp_path / "terraform"
    folder.mkdir()
    (folder / "main.tf").write_text(ACCOUNT % sts)
    mirror = find_mirror()
    _terraform(folder, "init", "-input=false", *([f"-plugin-dir={mirror}"] if mirror else []))
    with pytest.raises(TerraformSilentError) as caught:
        plan(folder, tmp_path / "plan", LIMIT)
    assert "ExpiredToken" in str(caught.value)
    assert "log in again, or choose another AWS_PROFILE" in str(caught.value)

"""Terraform is found, turned to the emulators, and never to AWS."""

import json
import re
from pathlib import Path

import pytest

from fixtures.aws.provider import TerraformMissingError, emulator_override, find_mirror, terraform_command
from fixtures.aws.session import AwsAccount, UnknownServiceError

ROOT = Path(__file__).resolve().parents[3]
ACCOUNT = AwsAccount("http://127.0.0.1:5000", "http://127.0.0.1:4566")


@pytest.mark.req("R-0-terraform-found")
def test_mirror_is_found_below_the_given_places(tmp_path: Path) -> None:
    """A directory in Terraform's mirror layout is found, one without a provider of major version 5 is not."""
    for place, version in (("old", "4.9.0"), ("good", "5.1.0")):
        folder = tmp_path / place / "registry.example" / "hashicorp" / "aws" / version / "linux_amd64"
        folder.mkdir(parents=True)
        (folder / "terraform-provider-aws_v1").touch()
    assert find_mirror((str(tmp_path / "old"),)) is None
    assert find_mirror((f"{tmp_path}/*",)) == tmp_path / "good"


@pytest.mark.req("R-0-terraform-found")
def test_missing_terraform_says_what_to_do(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Without binary and library the error names the next step."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)
    with pytest.raises(TerraformMissingError, match="next step: install Terraform"):
        terraform_command()


@pytest.mark.req("R-0-terraform-found")
def test_binary_in_path_is_preferred(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """An executable named terraform in PATH is the command."""
    binary = tmp_path / "terraform"
    binary.touch(mode=0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert terraform_command() == [str(binary)]


@pytest.mark.req("R-0-aws-sealed")
def test_override_names_an_emulator_for_every_service() -> None:
    """Compute and network go to moto, secrets and alerts to LocalStack, by the provider's own names."""
    aws = emulator_override(ACCOUNT)["provider"]["aws"]
    endpoints = aws["endpoints"][0]
    assert {name for name, url in endpoints.items() if url == "http://127.0.0.1:5000"} == {
        "applicationautoscaling",
        "ec2",
        "ecs",
        "elbv2",
        "iam",
        "lambda",
        "route53",
    }
    assert {name for name, url in endpoints.items() if url == "http://127.0.0.1:4566"} == {
        "cloudwatch",
        "events",
        "kms",
        "logs",
        "secretsmanager",
        "sns",
        "ssm",
        "sts",
    }
    assert json.dumps(aws).count("amazonaws") == 0


@pytest.mark.req("R-0-aws-sealed")
def test_unknown_services_are_refused() -> None:
    """A service that no emulator has is an error, not a call to AWS."""
    assert ACCOUNT.endpoint("ecs") == "http://127.0.0.1:5000"
    with pytest.raises(UnknownServiceError, match="s3"):
        ACCOUNT.client("s3")


@pytest.mark.req("R-0-aws-sealed")
def test_cli_environment_is_sealed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The CLI inherits no profile or credential of this machine, and unmapped services lead nowhere."""
    monkeypatch.setenv("AWS_PROFILE", "production")
    monkeypatch.setenv("AWS_SESSION_TOKEN", "real")
    environment = ACCOUNT.cli_environment()
    assert "AWS_PROFILE" not in environment
    assert "AWS_SESSION_TOKEN" not in environment
    assert environment["AWS_ENDPOINT_URL"] == "http://127.0.0.1:9"
    assert environment["AWS_ENDPOINT_URL_ECS"] == "http://127.0.0.1:5000"
    assert environment["AWS_ENDPOINT_URL_CLOUDWATCH_LOGS"] == "http://127.0.0.1:4566"


@pytest.mark.req("R-0-infra-knows-no-harness", "R-6.1.1-values-outside")
def test_infra_knows_nothing_of_the_harness() -> None:
    """What deploys mentions neither emulators nor tests, and no secret value (architecture, rooms)."""
    files = [*(ROOT / "infra/terraform").glob("*.tf"), *(ROOT / "infra/task-definitions").glob("*.json")]
    assert len(files) >= 9
    for path in files:
        text = path.read_text(encoding="utf-8")
        assert not re.search(r"\b(moto|localstack|mailproof|simulat\w+|emulat\w+|pytest)\b", text, re.I), (
            path.name
        )
        assert "aws_secretsmanager_secret_version" not in text, path.name
        assert not re.search(r"tskey-|SG\.[A-Za-z0-9]", text), path.name


@pytest.mark.req("R-10.2-no-alb")
def test_no_load_balancer_for_http_is_left() -> None:
    """The design's alb.tf is gone and nothing like it is elsewhere; the one load balancer is SMTP's (F33)."""
    files = {path.name: path.read_text(encoding="utf-8") for path in (ROOT / "infra/terraform").glob("*.tf")}
    assert "nlb.tf" in files
    assert "alb.tf" not in files
    text = "\n".join(files.values())
    assert len(re.findall(r'^resource "aws_a?lb" ', text, re.M)) == 1
    # Without a type it would be "application".
    assert re.findall(r'\bload_balancer_type\s*=\s*"(\w+)"', text) == ["network"]
    assert set(re.findall(r'\bprotocol\s*=\s*"(\w+)"', text)).isdisjoint({"HTTP", "HTTPS"})

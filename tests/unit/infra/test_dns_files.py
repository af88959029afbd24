"""The DNS updater in Terraform, read as an owner would: when it runs, what it may, what a failure does."""

import hashlib
import json
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from fixtures.aws.terraform import INFRA
from tests.unit.infra.hcl import Block, everything, resources

RIGHTS = {
    "ecs:DescribeTasks": "[local.tasks]",
    "ecs:ListTasks": '["*"]',
    "ec2:DescribeNetworkInterfaces": '["*"]',
    "logs:CreateLogStream": '["${aws_cloudwatch_log_group.dns_updater[0].arn}:*"]',
    "logs:PutLogEvents": '["${aws_cloudwatch_log_group.dns_updater[0].arn}:*"]',
    "sns:Publish": "[aws_sns_topic.alerts.arn]",
    "secretsmanager:GetSecretValue": "[statement.value]",
    "route53:ListResourceRecordSets": "[statement.value]",
    "route53:ChangeResourceRecordSets": "[statement.value]",
}


def statements() -> list[Block]:
    """All statements of the function's policy, those for one provider only among them."""
    [found] = [block for block in everything().inner("data") if block.labels[1] == "dns_updater"]
    optional = [block for block in found.inner("dynamic") if block.labels == ("statement",)]
    return found.inner("statement") + [block.inner("content")[0] for block in optional]


@pytest.mark.req("R-2.2.1-updater-rights")
def test_the_updater_may_do_its_work_and_no_more() -> None:
    """Each action by itself, on one zone, secret, topic and log; only what knows no resource is on all."""
    may = {
        action: statement.attributes["resources"]
        for statement in statements()
        for action in json.loads(statement.attributes["actions"])
    }
    assert may == RIGHTS


@pytest.mark.req("R-2.2.1-updater-rights")
def test_the_updater_changes_one_record_alone() -> None:
    """The MX host's A record: a hijacked function cannot touch MX, SPF or DKIM of the domain."""
    [change] = [block for block in statements() if "Change" in block.attributes["sid"]]
    conditions = {block.attributes["variable"]: block.attributes for block in change.inner("condition")}
    prefix = "route53:ChangeResourceRecordSets"
    assert {name.strip('"') for name in conditions} == {
        f"{prefix}NormalizedRecordNames",
        f"{prefix}RecordTypes",
    }
    assert conditions[f'"{prefix}NormalizedRecordNames"']["values"] == "[var.mx_hostname]"
    assert conditions[f'"{prefix}RecordTypes"']["values"] == '["A"]'


@pytest.mark.req("R-2.2.1-updater-failure")
def test_a_failure_is_told() -> None:
    """Two further attempts, then the topic of all alerts."""
    invoked = resources("aws_lambda_function_event_invoke_config")["dns_updater"]
    assert invoked.attributes["maximum_retry_attempts"] == "2"
    [destination] = invoked.inner("destination_config")[0].inner("on_failure")
    assert destination.attributes == {"destination": "aws_sns_topic.alerts.arn"}


@pytest.mark.req("R-2.2.1-updater-only-dynamic")
def test_all_of_it_is_for_the_dynamic_address_alone() -> None:
    """With a fixed address nothing of it exists: nobody changes a record that does not change."""
    kinds = {
        "aws_lambda_function": 1, "aws_lambda_function_event_invoke_config": 1, "aws_lambda_permission": 1,
    }  # fmt: skip
    found = {kind: [block.attributes["count"] for block in resources(kind).values()] for kind in kinds}
    assert found == {kind: ["local.dynamic ? 1 : 0"] for kind in kinds}
    for kind in ("aws_iam_role", "aws_iam_role_policy", "aws_cloudwatch_event_rule"):
        assert resources(kind)["dns_updater"].attributes["count"] == "local.dynamic ? 1 : 0"


def _packed(folder: Path) -> Path:
    """The archive that the owner's command makes."""
    subprocess.run([sys.executable, folder / "package"], check=True, capture_output=True)
    [archive] = (folder / "build").glob("*.zip")
    return archive


@pytest.fixture
def sources(tmp_path: Path) -> Path:
    """A copy of the function's folder."""
    ignored = shutil.ignore_patterns("build", "__pycache__")
    return Path(shutil.copytree(INFRA / "dns_updater", tmp_path / "dns_updater", ignore=ignored))


@pytest.mark.req("R-2.2.1-updater-packed")
def test_the_archive_is_the_sources_and_nothing_else(sources: Path) -> None:
    """Its files are the folder's Python files, its bytes are the same every time, older ones are gone."""
    first = _packed(sources)
    content = first.read_bytes()
    with zipfile.ZipFile(first) as archive:
        packed = {name: archive.read(name) for name in archive.namelist()}
    assert packed == {f"dns_updater/{path.name}": path.read_bytes() for path in sources.glob("*.py")}
    assert "dns_updater/updater.py" in packed
    assert _packed(sources).read_bytes() == content
    (sources / "updater.py").write_text("changed = True\n")
    assert _packed(sources).name != first.name


@pytest.mark.req("R-2.2.1-updater-packed")
def test_terraform_and_the_command_name_the_archive_alike(sources: Path) -> None:
    """Hash of the files' hashes in the order of their names: an archive of older sources is not found."""
    digests = [hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(sources.glob("*.py"))]
    assert _packed(sources).stem == hashlib.sha256("".join(digests).encode()).hexdigest()
    text = (INFRA / "terraform" / "dns.tf").read_text(encoding="utf-8")
    assert re.search(r'sha256\(join\("", \[for name in local\.updater_sources : filesha256\(', text)
    assert "fileexists(local.updater_archive)" in text

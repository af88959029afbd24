"""site.toml becomes Terraform's variables without loss."""

import json
import re
from pathlib import Path

import pytest

from fixtures.aws.variables import terraform_variables, write_variables
from fixtures.site import load_site

ROOT = Path(__file__).resolve().parents[3]
IMAGES = {"postfix": "mail/postfix:1", "tunnel": "mail/tunnel:2", "tailscale": "mail/tailscale:3"}
SITE = """
[mail]
domains = ["one.example", "two.example"]
hostname = "mail.one.example"
mx_hostname = "mx.two.example"
admin = "admin@example.net"
message_size_mb = 10
[webmail]
language = "ja_JP"
timezone = "Asia/Tokyo"
[aws]
region = "eu-west-1"
account_id = "123456789012"
ingress = "eip"
task_cpu = 512
task_memory = 1024
min_tasks = 2
max_tasks = 4
log_retention_days = 14
[dns]
provider = "route53"
zone_id = "Z0123456789ABC"
[tailnet]
name = "tail1234"
server = "box"
[sendgrid]
smtp_host = "smtp.sendgrid.net"
account = "u1"
"""


@pytest.mark.req("R-0-site-to-terraform", "R-4.4-one-size")
def test_every_value_arrives(tmp_path: Path) -> None:
    """Each site value stands under its Terraform name, sizes in bytes on the wire (F66)."""
    (tmp_path / "site.toml").write_text(SITE, encoding="utf-8")
    assert terraform_variables(load_site(tmp_path / "site.toml"), IMAGES) == {
        "region": "eu-west-1",
        "account_id": "123456789012",
        "ingress": "eip",
        "domains": ["one.example", "two.example"],
        "mx_hostname": "mx.two.example",
        "mail_hostname": "mail.one.example",
        "dns_provider": "route53",
        "dns_zone_id": "Z0123456789ABC",
        "server_name": "box.tail1234.ts.net",
        "message_size_limit": 14680064,
        "alert_email": "admin@example.net",
        "images": IMAGES,
        "task_cpu": 512,
        "task_memory": 1024,
        "min_tasks": 2,
        "max_tasks": 4,
        "log_retention_days": 14,
    }


@pytest.mark.req("R-0-site-to-terraform")
def test_variables_and_declarations_agree() -> None:
    """The names given are those Terraform declares without a default: none missing, none unknown."""
    text = (ROOT / "infra/terraform/variables.tf").read_text(encoding="utf-8")
    blocks = re.findall(r'^variable "(\w+)" \{(.*?)^\}', text, re.MULTILINE | re.DOTALL)
    required = {name for name, body in blocks if not re.search(r"^  default ", body, re.MULTILINE)}
    assert required == set(terraform_variables(load_site(ROOT / "site.toml"), IMAGES))


@pytest.mark.req("R-10.2-variables-validated")
def test_every_variable_is_validated() -> None:
    """Each declaration has a validation whose message says what is allowed."""
    text = (ROOT / "infra/terraform/variables.tf").read_text(encoding="utf-8")
    blocks = re.findall(r'^variable "(\w+)" \{(.*?)^\}', text, re.MULTILINE | re.DOTALL)
    assert len(blocks) >= 14
    assert [name for name, body in blocks if "allowed:" not in body] == []


@pytest.mark.req("R-10.2-variables-validated")
@pytest.mark.parametrize("images", [{}, {"postfix": "a:1"}, {**IMAGES, "extra": "b:1"}])
def test_images_must_be_exactly_the_containers(images: dict[str, str]) -> None:
    """A missing or an unknown image is refused before Terraform sees it."""
    with pytest.raises(ValueError, match="postfix, tunnel, tailscale"):
        terraform_variables(load_site(ROOT / "site.toml"), images)


@pytest.mark.req("R-0-site-to-terraform")
def test_file_is_readable_json(tmp_path: Path) -> None:
    """What is written is what Terraform reads back, UTF-8 included."""
    write_variables(tmp_path / "terraform.tfvars.json", {"alert_email": "管理@example.net", "max_tasks": 1})
    text = (tmp_path / "terraform.tfvars.json").read_text(encoding="utf-8")
    assert json.loads(text) == {"alert_email": "管理@example.net", "max_tasks": 1}

"""The compose file, read as an owner would: what it publishes, what it hides, what it asks of .env."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

COMPOSE = Path(__file__).resolve().parents[3] / "compose"
TEXT = (COMPOSE / "docker-compose.yml").read_text(encoding="utf-8")
STACK: dict[str, Any] = yaml.safe_load(TEXT)
SERVICES: dict[str, Any] = STACK["services"]
EXAMPLE = (COMPOSE / ".env.example").read_text(encoding="utf-8")

ADDRESSES = {
    "nginx": "172.20.0.10", "postfix": "172.20.0.20", "dovecot": "172.20.0.30", "roundcube": "172.20.0.40",
    "unbound": "172.20.0.53", "mariadb": "172.20.0.60", "rspamd": "172.20.0.70", "clamav": "172.20.0.80",
    "redis": "172.20.0.90",
}  # fmt: skip
"""Design 1.2.2, with the two services it lacks (docs/decisions.md)."""

USED_BY_THE_HOST = {
    "ADMIN_EMAIL", "ALERT_SNS_TOPIC_ARN", "TAILSCALE_AUTHKEY", "TAILSCALE_HOSTNAME",
    "BACKUP_LOCAL", "BACKUP_EXTERNAL", "BACKUP_RECIPIENT",
    "SENDGRID_DAILY_QUOTA", "SENDGRID_MONTHLY_QUOTA", "SENDGRID_STATS_KEY",
}  # fmt: skip


def _example_names() -> set[str]:
    return set(re.findall(r"^([A-Z][A-Z0-9_]*)=", EXAMPLE, re.MULTILINE))


@pytest.mark.req("R-1.2.2-service-addresses", "R-2.3-bridge-network")
def test_the_nine_services_have_the_designs_addresses() -> None:
    """Name and address of each service are fixed (design 1.2.2, 2.3)."""
    found = {
        name: service["networks"]["mailserver_network"]["ipv4_address"] for name, service in SERVICES.items()
    }
    assert found == ADDRESSES
    network = STACK["networks"]["mailserver_network"]
    assert network["ipam"]["config"][0]["subnet"] == "172.20.0.0/24"


@pytest.mark.req("R-2.4.2-published-on-tailnet", "R-2.4.2-submission-open", "R-2.4.2-no-port-80")
def test_ports_are_published_on_the_tailnet_address_alone() -> None:
    """No entry without a host address, and that address is the tailnet's (F42, F51, D7)."""
    published = {(name, str(port)) for name, service in SERVICES.items() for port in service.get("ports", ())}
    assert published == {
        (name, f"${{TAILNET_IP:?}}:{port}:{port}")
        for name, port in (
            ("nginx", 443),
            ("postfix", 587),
            ("postfix", 2525),
            ("dovecot", 993),
            ("dovecot", 995),
        )
    }


@pytest.mark.req("R-8.3.2-every-service-checked", "R-1.2.2-services-restart")
@pytest.mark.parametrize("name", sorted(ADDRESSES))
def test_every_service_is_watched_and_comes_back(name: str) -> None:
    """A health check with a program in the image, and a restart after failure or reboot (design 8.3.2)."""
    service = SERVICES[name]
    kind, program = service["healthcheck"]["test"][:2]
    assert kind == "CMD"
    assert (COMPOSE / "images" / name / Path(program).name).is_file()
    assert service["restart"] == "unless-stopped"


@pytest.mark.req("R-1.2-no-floating-tag")
def test_no_image_floats() -> None:
    """Each image is what the deployer names; no tag that moves by itself (F08, F74)."""
    assert {service["image"] for service in SERVICES.values()} == {
        f"${{IMAGE_{name.upper()}:?}}" for name in SERVICES
    }
    assert re.search(r":(latest|stable)\b", TEXT) is None


@pytest.mark.req("R-6.1.2-secrets-as-files")
def test_secrets_are_files_and_never_in_an_environment() -> None:
    """What .env.example leaves empty reaches containers as mounted secrets only."""
    secret = {variable["environment"] for variable in STACK["secrets"].values()}
    assert secret == {
        "SENDGRID_API_KEY", "MYSQL_ROOT_PASSWORD", "MYSQL_PASSWORD", "ROUNDCUBE_DES_KEY", "RSPAMD_PASSWORD",
    }  # fmt: skip
    inline = {
        str(value) for service in SERVICES.values() for value in service.get("environment", {}).values()
    }
    assert [value for value in inline if any(name in value for name in secret)] == []
    assert len(inline) > 5


@pytest.mark.req("R-6.1.2-example-complete")
def test_the_example_and_the_compose_file_know_the_same_variables() -> None:
    """Every variable that is asked for is documented, and every documented one is used."""
    asked = set(re.findall(r"\$\{([A-Z0-9_]+)", TEXT))
    asked |= {variable["environment"] for variable in STACK["secrets"].values()}
    assert _example_names() == asked | USED_BY_THE_HOST


@pytest.mark.req("R-10.1-selinux-labels")
def test_bind_mounts_carry_selinux_labels() -> None:
    """On the live host SELinux enforces: a mount of the deployed tree without :z or :Z would be refused."""
    mounts = [volume for service in SERVICES.values() for volume in service.get("volumes", ())]
    own = [mount for mount in mounts if mount.startswith("./")]
    assert len(own) >= 9
    assert [mount for mount in own if not re.search(r":(ro,)?[zZ]$", mount)] == []


@pytest.mark.req("R-10.1-one-data-root")
def test_there_is_one_data_root() -> None:
    """What persists lies below ./data, which is what the backup takes (design 10.1, F81)."""
    writable = {
        mount.split(":")[0]
        for service in SERVICES.values()
        for mount in service.get("volumes", ())
        if ":ro" not in mount
    }
    assert writable == {f"./data/{name}" for name in ("mail", "db", "postfix", "rspamd", "clamav", "redis")}
    assert "volumes" not in STACK

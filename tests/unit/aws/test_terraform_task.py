"""The task definition in infra/ is one that ECS accepts and that means what the design says."""

import json
import re
from functools import cache
from pathlib import Path
from typing import Any

import botocore.session
import pytest
from botocore.validate import ParamValidator

ROOT = Path(__file__).resolve().parents[3]
TEMPLATE = ROOT / "infra/task-definitions/mailserver-mx-task.json"
VALUES = {
    "cpu": "256",
    "memory": "512",
    "task_role_arn": "arn:aws:iam::000000000000:role/task",
    "execution_role_arn": "arn:aws:iam::000000000000:role/execution",
    "images.postfix": "mail/postfix:1",
    "images.tunnel": "mail/tunnel:1",
    "images.tailscale": "mail/tailscale:1",
    "message_size_limit": "36700160",
    "mx_hostname": "mx.one.example",
    "relay_domains": "one.example two.example",
    "log_group": "/ecs/mailserver-mx",
    "region": "ap-northeast-1",
    "auth_key_arn": "arn:aws:secretsmanager:ap-northeast-1:000000000000:secret:key-AbCdEf",
    '"${server_name}:2525"': "box.tail1234.ts.net:2525",
}


@cache
def task() -> dict[str, Any]:
    """The template with fixed values in place of Terraform's."""
    text = TEMPLATE.read_text(encoding="utf-8")
    rendered = re.sub(
        r"\$\{jsonencode\(((?:[^()])+)\)\}", lambda match: json.dumps(VALUES[match.group(1)]), text
    )
    definition: dict[str, Any] = json.loads(rendered)
    return definition


def container(name: str) -> dict[str, Any]:
    """One container definition."""
    return next(item for item in task()["containerDefinitions"] if item["name"] == name)


def environment(name: str) -> dict[str, str]:
    """A container's environment as a mapping."""
    return {item["name"]: item["value"] for item in container(name).get("environment", [])}


@cache
def validator_input() -> Any:
    """ECS's own model of a RegisterTaskDefinition request."""
    model = botocore.session.get_session().get_service_model("ecs")
    return model.operation_model("RegisterTaskDefinition").input_shape


@pytest.mark.req("R-3.2-request-valid")
def test_request_fits_the_api_model() -> None:
    """botocore finds nothing to object to; the design's ``ephemeral`` volume it does refuse (F20)."""
    assert not ParamValidator().validate(task(), validator_input()).has_errors()
    literal = {**task(), "volumes": [{"name": "tailscale-state", "ephemeral": {}}]}
    report = ParamValidator().validate(literal, validator_input()).generate_report()
    assert 'Unknown parameter in volumes[0]: "ephemeral"' in report


@pytest.mark.req("R-3.2-three-essential")
def test_three_essential_containers() -> None:
    """Postfix, the tunnel and Tailscale stand and fall together (D2)."""
    assert [item["name"] for item in task()["containerDefinitions"]] == ["postfix", "tunnel", "tailscale"]
    assert all(item["essential"] for item in task()["containerDefinitions"])


@pytest.mark.req("R-3.2-secret-not-environment")
@pytest.mark.parametrize("name", ["postfix", "tunnel", "tailscale"])
def test_no_name_is_both_environment_and_secret(name: str) -> None:
    """ECS refuses a secret that shares its name with an environment variable (F21)."""
    secrets = {item["name"] for item in container(name).get("secrets", [])}
    assert secrets & set(environment(name)) == set()
    assert secrets == ({"TS_AUTHKEY"} if name == "tailscale" else set())


@pytest.mark.req("R-2.4.1-only-25-mapped")
def test_only_smtp_is_mapped() -> None:
    """Port 25 of Postfix is the task's only port (F30)."""
    ports = [port for item in task()["containerDefinitions"] for port in item.get("portMappings", [])]
    assert ports == [{"containerPort": 25, "hostPort": 25, "protocol": "tcp"}]


@pytest.mark.req("R-3.2-userspace-proxy", "R-3.2-no-shared-hostname", "R-2.5.4-gateway-tag")
def test_tailscale_runs_in_userspace_behind_its_proxy() -> None:
    """Fargate has no TUN device: the proxy is the only way in, and the tunnel uses it (F06, D2)."""
    settings = environment("tailscale")
    assert settings["TS_USERSPACE"] == "true"
    assert (
        settings["TS_OUTBOUND_HTTP_PROXY_LISTEN"] == environment("tunnel")["TUNNEL_PROXY"] == "127.0.0.1:1055"
    )
    assert environment("tunnel")["TUNNEL_TARGET"] == "box.tail1234.ts.net:2525"
    assert "TS_HOSTNAME" not in settings  # F24
    assert settings["TS_EXTRA_ARGS"] == "--advertise-tags=tag:fargate-mx"


@pytest.mark.req("R-3.2-state-volume")
def test_state_volume_is_mounted() -> None:
    """Tailscale's state directory is the task's volume."""
    mounts = container("tailscale")["mountPoints"]
    assert [mount["containerPath"] for mount in mounts] == [environment("tailscale")["TS_STATE_DIR"]]
    assert {mount["sourceVolume"] for mount in mounts} == {volume["name"] for volume in task()["volumes"]}


@pytest.mark.req("R-3.2-start-order")
def test_start_order() -> None:
    """Nothing starts before what it talks through; waiting for HEALTHY needs a health check there (F17)."""
    assert container("postfix")["dependsOn"] == [{"containerName": "tunnel", "condition": "START"}]
    assert container("tunnel")["dependsOn"] == [{"containerName": "tailscale", "condition": "HEALTHY"}]
    assert "healthCheck" in container("tailscale")


@pytest.mark.req("R-8.3.1-check-timing")
def test_a_dead_tunnel_is_noticed_within_a_minute() -> None:
    """Retries times interval plus timeout stays below 60 s; the numbers are in ECS's ranges (F17)."""
    for name in ("postfix", "tailscale"):
        check = container(name)["healthCheck"]
        assert 5 <= check["interval"] <= 300
        assert 2 <= check["timeout"] <= 60
        assert check["retries"] * (check["interval"] + check["timeout"]) < 60
        assert 0 <= check["startPeriod"] <= 300
    assert container("postfix")["healthCheck"]["command"] == ["CMD-SHELL", "/usr/local/bin/mx-healthcheck"]


@pytest.mark.req("R-8.1-stream-per-container")
def test_every_container_logs_to_its_own_streams() -> None:
    """The stream prefix is the container's name (design 8.1)."""
    for item in task()["containerDefinitions"]:
        log = item["logConfiguration"]
        assert log["logDriver"] == "awslogs"
        assert log["options"]["awslogs-stream-prefix"] == item["name"]


@pytest.mark.req("R-3.2-grace-period")
def test_sessions_may_end_before_postfix_stops() -> None:
    """Postfix gets Fargate's longest grace period."""
    assert container("postfix")["stopTimeout"] == 120


@pytest.mark.req("R-3.2-gateway-values")
def test_gateway_knows_domains_and_size() -> None:
    """The site's domains and size limit reach Postfix (F14, F66)."""
    settings = environment("postfix")
    assert settings["MAIL_ROLE"] == "gateway"
    assert settings["RELAY_DOMAINS"].split() == ["one.example", "two.example"]
    assert settings["MESSAGE_SIZE_LIMIT"] == "36700160"
    assert settings["MX_HOSTNAME"] == "mx.one.example"

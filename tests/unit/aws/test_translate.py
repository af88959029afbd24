"""Task definitions become plans, and plans become the engine's arguments."""

from dataclasses import replace
from typing import Any

import pytest

from fixtures.aws.fargate.refuse import Refused
from fixtures.aws.fargate.taskdef import (
    Condition,
    ContainerPlan,
    Dependency,
    HealthCheck,
    LogTarget,
    MountPoint,
    SecretReference,
    TaskPlan,
)
from fixtures.aws.fargate.translate import engine_options, translate
from tests.unit.aws.test_fargate_refuse import SECRET, TASK, TUNNEL, changed


def _plan(definition: dict[str, Any] = TASK) -> TaskPlan:
    return translate(
        definition | {"taskDefinitionArn": "arn:aws:ecs:r:0:task-definition/mx:3", "revision": 3}
    )


def _options(plan: TaskPlan, name: str, **extra: Any) -> dict[str, Any]:
    given: dict[str, Any] = {
        "network_of": "pause",
        "secrets": {},
        "region": "r",
        "shared_volumes": {},
    } | extra
    return engine_options(plan.container(name), plan, **given)


@pytest.mark.req("R-0-fargate-plan")
def test_a_definition_becomes_a_plan() -> None:
    """Each part arrives with its meaning, defaults are ECS's."""
    plan = _plan()
    assert (plan.family, plan.revision, plan.cpu, plan.memory) == ("mx", 3, 256, 512)
    postfix, tunnel = plan.container("postfix"), plan.container("tunnel")
    assert postfix.depends_on == (Dependency("tunnel", Condition.HEALTHY),)
    assert (postfix.essential, postfix.stop_timeout, postfix.health_check) == (True, 30, None)
    assert tunnel.secrets == (SecretReference("TS_AUTHKEY", SECRET),)
    assert tunnel.health_check == HealthCheck(("CMD-SHELL", "true"), 30, 5, 3, 0)
    assert tunnel.mounts == (MountPoint("state", "/var/lib/state"),)
    assert tunnel.log == LogTarget("/ecs/mx", "ap-northeast-1", "mx")
    assert tunnel.log.stream("tunnel", "0123") == "mx/tunnel/0123"


@pytest.mark.req("R-0-fargate-refuses")
def test_what_is_refused_is_not_planned() -> None:
    """The way to a container leads past the refusals."""
    with pytest.raises(Refused, match="do not support devices"):
        _plan(changed(TASK, (*TUNNEL, "linuxParameters", "devices"), [{"hostPath": "/dev/net/tun"}]))


@pytest.mark.req("R-0-fargate-plan")
def test_nothing_is_expanded_in_the_environment() -> None:
    """${TASK_ID} reaches the container as it stands (F24)."""
    name = [{"name": "TS_HOSTNAME", "value": "fargate-mx-${TASK_ID}"}]
    plan = _plan(changed(TASK, (*TUNNEL, "environment"), name))
    assert _options(plan, "tunnel")["environment"]["TS_HOSTNAME"] == "fargate-mx-${TASK_ID}"


@pytest.mark.req("R-0-fargate-rights")
def test_a_container_gets_nothing_beyond_the_defaults() -> None:
    """No capability, device or security option; the image's own health check is off, as on ECS."""
    options = _options(_plan(), "postfix")
    assert (options["cap_add"], options["cap_drop"]) == ([], [])
    assert not {"devices", "security_opt", "privileged", "ports", "pid_mode"} & set(options)
    assert options["network_mode"] == "container:pause"
    assert options["healthcheck"] == {"test": ["NONE"]}
    assert (options["mem_limit"], options["nano_cpus"]) == ("512m", 250_000_000)


@pytest.mark.req("R-0-fargate-rights")
def test_only_the_stand_in_for_tailscaled_works_backstage() -> None:
    """The extra rights go by image, and to that one image."""
    image = (*TUNNEL, "image")
    stand_in = _options(_plan(changed(TASK, image, "mailproof/tailscale:0123456789ab")), "tunnel")
    assert stand_in["cap_add"] == ["NET_ADMIN", "SYS_ADMIN"]
    assert stand_in["devices"] == ["/dev/net/tun:/dev/net/tun:rwm"]
    for other in ("mailproof/tailscale-client:1", "tailscale/tailscale:stable", "x/mailproof/tailscale:1"):
        options = _options(_plan(changed(TASK, image, other)), "tunnel")
        assert options["cap_add"] == []
        assert "devices" not in options


@pytest.mark.req("R-0-fargate-plan")
def test_health_checks_are_given_in_nanoseconds() -> None:
    """The engine's unit."""
    check = {"command": ["CMD", "check"], "interval": 10, "timeout": 5, "retries": 2, "startPeriod": 40}
    options = _options(_plan(changed(TASK, (*TUNNEL, "healthCheck"), check)), "tunnel")
    assert options["healthcheck"] == {
        "test": ["CMD", "check"],
        "interval": 10_000_000_000,
        "timeout": 5_000_000_000,
        "retries": 2,
        "start_period": 40_000_000_000,
    }


@pytest.mark.req("R-0-fargate-plan")
def test_secrets_become_variables_and_volumes_mounts() -> None:
    """A volume of one container is anonymous; a shared one is named by the caller."""
    options = _options(_plan(), "tunnel", secrets={"TS_AUTHKEY": "value"})
    assert options["environment"]["TS_AUTHKEY"] == "value"
    (mount,) = options["mounts"]
    assert (mount["Target"], mount["Source"], mount["Type"]) == ("/var/lib/state", None, "volume")
    (mount,) = _options(_plan(), "tunnel", shared_volumes={"state": "v1"})["mounts"]
    assert mount["Source"] == "v1"


@pytest.mark.req("R-0-fargate-plan")
def test_shell_checks_can_be_executed() -> None:
    """CMD-SHELL goes through a shell, CMD does not."""
    assert HealthCheck(("CMD-SHELL", "a || exit 1")).argv == ["/bin/sh", "-c", "a || exit 1"]
    assert HealthCheck(("CMD", "a", "b")).argv == ["a", "b"]


@pytest.mark.req("R-0-fargate-dependencies")
def test_dependents_stop_before_what_they_depend_on() -> None:
    """Postfix ends before the tunnel through which it delivers, and that before tailscale."""
    chain = TaskPlan(
        "arn", "mx", 1, 256, 512,
        (
            ContainerPlan("tailscale", "i"),
            ContainerPlan("tunnel", "i", depends_on=(Dependency("tailscale", Condition.HEALTHY),)),
            ContainerPlan("postfix", "i", depends_on=(Dependency("tunnel", Condition.START),)),
            ContainerPlan("alone", "i"),
        ),
    )  # fmt: skip
    assert chain.stop_order() == [["postfix", "alone"], ["tunnel"], ["tailscale"]]


@pytest.mark.req("R-0-fargate-plan")
def test_shared_volumes_are_those_of_several_containers() -> None:
    """Two mounts in one container share nothing."""
    plan = _plan()
    twice = replace(plan.container("tunnel"), mounts=(MountPoint("state", "/a"), MountPoint("state", "/b")))
    assert replace(plan, containers=(twice,)).shared_volumes() == set()
    other = replace(twice, name="other")
    assert replace(plan, containers=(twice, other)).shared_volumes() == {"state"}

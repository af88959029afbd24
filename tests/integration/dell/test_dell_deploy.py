"""The deployer on a machine: what it refuses, and that it says why services do not come up."""

import json
from pathlib import Path

import pytest
from docker.models.containers import Container

from fixtures.dell.console import ContainerConsole
from fixtures.dell.deploy import deploy
from fixtures.dell.dotenv import render
from fixtures.dell.preflight import PreflightError, ca_bundle
from fixtures.dell.stack import Stack, StackError

COMPOSE = """
name: trial
services:
  good:
    image: ${IMAGE:?}
    init: true
    network_mode: none
    command: [sleep, infinity]
    healthcheck: {test: [CMD, "true"], interval: 1s, retries: 2}
"""
BAD = """
  bad:
    image: ${IMAGE:?}
    init: true
    network_mode: none
    command: [sh, -c, "echo the-programs-own-words; exec sleep infinity"]
    healthcheck: {test: [CMD-SHELL, "echo the-checks-own-words; exit 1"], interval: 1s, retries: 1}
"""
VALUES = {
    "PLAIN": "plain",
    "SPACES": " a  b ",
    "DOLLAR": "a$b ${HOME} $$",
    "HASH": "#x # y",
    "QUOTES": 'say "x" = `id`',
    "APOSTROPHE": "it's #1",
    "BACKSLASH": "a\\n\\\\b \\$x",
    "EMPTY": "",
    "UNICODE": "日本語",
}


@pytest.fixture
def project(console: ContainerConsole) -> str:
    """An empty project folder on the machine."""
    console.run(["rm", "-rf", "/srv/trial"])
    console.run(["mkdir", "-p", "/srv/trial"])
    return "/srv/trial"


@pytest.mark.req("R-6.1.2-env-sourceable")
def test_compose_reads_every_quoted_value_as_it_was(console: ContainerConsole, project: str) -> None:
    """The real Compose agrees with what the shell reads (F88; the shell's half is a unit test)."""
    lines = [f"      {name}: ${{{name}}}" for name in VALUES]
    text = "\n".join(["services:", "  x:", "    image: x", "    environment:", *lines])
    console.put(f"{project}/docker-compose.yml", text.encode())
    console.put(f"{project}/.env", "\n".join(render(VALUES)).encode(), 0o600)
    shown = json.loads(Stack(console, project).compose("config", "--format", "json").stdout)
    # `config` prints a file that Compose can read again, so it doubles every dollar sign.
    read = {name: value.replace("$$", "$") for name, value in shown["services"]["x"]["environment"].items()}
    assert read == VALUES


@pytest.mark.req("R-10.1-failure-explained")
def test_a_healthy_stack_comes_up(console: ContainerConsole, project: str, inner_image: str) -> None:
    """The control of the next test: all good is reported as such, per service."""
    stack = _stack(console, project, COMPOSE, inner_image)
    try:
        stack.up(seconds=30)
        states = stack.services()
        assert set(states) == {"good"}
        assert (states["good"].state, states["good"].health) == ("running", "healthy")
        assert states["good"].good
    finally:
        stack.down()
    assert stack.services() == {}


@pytest.mark.req("R-10.1-failure-explained")
def test_an_unhealthy_service_is_shown_with_its_log_and_its_check(
    console: ContainerConsole, project: str, inner_image: str
) -> None:
    """The error has the program's words and the health check's, and blames nobody else."""
    stack = _stack(console, project, COMPOSE + BAD, inner_image)
    try:
        with pytest.raises(StackError) as caught:
            stack.up(seconds=30)
    finally:
        stack.down()
    text = str(caught.value)
    assert "bad: running, unhealthy" in text
    assert "health check said: the-checks-own-words" in text
    assert "the-programs-own-words" in text
    assert "good: " not in text


@pytest.mark.req("R-10.1-preflight")
def test_a_host_outside_the_tailnet_is_refused_and_left_alone(
    console: ContainerConsole, tmp_path: Path
) -> None:
    """Nothing is written before the preflight has passed; only what is missing is named."""
    (tmp_path / "docker-compose.yml").write_text(COMPOSE)
    with pytest.raises(PreflightError) as caught:
        deploy(console, tmp_path, {"TAILNET_IP": "100.64.0.10"}, target="/srv/refused")
    text = str(caught.value)
    assert "Tailscale: " in text
    assert "no interface tailscale0" in text
    assert text.count("next step:") == 2
    assert console.run(["test", "-e", "/srv/refused"], check=False).status == 1


@pytest.mark.req("R-10.1-trust-store")
def test_the_trust_store_is_found(console: ContainerConsole, dell: Container) -> None:
    """This host is Debian's family; containers get its bundle, the run's CA included."""
    path = ca_bundle(console)
    assert path == "/etc/ssl/certs/ca-certificates.crt"
    ours = console.run(["cat", "/run/mailproof/ca.crt"]).stdout
    assert ours in console.run(["cat", path]).stdout


def _stack(console: ContainerConsole, folder: str, text: str, image: str) -> Stack:
    console.put(f"{folder}/docker-compose.yml", text.encode())
    console.put(f"{folder}/.env", f"IMAGE='{image}'\n".encode())
    return Stack(console, folder)

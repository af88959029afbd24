"""Checks of Postfix, ClamAV, MariaDB, Redis and Unbound see a service that only looks alive (8.3.2, F69)."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from docker.models.containers import Container

from fixtures.engine.execute import execute
from tests.integration.compose.parts import wait_until_healthy
from tests.integration.compose.web import Web

pytestmark = pytest.mark.req("R-8.3.2-other-checks")

CHECKS = {
    "postfix": "/usr/local/bin/server-healthcheck",
    "clamav": "/usr/local/bin/healthcheck",
    "mariadb": "/usr/local/bin/healthcheck",
    "redis": "/usr/local/bin/healthcheck",
    "unbound": "/usr/local/bin/healthcheck",
}
PORTS = {"postfix": 2525, "clamav": 3310, "mariadb": 3306, "redis": 6379, "unbound": 53}
each = pytest.mark.parametrize("service", CHECKS)


@contextmanager
def hanging(container: Container) -> Iterator[None]:
    """Every process of the service stands still: the kernel takes connections, and nobody answers."""
    container.kill(signal="STOP")
    execute(container, ["sh", "-c", "kill -STOP -1"])
    try:
        yield
    finally:
        execute(container, ["sh", "-c", "kill -CONT -1"])
        container.kill(signal="CONT")


@each
def test_a_port_that_is_open_and_says_nothing_turns_the_check_red(web: Web, service: str) -> None:
    """As long as it hangs; when it goes on, the check is green again by itself."""
    container, check = web.core.services[service], CHECKS[service]
    wait_until_healthy(container, check)
    with hanging(container):
        with socket.create_connection((web.core.addresses[service], PORTS[service]), 5):
            pass  # the port is open
        assert execute(container, ["timeout", "30", check]).status != 0
    wait_until_healthy(container, check)


def test_a_redis_that_takes_no_writes_turns_the_check_red(web: Web) -> None:
    """It answers to PING, and learns and greylists nothing: as on a full disk."""
    redis = web.core.services["redis"]
    execute(redis, ["redis-cli", "CONFIG", "SET", "min-replicas-to-write", "1"]).check()
    try:
        assert execute(redis, ["redis-cli", "PING"]).check().stdout.strip() == "PONG"
        assert execute(redis, [CHECKS["redis"]]).status != 0
    finally:
        execute(redis, ["redis-cli", "CONFIG", "SET", "min-replicas-to-write", "0"]).check()
    assert execute(redis, [CHECKS["redis"]]).status == 0


def test_a_database_without_the_webmails_turns_the_check_red(web: Web) -> None:
    """The server answers; what it is there for is missing."""
    mariadb = web.core.services["mariadb"]
    other = execute(mariadb, [CHECKS["mariadb"]], env={"MYSQL_DATABASE": "another"})
    assert other.status != 0
    assert execute(mariadb, [CHECKS["mariadb"]]).status == 0


def test_postfix_without_its_submission_port_turns_the_check_red(web: Web) -> None:
    """The gateway is greeted, mail clients are not; and back."""
    postfix = web.core.services["postfix"]
    execute(postfix, ["postconf", "-MX", "587/inet"]).check()
    execute(postfix, ["postfix", "reload"]).check()
    try:
        assert execute(postfix, [CHECKS["postfix"]]).status != 0
    finally:
        web.core.restart("postfix")
    assert execute(postfix, [CHECKS["postfix"]]).status == 0

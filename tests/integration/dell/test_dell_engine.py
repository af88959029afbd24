"""The inner engine: images come in once and stay from machine to machine, nothing else does; F42's trap."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from datetime import timedelta
from pathlib import Path
from typing import Protocol

import pytest
from docker.errors import ImageNotFound
from docker.models.containers import Container

from fixtures.dell.console import ContainerConsole
from fixtures.dell.engine_cache import forget_other_images, load_images, wipe_engine_cache
from fixtures.wait import wait_for

PUBLISHED = 8099
ON_THE_HOST = 8098
Boot = Callable[[str, Path], AbstractContextManager[Container]]


class Neighbour(Protocol):
    """What these tests need of the LAN neighbour."""

    def reaches(self, address: str, port: int) -> bool:
        """Whether a TCP connection is accepted."""


@pytest.mark.req("R-0-dell-image-cache")
def test_an_image_is_loaded_once(
    console: ContainerConsole, dell: Container, engine_dir: Path, inner_image: str
) -> None:
    """The first call brought it (see the fixture), the second finds it, and it runs."""
    assert load_images(dell, engine_dir, [inner_image]) == []
    said = console.run(["docker", "run", "--rm", "--network=none", inner_image, "echo", "inside"]).stdout
    assert said == "inside\n"


@pytest.mark.req("R-0-dell-image-cache")
def test_the_inner_engine_stores_layers_as_the_live_one(console: ContainerConsole, inner_image: str) -> None:
    """overlay2 on the cache directory, not a fallback that copies every layer."""
    assert inner_image in console.run(["docker", "images", "--format", "{{.Repository}}:{{.Tag}}"]).stdout
    assert console.run(["docker", "info", "--format", "{{.Driver}}"]).stdout.strip() == "overlay2"


@pytest.mark.req("R-0-dell-image-cache")
def test_an_unknown_image_is_an_error(dell: Container, engine_dir: Path) -> None:
    """A tag that no engine has is named, not skipped."""
    with pytest.raises(ImageNotFound, match="mailproof/nowhere"):
        load_images(dell, engine_dir, ["mailproof/nowhere:1"])


@pytest.mark.req("R-0-dell-image-cache")
def test_only_the_images_of_a_deployment_are_kept(
    console: ContainerConsole, dell: Container, engine_dir: Path, inner_image: str
) -> None:
    """What an earlier build left in the cache goes; what is asked for stays."""
    console.run(["docker", "tag", inner_image, "mailproof/old:1"])
    forget_other_images(dell, [inner_image])
    assert console.run(["docker", "images", "--format", "{{.Repository}}:{{.Tag}}"]).stdout.split() == [
        inner_image
    ]
    assert load_images(dell, engine_dir, [inner_image]) == []


@pytest.mark.req("R-0-dell-image-cache")
def test_a_new_machine_finds_images_and_nothing_else(boot: Boot, tmp_path: Path, base_tag: str) -> None:
    """Containers, networks and volumes of a machine that is gone do not come back on the next one."""
    place, cache = "test-dell-second", tmp_path / "cache"
    with boot(place, cache) as first:
        assert load_images(first, cache, [base_tag]) == [base_tag]
        old = ContainerConsole(first)
        old.run(["docker", "network", "create", "left-over"])
        old.run(["docker", "volume", "create", "left-over"])
        run = ["docker", "run", "--detach", "--restart=always", "--name=left-over", "--volume=left-over:/v"]
        old.run([*run, base_tag, "sleep", "infinity"])
        assert old.run(["docker", "ps", "--quiet"]).stdout != ""
    layers_before = len(list((cache / "docker" / "overlay2").iterdir()))
    with boot(place, cache) as second:
        new = ContainerConsole(second)
        assert new.run(["docker", "ps", "--all", "--quiet"]).stdout == ""
        assert new.run(["docker", "volume", "ls", "--quiet"]).stdout == ""
        assert "left-over" not in new.run(["docker", "network", "ls", "--format", "{{.Name}}"]).stdout
        assert load_images(second, cache, [base_tag]) == []
        assert new.run(["docker", "run", "--rm", "--network=none", base_tag, "echo", "ok"]).stdout == "ok\n"
        assert len(list((cache / "docker" / "overlay2").iterdir())) < layers_before
    wipe_engine_cache(cache, base_tag)
    assert not cache.exists()


@pytest.fixture
def listeners(console: ContainerConsole, inner_image: str) -> Iterator[None]:
    """One listener in a container published on every address, one on the host itself; both answer there."""
    run = ["docker", "run", "--detach", "--init", "--rm", "--name=trap"]
    run.append(f"--publish=0.0.0.0:{PUBLISHED}:{PUBLISHED}")
    console.run([*run, inner_image, "nc", "-lk", str(PUBLISHED)])
    web = ["python3", "-m", "http.server", "--directory=/var/empty", str(ON_THE_HOST)]
    console.run(["systemd-run", "--quiet", "--unit=on-the-host", *web])
    try:
        for port in (PUBLISHED, ON_THE_HOST):
            _wait_until_it_answers_locally(console, port)
        yield
    finally:
        console.run(["docker", "rm", "--force", "trap"])
        console.run(["systemctl", "stop", "on-the-host"])


def _wait_until_it_answers_locally(console: ContainerConsole, port: int) -> None:
    probe = ["python3", "-c", f"import socket; socket.create_connection(('127.0.0.1', {port}), 2)"]
    wait_for(
        f"port {port} answers on the host",
        lambda: console.run(probe, check=False),
        until=lambda result: result.status == 0,
        timeout=timedelta(seconds=10),
    )


@pytest.mark.req("R-0-dell-published-trap")
@pytest.mark.usefixtures("listeners")
def test_a_published_port_is_open_to_the_lan_whatever_the_firewall_says(
    console: ContainerConsole, neighbour: Neighbour, lan_address: str
) -> None:
    """The trap (F42): firewalld lists no port and keeps the host's own shut, yet the container's is open."""
    assert console.run(["firewall-cmd", "--zone=public", "--list-ports"]).stdout.strip() == ""
    assert not neighbour.reaches(lan_address, ON_THE_HOST)
    assert neighbour.reaches(lan_address, PUBLISHED)


@pytest.mark.req("R-0-dell-published-trap")
@pytest.mark.usefixtures("listeners")
def test_a_rule_in_docker_user_shuts_it(
    console: ContainerConsole, neighbour: Neighbour, lan_address: str
) -> None:
    """What the deployment relies on works here: with the rule closed, without it open again."""
    rule = ["DOCKER-USER", "--in-interface", "eth0", "--jump", "DROP"]
    console.run(["iptables", "--insert", *rule])
    try:
        assert not neighbour.reaches(lan_address, PUBLISHED)
    finally:
        console.run(["iptables", "--delete", *rule])
    assert neighbour.reaches(lan_address, PUBLISHED)

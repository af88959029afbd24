"""The deploy gate against the world's host, by real ssh (docs/deploy-gate.md)."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from fixtures.dell.layout import TARGET
from fixtures.gate import host, images
from fixtures.gate.checkout import look
from fixtures.gate.record import Record
from fixtures.progress import Progress
from fixtures.targets.sim import Sim
from fixtures.world.images import ROOT
from fixtures.world.server import deploy_services
from tests.e2e.host.conftest import admitted

pytestmark = pytest.mark.req("R-0-gate-in-the-world")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where this module's ssh has its key, its configuration and the keys of hosts that it knows."""
    return tmp_path_factory.mktemp("gate")


@pytest.fixture(scope="module")
def destination(world: Sim, folder: Path) -> Iterator[str]:
    """The host by ssh, right after a deployment of this checkout: other specs may have changed something."""
    deploy_services(world.dell, world.site, world.state.dell_address, world.state.sendgrid_key, Progress())
    yield from admitted(world, folder)


@pytest.fixture(scope="module")
def proved() -> Record:
    """As if this checkout had just been proved."""
    now = look(ROOT)
    return Record(
        commit=now.commit, clean=True, files=now.files, images=images.here(), time=datetime.now(UTC), specs=1
    )


def test_a_host_is_the_same_right_after_its_deployment(destination: str, proved: Record) -> None:
    """Every file, variable, container and image."""
    answer = host.compare(ROOT, proved, destination)
    assert (answer.state, answer.differs, answer.unknown) == ("same", (), ())


def test_the_world_says_of_which_files_it_was_made(world: Sim) -> None:
    """A later run that reuses it then knows what it proves."""
    made_of = world.state.deployed
    assert {"site.toml", "compose/docker-compose.yml", "infra/terraform/main.tf"} <= made_of.keys()
    assert {len(value) for value in made_of.values()} == {64}


def test_one_byte_and_one_file_too_many_are_named(world: Sim, destination: str, proved: Record) -> None:
    """And nothing else; as before, they are gone."""
    example, script = f"{TARGET}/.env.example", f"{TARGET}/scripts/of-somebody-else.sh"
    before = world.dell.run(["cat", example]).stdout.encode()
    try:
        world.dell.put(example, before + b"\n")
        world.dell.put(script, b"#!/bin/sh\n", 0o755)
        assert host.compare(ROOT, proved, destination).differs == (
            ".env.example has another content",
            "scripts/of-somebody-else.sh is there too much",
        )
    finally:
        world.dell.put(example, before)
        world.dell.run(["rm", "-f", script])
    assert host.compare(ROOT, proved, destination).state == "same"


def test_an_image_that_was_not_proved_is_named(destination: str, proved: Record) -> None:
    """By service; the others are as they were."""
    other = proved.images["redis"].model_copy(update={"id": "sha256:0", "content": "0"})
    record = proved.model_copy(update={"images": {**proved.images, "redis": other}})
    [told] = host.compare(ROOT, record, destination).differs
    assert told.startswith(f"redis runs image {proved.images['redis'].tag} ")


def test_a_host_with_another_key_is_not_asked(destination: str, proved: Record, folder: Path) -> None:
    """The real client refuses it; with the known key it answers."""
    known = folder / "known"
    before = known.read_text()
    try:
        known.write_text(f"mailserver {' '.join((folder / 'key.pub').read_text().split()[:2])}\n")
        answer = host.compare(ROOT, proved, destination)
    finally:
        known.write_text(before)
    assert (answer.state, answer.differs) == ("could not tell", ())
    assert "Host key verification failed" in answer.unknown[0]
    assert host.compare(ROOT, proved, destination).state == "same"

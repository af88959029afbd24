"""One simulated Dell for the session, a neighbour on its LAN, and an engine cache that goes again."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest
from docker.models.containers import Container

from fixtures.authority import Authority
from fixtures.dell.console import ContainerConsole
from fixtures.dell.engine_cache import load_images, wipe_engine_cache
from fixtures.dell.host import dell_spec, wait_until_running
from fixtures.engine.containers import ContainerSpec, remove, start
from fixtures.engine.execute import Result, execute
from fixtures.engine.images import build_all
from fixtures.world.images import catalogue

Boot = Callable[[str, Path], AbstractContextManager[Container]]


@dataclass(frozen=True)
class Neighbour:
    """A host on the Dell's own network segment."""

    container: Container

    def reaches(self, address: str, port: int) -> bool:
        """Whether a TCP connection to the port is accepted within two seconds."""
        probe: Result = execute(self.container, ["nc", "-z", "-w", "2", address, str(port)])
        return probe.status == 0


@pytest.fixture(scope="session", autouse=True)
def _images() -> None:
    """The images of these tests, built when missing."""
    build_all([catalogue()["dell"], catalogue()["base"]], jobs=1)


@pytest.fixture(scope="session")
def base_tag() -> str:
    """A small image for the inner engine."""
    return catalogue()["base"].tag


@pytest.fixture(scope="session")
def authority() -> Authority:
    """The run's CA."""
    return Authority.create()


@contextmanager
def _booted(place: str, engine_dir: Path, authority: Authority) -> Iterator[Container]:
    """A machine on the engine's default bridge, sealed; removed at the end, its engine directory kept."""
    spec = dell_spec(
        catalogue()["dell"].tag,
        engine_dir,
        ca=authority.certificate_pem,
        gateway=None,
        nameserver=None,
        place=place,
    )
    remove(place)
    container = start(spec)
    try:
        wait_until_running(container, timedelta(seconds=60))
        yield container
    finally:
        remove(place)


@pytest.fixture(scope="session")
def boot(authority: Authority) -> Boot:
    """Boots a further machine: ``with boot(place, engine_dir) as container``."""
    return lambda place, folder: _booted(place, folder, authority)


@pytest.fixture(scope="session")
def engine_dir(tmp_path_factory: pytest.TempPathFactory, base_tag: str) -> Iterator[Path]:
    """The engine cache of the session's machine."""
    folder = tmp_path_factory.mktemp("engine") / "cache"
    yield folder
    wipe_engine_cache(folder, base_tag)


@pytest.fixture(scope="session")
def dell(engine_dir: Path, boot: Boot) -> Iterator[Container]:
    """The session's machine, booted."""
    with boot("test-dell", engine_dir) as container:
        yield container


@pytest.fixture(scope="session")
def console(dell: Container) -> ContainerConsole:
    """A root console on it."""
    return ContainerConsole(dell)


@pytest.fixture
def inner_image(dell: Container, engine_dir: Path, base_tag: str) -> str:
    """The small image, in the machine's own engine."""
    load_images(dell, engine_dir, [base_tag])
    return base_tag


@pytest.fixture(scope="session")
def neighbour(base_tag: str) -> Iterator[Neighbour]:
    """A LAN neighbour of the session's machine."""
    place = "test-dell-neighbour"
    remove(place)
    container = start(ContainerSpec(place, base_tag, command=["sleep", "infinity"], options={"init": True}))
    try:
        yield Neighbour(container)
    finally:
        remove(place)


@pytest.fixture
def lan_address(dell: Container) -> str:
    """The machine's address on the segment that it shares with the neighbour."""
    dell.reload()
    return str(dell.attrs["NetworkSettings"]["Networks"]["bridge"]["IPAddress"])

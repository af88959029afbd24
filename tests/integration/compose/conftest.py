"""Benches: the gateway alone, the mail core with its filters, and the webmail on top of it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.compose.core import Core
from tests.integration.compose.front import Front
from tests.integration.compose.gateway import Gateway
from tests.integration.compose.parts import Bench, tailnet_like
from tests.integration.compose.web import Web


def _bench(folder: Path) -> Iterator[Bench]:
    bench = Bench(folder, tailnet_like())
    try:
        yield bench
    finally:
        bench.stop()


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    """A fresh bench for the specs of one file."""
    yield from _bench(tmp_path_factory.mktemp("bench"))


@pytest.fixture(scope="module")
def gateway(bench: Bench) -> Iterator[Gateway]:
    """The gateway with a scripted server behind its forwarder."""
    found = Gateway.start(bench)
    yield found
    found.stop()


@pytest.fixture(scope="session")
def core_bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    """The bench of the mail core."""
    yield from _bench(tmp_path_factory.mktemp("core"))


@pytest.fixture(scope="session")
def core(core_bench: Bench) -> Core:
    """Dovecot, Postfix, Rspamd, ClamAV, Redis and Unbound as deployed, and a scripted smarthost."""
    return Core.start(core_bench)


@pytest.fixture(scope="session")
def front(core: Core) -> Iterator[Front]:
    """The core behind the real gateway, and Internet hosts that send to it."""
    found = Front.start(core)
    yield found
    found.stop()


@pytest.fixture(scope="session")
def web(core: Core) -> Web:
    """MariaDB, Roundcube and nginx in front of the core."""
    return Web.start(core)

"""One small tailnet for all specs of this folder."""

import warnings
from collections.abc import Iterator

import pytest

from fixtures.engine.images import build_all
from fixtures.wait import WaitTimeoutError
from fixtures.world.images import catalogue
from tests.integration.tailnet.world import Members, SmallTailnet


@pytest.fixture(scope="session")
def tailnet() -> Iterator[SmallTailnet]:
    """A coordinator with the policy that deploys."""
    build_all([catalogue()[name] for name in ("controlplane", "tailscale", "tailnet-client")], jobs=1)
    found = SmallTailnet.create()
    try:
        yield found
    finally:
        found.destroy()


@pytest.fixture(scope="session")
def members(tailnet: SmallTailnet) -> Members:
    """The server, two people's machines and the gateway's task, joined and settled.

    They get a second chance to join, because thirty specs hang on it; what went wrong is shown as a warning.
    """
    try:
        return Members.join(tailnet)
    except WaitTimeoutError as error:
        warnings.warn("\n".join([f"first try: {error}", *getattr(error, "__notes__", [])]), stacklevel=1)
        Members.leave(tailnet)
        return Members.join(tailnet)


@pytest.fixture
def policy_restored(tailnet: SmallTailnet, members: Members) -> Iterator[None]:
    """Afterwards the policy is the one that deploys again, and in force."""
    yield
    tailnet.restore_policy()
    members.settle()

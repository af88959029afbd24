"""What the engine does not let go: told as it is when nothing holds it, an error when something does."""

from types import SimpleNamespace
from typing import Any

import pytest
from docker.errors import APIError

from fixtures.engine import cleanup
from fixtures.engine.cleanup import StuckNetworkError, remove_all


class KeptNetwork:
    """A network that the engine refuses to remove."""

    name = "mailproof-net-internet"

    def __init__(self, containers: dict[str, Any]) -> None:
        self.attrs = {"Containers": containers}

    def remove(self) -> None:
        """Refuse in the engine's words."""
        raise APIError(
            "error while removing network: network mailproof-net-internet id 92 has active endpoints"
        )

    def reload(self) -> None:
        """Look again; nothing changes."""


@pytest.mark.req("R-0-leftovers")
@pytest.mark.parametrize(("containers", "error"), [({}, StuckNetworkError), ({"c1": {}}, APIError)])
def test_a_network_that_stays(
    monkeypatch: pytest.MonkeyPatch, containers: dict[str, Any], error: type[Exception]
) -> None:
    """With nobody on it the engine has miscounted, and volumes go all the same; else somebody is there."""
    gone: list[str] = []
    volume = SimpleNamespace(remove=lambda force: gone.append("volume"))
    engine = SimpleNamespace(
        containers=SimpleNamespace(list=lambda **_: []),
        networks=SimpleNamespace(list=lambda **_: [KeptNetwork(containers)]),
        volumes=SimpleNamespace(list=lambda **_: [volume]),
    )
    monkeypatch.setattr(cleanup, "engine", lambda: engine)
    with pytest.raises(error, match="mailproof-net-internet"):
        remove_all()
    assert gone == (["volume"] if error is StuckNetworkError else [])

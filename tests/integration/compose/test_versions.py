"""What runs is not older than the versions with the known fixes (F74)."""

import tomllib
from typing import Any

import pytest
import yaml

from fixtures.engine.client import engine
from fixtures.engine.images import build_all
from fixtures.world.images import ROOT, catalogue

SERVICES = tomllib.loads((ROOT / "docs/versions.toml").read_text("utf-8"))["service"]
# The installed version, dpkg's verdict on it, that verdict's control, and what the program says of itself.
ASK = """set -eu
floor=$1 package=$2
shift 2
version=$(dpkg-query -W -f '${Version}' "$package")
echo "$version"
dpkg --compare-versions "$version" ge "$floor" && echo enough || echo "older than $floor"
dpkg --compare-versions "$version" ge "$version+later" && echo blind || echo sees
"$@" 2>&1
"""


def test_every_service_has_a_floor() -> None:
    """None of the compose file's services is left out, and each floor says why it is one."""
    compose = yaml.safe_load((ROOT / "compose/docker-compose.yml").read_text("utf-8"))["services"]
    assert sorted(service["name"] for service in SERVICES) == sorted(compose)
    assert all(service["why"] for service in SERVICES)


@pytest.mark.parametrize("service", SERVICES, ids=[service["name"] for service in SERVICES])
def test_the_image_holds_no_older_version(service: dict[str, Any]) -> None:
    """By dpkg's order of versions, and the program in the image is the package's."""
    image = catalogue()[service["name"]]
    build_all([image], jobs=1)
    argv = ["-c", ASK, "ask", service["floor"], service["package"], *service["program"]]
    said = engine().containers.run(image.tag, argv, entrypoint="sh", network_mode="none", remove=True)
    version, verdict, control, *program = said.decode().splitlines()
    assert (verdict, control) == ("enough", "sees"), (service["name"], version)
    upstream = version.rpartition(":")[2].partition("-")[0].partition("+")[0].partition("~")[0]
    assert any(upstream in line for line in program), (upstream, program)


pytestmark = pytest.mark.req("R-1.2-version-floors")

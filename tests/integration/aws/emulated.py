"""An emulated AWS account of a test module's own, with the deployable configuration applied to it."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from docker.models.containers import Container

from fixtures.aws.emulators import localstack_spec, moto_spec
from fixtures.aws.emulators.specs import (
    LOCALSTACK_HEALTH,
    LOCALSTACK_PORT,
    MOTO_HEALTH,
    MOTO_PORT,
    wait_until_answers,
)
from fixtures.aws.session import NOWHERE, AwsAccount
from fixtures.aws.terraform import Terraform
from fixtures.aws.variables import terraform_variables
from fixtures.engine.containers import ContainerSpec, remove, start
from fixtures.engine.images import build_all
from fixtures.site import load_site
from fixtures.world.images import catalogue

ROOT = Path(__file__).resolve().parents[3]
_KINDS: dict[str, Any] = {
    "moto": (moto_spec, MOTO_PORT, MOTO_HEALTH),
    "localstack": (localstack_spec, LOCALSTACK_PORT, LOCALSTACK_HEALTH),
}
IMAGES = {name: f"mail/{name}:1" for name in ("postfix", "tunnel", "tailscale")}


@dataclass(frozen=True)
class Deployed:
    """The account, Terraform's run directory and its outputs."""

    account: AwsAccount
    terraform: Terraform
    outputs: dict[str, Any]

    def client(self, service: str) -> Any:
        """A boto3 client of the account."""
        return self.account.client(service)


def variables(**changed: Any) -> dict[str, Any]:
    """Terraform's variables out of the repository's site file, some of them changed."""
    return {**terraform_variables(load_site(ROOT / "site.toml"), IMAGES), **changed}


def _url(container: Container, port: int) -> str:
    """Where a container on the engine's default bridge answers."""
    container.reload()
    return f"http://{container.attrs['NetworkSettings']['IPAddress']}:{port}"


@contextmanager
def emulated_account(
    name: str, *emulators: str, mail: Mapping[str, str] | None = None
) -> Iterator[AwsAccount]:
    """The named emulators (both, when none is named) on the default bridge, removed at the end.

    ``mail`` says how SNS's mail finds its way, as in localstack_spec.
    """
    name += os.environ.get("PYTEST_XDIST_WORKER", "")
    wanted = emulators or ("moto", "localstack")
    images = {emulator: catalogue()[emulator] for emulator in wanted}
    build_all(images.values(), jobs=1)
    urls = {"moto": NOWHERE, "localstack": NOWHERE}
    try:
        for emulator, (make, port, health) in _KINDS.items():
            if emulator in images:
                spec = make(images[emulator].tag, place=f"{name}-{emulator}")
                spec = replace(spec, env={**spec.env, **(mail or {})})
                urls[emulator] = _url(start(_on_default_bridge(spec)), port)
                wait_until_answers(emulator, urls[emulator] + health)
        yield AwsAccount(urls["moto"], urls["localstack"])
    finally:
        for emulator in images:
            remove(f"{name}-{emulator}")


def _on_default_bridge(spec: ContainerSpec) -> ContainerSpec:
    """The same container without the world's management network."""
    return replace(spec, publish=())

"""AWS as the Dell reaches it, and the aws command there, for a while."""

from collections.abc import Iterator
from contextlib import contextmanager

from fixtures import plan
from fixtures.aws.emulators.specs import LOCALSTACK_PORT
from fixtures.aws.session import ACCESS_KEY, SECRET_KEY
from fixtures.dell.aws_command import install_aws, remove_aws
from fixtures.targets.sim import Sim

AWS_AT_HOME = f"http://{plan.AWS_API}:{LOCALSTACK_PORT}"
"""The emulated account's alerts, metrics and secrets, as the home line reaches them."""


@contextmanager
def secrets_manager_at_home(world: Sim) -> Iterator[list[str]]:
    """The settings, as ``NAME=value``, with which the command reaches it."""
    try:
        install_aws(world.dell)
        yield [
            f"AWS_ENDPOINT_URL={AWS_AT_HOME}",
            f"AWS_ACCESS_KEY_ID={ACCESS_KEY}",
            f"AWS_SECRET_ACCESS_KEY={SECRET_KEY}",
        ]
    finally:
        remove_aws(world.dell)

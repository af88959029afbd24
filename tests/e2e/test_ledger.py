"""The last spec of every run, whatever else was selected: no message of it is unaccounted for."""

from collections.abc import Callable

import pytest

from fixtures.targets.books import Balance


@pytest.mark.req("R-0-ledger-balances")
def test_every_message_is_accounted_for(balance: Callable[[], Balance]) -> None:
    """Each message handed over is where its sender may believe it, once, unaltered, and nowhere else."""
    balance().check()

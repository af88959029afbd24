"""Nouns of the end-to-end specs: where one stands, who one is, how a message gets in."""

from collections.abc import Callable, Iterator, Sequence

import pytest
from playwright.sync_api import Browser, StorageState

from fixtures.mail.message import Message, make
from fixtures.mail.outcome import Outcome
from fixtures.probe.browser import chromium, visiting
from fixtures.site import Site
from fixtures.target import Target
from fixtures.targets.bookkeeping import (
    Deliver,
    balance,
    books_closed,
    deliver,
    ledger_page,
    pytest_collection_modifyitems,
)
from fixtures.targets.sim import Sim
from fixtures.vantage import Vantage
from tests.e2e.webmail_browser import Desk

STRANGER = "stranger@hosts.example.org"

Arrive = Callable[..., Outcome]
Submit = Callable[..., Outcome]

# The ledger's part of this layer; names in __all__ are what pytest and the specs find here.
__all__ = [
    "Deliver",
    "balance",
    "books_closed",
    "deliver",
    "ledger_page",
    "pytest_collection_modifyitems",
]


@pytest.fixture
def internet_host(target: Target) -> Vantage:
    """A host somewhere on the Internet."""
    return target.vantage("internet-host")


@pytest.fixture
def tailnet_pc(target: Target) -> Vantage:
    """The owner's PC in the tailnet."""
    return target.vantage("tailnet-pc")


@pytest.fixture
def lan_host(target: Target) -> Vantage:
    """A neighbour on the home LAN."""
    return target.vantage("lan-host")


@pytest.fixture
def account(target: Target) -> str:
    """Somebody that specs may act as: the target's first test account, in the simulated world a user."""
    return next(iter(target.passwords))


@pytest.fixture
def alice(site: Site) -> str:
    """A user of the primary domain."""
    return f"alice@{site.mail.primary}"


@pytest.fixture
def bob(site: Site) -> str:
    """Another user of the primary domain."""
    return f"bob@{site.mail.primary}"


@pytest.fixture(scope="session")
def arrive(world: Sim, deliver: Deliver) -> Arrive:
    """Hand a message to the site's MX host as an Internet MTA does; returns what the MX host said."""

    def act(
        message: Message, recipients: Sequence[str], *, sender: str = STRANGER, place: str = "internet-host"
    ) -> Outcome:
        # AWS routes nothing from inside the VPC to its own public addresses without one of its own.
        inside = place == "vpc-neighbour"
        mx = world.gateway.private_address() if inside else world.site.mail.mx_hostname
        return deliver(world.vantage(place), mx, 25, message, sender, recipients, helo="mail.example.org")

    return act


@pytest.fixture
def submit(world: Sim, deliver: Deliver) -> Submit:
    """Submit a message on port 587 as a user's mail client does, over verified TLS."""

    def act(
        message: Message, recipients: Sequence[str], *, user: str, sender: str = "", place: str = "tailnet-pc"
    ) -> Outcome:
        return deliver(
            world.vantage(place), world.server, 587, message, sender or user, recipients,
            tls="starttls", auth=(user, world.passwords[user]), ca=world.ca,
        )  # fmt: skip

    return act


@pytest.fixture
def letter() -> Callable[..., Message]:
    """Make a message from a stranger."""

    def act(*recipients: str, sender: str = STRANGER) -> Message:
        return make(sender, recipients)

    return act


@pytest.fixture(scope="session")
def browser(world: Sim) -> Iterator[Browser]:
    """A real browser that trusts the run's CA, for all specs."""
    with chromium(world.ca) as running:
        yield running


@pytest.fixture(scope="module")
def signed_in(world: Sim, browser: Browser) -> StorageState:
    """The cookies of Alice's session at the webmail: one login is enough for a file of specs."""
    user = f"alice@{world.site.mail.primary}"
    with visiting(browser, world.vantage("tailnet-pc")) as context:
        Desk(context, world.server).log_in(user, world.passwords[user])
        return context.storage_state()


@pytest.fixture
def desk(world: Sim, browser: Browser, signed_in: StorageState) -> Iterator[Desk]:
    """Alice at the webmail, logged in, in a window of her PC."""
    with visiting(browser, world.vantage("tailnet-pc"), signed_in) as context:
        yield Desk(context, world.server)

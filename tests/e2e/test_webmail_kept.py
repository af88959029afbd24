"""What a user tells the webmail is kept in MariaDB and outlives every container of it (design 4.4, F65)."""

from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import expect

from fixtures.dell.layout import TARGET
from fixtures.dell.stack import Stack
from fixtures.mail.message import new_marker
from fixtures.targets.sim import Sim
from tests.e2e.webmail_browser import Desk

NEW = ("mariadb", "roundcube")
FORMAT = "g:i a"

Ask = Callable[[str], str]


@pytest.fixture
def database(world: Sim) -> Ask:
    """Ask the webmail's database as its administrator does."""
    client = ["mariadb", "--defaults-file=/etc/mailserver/mariadb/my.cnf", "--batch", "--skip-column-names"]
    stack = Stack(world.dell, TARGET)
    return lambda query: stack.execute("mariadb", [*client, "roundcube", "--execute", query]).stdout.strip()


@pytest.fixture
def friend(database: Ask) -> Iterator[str]:
    """The address of somebody whom nobody knows yet; forgotten at the end."""
    address = f"{new_marker()}@example.net"
    assert database(f"SELECT COUNT(*) FROM contacts WHERE email = '{address}'") == "0"
    yield address
    database(f"DELETE FROM contacts WHERE email = '{address}'")


@pytest.mark.req("R-4.4-settings-survive", "R-4.4-user-in-mariadb")
def test_settings_and_contacts_outlive_the_containers(
    desk: Desk, world: Sim, alice: str, database: Ask, friend: str
) -> None:
    """A setting and a contact are rows in MariaDB; new containers of both show them, to the same session."""
    former = desk.set_time_format(FORMAT)
    try:
        desk.add_contact("花子", friend)
        rows = f"SELECT name, email FROM contacts WHERE email = '{friend}' AND del = 0"
        assert database(rows).split("\t") == ["花子", friend]
        assert FORMAT in database(f"SELECT preferences FROM users WHERE username = '{alice}'")
        stack = Stack(world.dell, TARGET)
        started = stack.started()
        stack.recreate(NEW)
        stack.up()
        assert [name for name in NEW if stack.started()[name] <= started[name]] == []
        assert database(rows).split("\t") == ["花子", friend]
        desk.go("addressbook")
        expect(desk.page.locator("#contacts-table")).to_contain_text("花子")
        desk.picture("7-contacts")
    finally:
        assert desk.set_time_format(former) == FORMAT

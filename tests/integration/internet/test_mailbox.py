"""Reading mailboxes by IMAP and POP3: the same promises for both, against a Dovecot with a plain set-up."""

import secrets
import ssl
from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest

from fixtures.authority import Authority
from fixtures.engine.client import engine
from fixtures.engine.containers import ContainerSpec, remove
from fixtures.engine.execute import execute
from fixtures.engine.images import build_all
from fixtures.internet.nameserver import NameServer
from fixtures.internet.ready import wait_until_ready
from fixtures.internet.vantages import CA_PATH
from fixtures.mail.mailbox import Account, ImapMailbox, LoginRefusedError, Mailbox, Pop3Mailbox
from fixtures.mail.message import Message, japanese
from fixtures.probe.tls import context
from fixtures.vantage import Vantage
from fixtures.wait import WaitTimeoutError
from fixtures.world.images import catalogue
from tests.integration.internet.lab import Lab

HOST = "imap.example.org"
USER = "alice"
CONFIG = """\
protocols = imap pop3
listen = *
log_path = /dev/stderr
ssl = required
ssl_cert = </run/mailproof/tls.crt
ssl_key = </run/mailproof/tls.key
first_valid_uid = 1
mail_location = maildir:/srv/mail/%u
passdb {{
  driver = static
  args = password={password}
}}
userdb {{
  driver = static
  args = uid=mail gid=mail home=/srv/mail/%u
}}
"""

MakeAccount = Callable[..., Account]
OpenMailbox = Callable[[Account], Mailbox]


@pytest.fixture(scope="module")
def password() -> str:
    """A password of this run."""
    return secrets.token_hex(16)


@pytest.fixture(scope="module")
def dovecot(internet: Lab, name_server: NameServer, password: str) -> Iterator[str]:
    """A Dovecot on the Internet under its name; the container's name."""
    image = catalogue()["dovecot"]
    build_all([image])
    issued = internet.authority.issue(HOST)
    spec = ContainerSpec(
        place="dovecot",
        image=image.tag,
        command=[
            "sh",
            "-c",
            "install -d -o mail -g mail /srv/mail && exec dovecot -F -c /run/mailproof/d.conf",
        ],
        addresses={internet.internet.name: internet.internet[60]},
        files={
            CA_PATH: internet.authority.certificate_pem,
            "/run/mailproof/tls.crt": issued.certificate,
            "/run/mailproof/tls.key": issued.key,
            "/run/mailproof/d.conf": CONFIG.format(password=password).encode(),
        },
        options={"entrypoint": []},
    )
    container = internet.start(spec)
    wait_until_ready(container, ["nc", "-z", "127.0.0.1", "995"])
    name_server.set_address(HOST, internet.internet[60])
    yield str(container.name)
    name_server.set_address(HOST, None)
    remove(internet.place("dovecot"))


@pytest.fixture
def make_account(dovecot: str, internet: Lab, internet_host: Vantage, password: str) -> MakeAccount:
    """Makes an account that is right unless told otherwise."""
    assert dovecot

    def make(*, secret: str | None = None, host: str = HOST, trust: ssl.SSLContext | None = None) -> Account:
        trusting = trust or context(internet.authority.certificate_pem)
        address = internet.internet[60]
        return Account(
            internet_host, host, USER, secret or password, trusting, None if host == HOST else address
        )

    return make


@pytest.fixture
def stored(dovecot: str) -> Message:
    """A Japanese message in the mailbox."""
    message = japanese("bob@example.org", [f"{USER}@example.org"])
    argv = ["doveadm", "-c", "/run/mailproof/d.conf", "save", "-u", USER]
    execute(engine().containers.get(dovecot), argv, stdin=message.content).check()
    return message


both = pytest.mark.parametrize("open_mailbox", [ImapMailbox, Pop3Mailbox], ids=["imap", "pop3"])


@pytest.mark.req("R-0-mailbox-clients")
@both
def test_stored_message_is_found_whole(
    make_account: MakeAccount, open_mailbox: OpenMailbox, stored: Message
) -> None:
    """The message comes back octet by octet, once, and one that was never sent does not."""
    mailbox = open_mailbox(make_account())
    assert mailbox.wait_for(stored.marker, timedelta(seconds=5)) == stored.content
    assert mailbox.count(stored.marker) == 1
    assert mailbox.find("mark-of-nobody") is None
    with pytest.raises(WaitTimeoutError, match="mark-of-nobody"):
        mailbox.wait_for("mark-of-nobody", timedelta(seconds=0.3))


@pytest.mark.req("R-0-mailbox-clients")
@both
def test_wrong_password_is_refused(
    make_account: MakeAccount, open_mailbox: OpenMailbox, stored: Message
) -> None:
    """A wrong password raises LoginRefusedError, while the right one finds the message."""
    with pytest.raises(LoginRefusedError):
        open_mailbox(make_account(secret="wrong")).find(stored.marker)
    assert open_mailbox(make_account()).find(stored.marker) == stored.content


@pytest.mark.req("R-0-clients-verify")
@both
def test_certificate_is_verified(make_account: MakeAccount, open_mailbox: OpenMailbox) -> None:
    """A wrong name and an unknown authority end the connection before any password is sent."""
    with pytest.raises(ssl.SSLCertVerificationError, match="Hostname mismatch"):
        open_mailbox(make_account(host="other.example.org")).find("any")
    stranger = context(Authority.create().certificate_pem)
    with pytest.raises(ssl.SSLCertVerificationError):
        open_mailbox(make_account(trust=stranger)).find("any")


@pytest.mark.req("R-0-mailbox-clients")
def test_imap_shows_folders(make_account: MakeAccount) -> None:
    """The folder list has the inbox."""
    assert "INBOX" in ImapMailbox(make_account()).folders()

"""The mail core on a bench: every service that a message passes on the Dell, with the files that deploy."""

import imaplib
import poplib
import smtplib
import socket
import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from email.message import EmailMessage

from docker.models.containers import Container

from fixtures.engine.execute import Result, execute
from fixtures.wait import wait_for
from tests.integration.compose.names import Names
from tests.integration.compose.parts import DOMAIN, HOSTNAME, LIMIT, Bench, elsewhere, wait_until_healthy

ALICE, BOB, DORA = f"alice@{DOMAIN}", f"bob@{DOMAIN}", f"dora@{DOMAIN}"
PASSWORDS = {ALICE: "correct horse battery", BOB: "staple & more", DORA: "an eager beaver"}
SMARTHOST = "smarthost.example.net"
API_KEY = "SG.not-a-real-key"


def eicar() -> str:
    """The antivirus test string, put together here so that it stands in no file."""
    return "X5O!P%@AP[4\\PZX54(P^)7CC)7}$" + "EICAR-STANDARD-ANTIVIRUS-TEST-FILE" + "!$H+H*"


def gtube() -> str:
    """The spam test string, put together here so that it stands in no file."""
    return "XJS*C4JDBQADN1.NSBN3*2IDNEN*" + "GTUBE-STANDARD-ANTI-UBE-TEST-EMAIL" + "*C.34X"


@dataclass
class Core:
    """The running services by name, and their addresses."""

    bench: Bench
    names: Names
    services: dict[str, Container]
    addresses: dict[str, str]

    @classmethod
    def start(cls, bench: Bench) -> "Core":
        """Start all, in an order in which each finds its neighbours, and wait until all are healthy."""
        core = cls(bench, Names.start(bench), {}, {})
        (bench.folder / "config/dovecot/users").touch()
        (bench.folder / "clamav/test.ndb").write_text(f"Test.EICAR:0:*:{eicar().encode().hex()}\n")
        bench.secret("rspamd_password", 'controller\'s "own"')
        bench.secret("sendgrid_api_key", API_KEY)
        (bench.folder / "smarthost").mkdir()
        (bench.folder / "smarthost/password").write_text(f"apikey:{API_KEY}")
        _resolver(bench)
        core._add("unbound", {"RESOLVER_FORWARD": core.names.address}, {})
        core._add("redis", {}, {"rspamd-memory": "/var/lib/redis"})
        core._add("clamav", {"CLAMAV_UPDATE": "no"}, {"clamav": "/var/lib/clamav"})
        resolving = {f"RSPAMD_{name}": core.addresses[host] for name, host in _RSPAMD.items()}
        core._add("rspamd", resolving, {"secrets": "/run/secrets", "rspamd": "/var/lib/rspamd"})
        mail = {"certs": "/certs", "mail": "/var/mail/vhosts", "secrets": "/run/secrets"}
        core._add("dovecot", {}, mail, config="/etc/dovecot", neighbours=("rspamd",))
        core._users()
        core.smarthost()
        core._postfix()
        for service in ("unbound", "redis", "clamav", "dovecot", "rspamd"):
            wait_until_healthy(core.services[service])
        wait_until_healthy(core.services["postfix"], "/usr/local/bin/server-healthcheck")
        return core

    def _add(
        self,
        service: str,
        env: Mapping[str, str],
        mounts: dict[str, str],
        config: str = "",
        neighbours: tuple[str, ...] = (),
    ) -> None:
        own = {f"config/{service}": config or f"/etc/mailserver/{service}", **mounts}
        known = {name: self.addresses[name] for name in neighbours}
        at = self.addresses.get(service)
        container = self.bench.start(service, service, env, own, at=at, neighbours=known)
        self.services[service] = container
        self.addresses[service] = self.bench.address(container)

    def smarthost(self, host: str = SMARTHOST) -> None:
        """(Re)start the scripted smarthost, at the same address, with a certificate for ``host``."""
        bench = self.bench
        bench.certificate("smarthost", "smarthost", host)
        tls = ["--cert", "/bench/smarthost/smarthost.crt", "--key", "/bench/smarthost/smarthost.key"]
        address = self.addresses.get("smarthost")
        double = bench.double(
            "smarthost", "587", *tls, "--password-file", "/bench/smarthost/password", at=address
        )
        self.services["smarthost"], self.addresses["smarthost"] = double, bench.address(double)

    def _users(self) -> None:
        """Lines such as add-user.sh writes, hashed by the Dovecot that is to know them."""
        hashing = ["doveadm", "pw", "-s", "BLF-CRYPT", "-r", "10"]
        lines = []
        for user, password in PASSWORDS.items():
            twice = f"{password}\n{password}\n".encode()
            done = execute(self.services["dovecot"], hashing, stdin=twice).check()
            lines.append(f"{user}:{done.stdout.split()[-1]}::::::\n")
        (self.bench.folder / "config/dovecot/users").write_text("".join(lines))

    def _postfix(self) -> None:
        env = {
            "MAIL_ROLE": "server", "MAIL_FQDN": f"mail.{DOMAIN}", "MAIL_DOMAIN": DOMAIN,
            "MAIL_ADDITIONAL_DOMAINS": "second.example.org", "MESSAGE_SIZE_LIMIT": str(LIMIT),
            "SMARTHOST": f"[{SMARTHOST}]:587",
        }  # fmt: skip
        # The smarthost is no host of a DNS here; the deployed configuration looks it up like any other.
        main = self.bench.folder / "config/postfix/main.cf"
        main.write_text(main.read_text() + "smtp_host_lookup = native\n")
        mounts = {
            "config/postfix": "/etc/mailserver/postfix", "certs": "/certs", "spool": "/var/spool/postfix",
            "secrets": "/run/secrets", "ca.crt": "/etc/mailserver/ca-bundle.crt",
        }  # fmt: skip
        known = {name: self.addresses[name] for name in ("dovecot", "rspamd")}
        neighbours = known | {SMARTHOST: self.addresses["smarthost"]}
        postfix = self.bench.start("postfix", "postfix", env, mounts, neighbours=neighbours)
        self.services["postfix"], self.addresses["postfix"] = postfix, self.bench.address(postfix)

    @property
    def tls(self) -> ssl.SSLContext:
        """What a mail client does: verify against the bench's authority."""
        return ssl.create_default_context(cadata=self.bench.authority.certificate_pem.decode())

    def run(self, service: str, *argv: str) -> Result:
        """Run a program in a service's container; raises CommandError."""
        return execute(self.services[service], argv).check()

    def restart(self, service: str) -> None:
        """Restart a service and wait until it is healthy again."""
        self.services[service].restart(timeout=5)
        wait_until_healthy(self.services[service], _CHECKS.get(service, "/usr/local/bin/healthcheck"))

    def started(self) -> dict[str, str]:
        """When each service was last started."""
        for container in self.services.values():
            container.reload()
        return {name: found.attrs["State"]["StartedAt"] for name, found in self.services.items()}

    @contextmanager
    def stopped(self, service: str) -> Iterator[None]:
        """Stop a service for a while; afterwards it is healthy again."""
        self.services[service].stop(timeout=5)
        try:
            yield
        finally:
            self.services[service].start()
            wait_until_healthy(self.services[service], _CHECKS.get(service, "/usr/local/bin/healthcheck"))

    @contextmanager
    def outside(self) -> Iterator[str]:
        """Postfix's address on a further network, outside the tailnet's range."""
        network = elsewhere()
        postfix = self.services["postfix"]
        network.connect(postfix)
        try:
            postfix.reload()
            yield str(postfix.attrs["NetworkSettings"]["Networks"][network.name]["IPAddress"])
        finally:
            network.disconnect(postfix, force=True)
            network.remove()

    def wait_for_recipient(self, recipient: str, code: int) -> None:
        """Wait until RCPT for the address is answered with the code: remembered answers live for seconds."""

        def answer() -> int:
            with self.inbound() as smtp:
                smtp.ehlo()
                smtp.mail("stranger@example.net")
                return smtp.rcpt(recipient)[0]

        wait_for(f"RCPT {recipient}", answer, timeout=timedelta(seconds=20), until=lambda seen: seen == code)

    def handshake(self, service: str, port: int, context: ssl.SSLContext) -> str:
        """The cipher suite that a TLS client with this context agrees on with the service."""
        with (
            socket.create_connection((self.addresses[service], port), 10) as plain,
            context.wrap_socket(plain, server_hostname=HOSTNAME) as encrypted,
        ):
            cipher = encrypted.cipher()
            assert cipher is not None
            return cipher[0]

    def inbound(self, timeout: float = 30) -> smtplib.SMTP:
        """Connect as the gateway does."""
        return smtplib.SMTP(self.addresses["postfix"], 2525, "mail.example.net", timeout)

    def submission(self, user: str = "", *, encrypted: bool = True) -> smtplib.SMTP:
        """Connect as a mail client does, over verified TLS, logged in when a user is given."""
        smtp = _Named(self.addresses["postfix"], 587, "client.example.net", 30)
        if encrypted:
            smtp.starttls(context=self.tls)
            smtp.ehlo()
        if user:
            smtp.login(user, PASSWORDS[user])
        return smtp

    def imap(self, user: str = "") -> imaplib.IMAP4:
        """IMAP over verified TLS, logged in when a user is given."""
        found = _Imap(self.addresses["dovecot"], self.tls)
        if user:
            found.login(user, PASSWORDS[user])
        return found

    def pop3(self) -> poplib.POP3:
        """POP3 over verified TLS."""
        return _Pop3(self.addresses["dovecot"], self.tls)

    def found(self, user: str, marker: str, folder: str = "INBOX") -> list[bytes]:
        """The user's messages that carry a marker in their subject."""
        with self.imap(user) as imap:
            imap.select(folder, readonly=True)
            numbers = imap.search(None, "SUBJECT", f'"{marker}"')[1][0].split()
            fetched = [imap.fetch(number.decode(), "(BODY.PEEK[])")[1][0] for number in numbers]
            return [part[1] for part in fetched if isinstance(part, tuple)]


_CHECKS = {"postfix": "/usr/local/bin/server-healthcheck"}
_RSPAMD = {"REDIS": "redis", "CLAMAV": "clamav", "RESOLVER": "unbound"}


class _Named(smtplib.SMTP):
    """Verifies the certificate's name instead of the address that was dialled."""

    def starttls(  # type: ignore[override]
        self, *, context: ssl.SSLContext
    ) -> tuple[int, bytes]:
        self._host = HOSTNAME
        return super().starttls(context=context)


class _Imap(imaplib.IMAP4):
    def __init__(self, address: str, context: ssl.SSLContext) -> None:
        self._address, self._context = address, context
        super().__init__(address, 993, 20)

    def _create_socket(self, timeout: float | None) -> ssl.SSLSocket:
        plain = socket.create_connection((self._address, 993), timeout)
        return self._context.wrap_socket(plain, server_hostname=HOSTNAME)


class _Pop3(poplib.POP3):
    def __init__(self, address: str, context: ssl.SSLContext) -> None:
        self._context = context
        super().__init__(address, 995, 20)

    def _create_socket(self, timeout: float | None) -> ssl.SSLSocket:
        plain = socket.create_connection((self.host, 995), timeout)
        return self._context.wrap_socket(plain, server_hostname=HOSTNAME)


def _resolver(bench: Bench) -> None:
    """The bench's network asks the resolver, as the deployed one does, also about its own addresses."""
    config = bench.folder / "config/unbound/unbound.conf"
    own = ["server:", "access-control: 100.127.0.0/16 allow", 'local-zone: "127.100.in-addr.arpa." nodefault']
    config.write_text(config.read_text() + "\n    ".join(own) + "\n")


def letter(subject: str, body: str = "Good morning,\n\nall is well.\n", sender: str = "") -> EmailMessage:
    """A plain message such as people send."""
    message = EmailMessage()
    message["From"] = sender or "Stranger <stranger@example.net>"
    message["To"] = ALICE
    message["Subject"] = subject
    message["Date"] = "Mon, 23 Nov 2026 10:00:00 +0000"
    message["Message-ID"] = f"<{subject.replace(' ', '.')}@example.net>"
    message.set_content(body)
    return message

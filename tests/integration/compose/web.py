"""MariaDB, Roundcube and nginx on the core's bench, and a browser's view of them."""

import re
from dataclasses import dataclass

import httpx

from tests.integration.compose.core import Core
from tests.integration.compose.parts import HOSTNAME, wait_until_healthy

_DATABASE = {"MYSQL_DATABASE": "roundcube", "MYSQL_USER": "roundcube"}


@dataclass
class Web:
    """The running webmail."""

    core: Core

    @classmethod
    def start(cls, core: Core) -> "Web":
        """Start the three services and wait until the login page comes through TLS."""
        web = cls(core)
        for name, value in (("mysql_root_password", "root's"), ("mysql_password", 'it\'s "$ecret"')):
            core.bench.secret(name, value)
        core.bench.secret("roundcube_des_key", "0123456789abcdefghijklmn")
        web.mariadb()
        web.roundcube()
        web.nginx()
        for service in ("mariadb", "roundcube", "nginx"):
            wait_until_healthy(core.services[service])
        return web

    def mariadb(self) -> None:
        """(Re)create the database server on the same data."""
        mounts = {"secrets": "/run/secrets", "db": "/var/lib/mysql"}
        self.core._add("mariadb", _DATABASE, mounts)

    def roundcube(self, hostname: str = HOSTNAME) -> None:
        """(Re)create Roundcube, expecting the mail servers' certificate to be ``hostname``'s."""
        core = self.core
        env = {**_DATABASE, "MAIL_HOSTNAME": hostname, "WEBMAIL_LANGUAGE": "ja_JP"}
        env |= {"MESSAGE_SIZE_MB": "2", "MESSAGE_SIZE_LIMIT": "2800000"}
        mounts = {
            "config/roundcube": "/etc/mailserver/roundcube", "secrets": "/run/secrets",
            "ca.crt": "/etc/mailserver/ca-bundle.crt",
        }  # fmt: skip
        known = {name: core.addresses[name] for name in ("dovecot", "postfix", "mariadb")}
        container = core.bench.start(
            "roundcube",
            "roundcube",
            env | {"TZ": "Asia/Tokyo"},
            mounts,
            neighbours=known,
            at=core.addresses.get("roundcube"),
        )
        core.services["roundcube"], core.addresses["roundcube"] = container, core.bench.address(container)
        core.bench.network.disconnect(container)
        core.bench.network.connect(container, aliases=["roundcube"], ipv4_address=core.addresses["roundcube"])

    def nginx(self) -> None:
        """(Re)create the TLS front."""
        core = self.core
        env = {"MAIL_HOSTNAME": HOSTNAME, "MESSAGE_SIZE_LIMIT": "2800000"}
        mounts = {"certs": "/certs", "ca.crt": "/etc/mailserver/ca-bundle.crt"}
        core._add("nginx", env, mounts)

    def browser(self) -> httpx.Client:
        """A browser that verifies the certificate and looks at the front by its name."""
        return httpx.Client(
            base_url=f"https://{self.core.addresses['nginx']}",
            headers={"Host": HOSTNAME},
            verify=self.core.tls,
            timeout=20,
            transport=_Named(self.core),
        )


class _Named(httpx.HTTPTransport):
    """Asks for the certificate's name whatever address is dialled."""

    def __init__(self, core: Core) -> None:
        super().__init__(verify=core.tls)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send the request with the site's name in the TLS handshake."""
        request.extensions = {**request.extensions, "sni_hostname": HOSTNAME}
        return super().handle_request(request)


def login(browser: httpx.Client, user: str, password: str) -> httpx.Response:
    """Fill the login form in and send it."""
    page = browser.get("/")
    token = re.search(r'name="_token" value="([^"]+)"', page.text)
    assert token is not None, page.text[:300]
    form = {"_token": token[1], "_task": "login", "_action": "login", "_user": user, "_pass": password}
    return browser.post("/?_task=login", data=form)

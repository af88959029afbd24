"""Target files for servers on loopback, and looks at them."""

from pathlib import Path

from fixtures.checks.item import Finding, Look, told
from fixtures.targets.deployed import Deployed
from fixtures.targets.file import load_target
from tests.unit.targets.files import written

USER = "probe@kuma8088.com"
HEAD = 'kind = "staging"\nsite = "site.toml"\nknown_hosts = "known_hosts"\n'
ACCOUNT = '[[accounts]]\nuser = "probe"\npassword_env = "PROBE_PASSWORD"\n'
SSH = '[ssh]\nhost = "reader@mailserver.example.net"\nsudo = true\n'


def socks(place: str, port: int) -> str:
    """A vantage with a proxy on loopback."""
    return f'[vantages.{place}]\nsocks5 = "127.0.0.1:{port}"\n'


def system(folder: Path, capabilities: list[str], *tables: str, ca: bytes | None = None) -> Deployed:
    """A target that offers these capabilities."""
    head = HEAD + f"capabilities = {capabilities}\n"
    if ca:
        (folder / "ca.pem").write_bytes(ca)
        head += 'ca = "ca.pem"\n'
    return Deployed(load_target("staging", written(folder, head + "".join(tables))))


def seen(looks: dict[str, Look], name: str) -> Finding:
    """What the look of that name finds."""
    return told(looks[name])

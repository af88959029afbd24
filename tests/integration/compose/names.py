"""All names there are on a bench: a real name server that knows a few, and learns more while it runs."""

from collections.abc import Iterable
from dataclasses import replace

from docker.models.containers import Container

from fixtures.engine.containers import start
from fixtures.engine.execute import execute
from fixtures.engine.images import build_all
from fixtures.internet.nameserver import NameServer, dns_spec
from fixtures.world.images import catalogue
from tests.integration.compose.parts import Bench

# One zone for everything; TTL 1, so that nothing outlives a change.
_ROOT = """$TTL 1
@ SOA ns.example.com. hostmaster.example.com. 1 3600 600 86400 1
@ NS ns.example.com.
ns.example.com. A 127.0.0.1
example.net. MX 10 mail.example.net.
mail.example.net. A 192.0.2.25
letters.example.net. MX 10 mail.example.net.
example.net. TXT "v=spf1 ip4:100.127.0.0/16 ip4:172.16.0.0/12 ip4:192.168.0.0/16 ip4:10.0.0.0/8 -all"
*.in-addr.arpa. PTR mail.example.net.
"""


class Names:
    """The running name server; what it does not know does not exist."""

    def __init__(self, container: Container, address: str) -> None:
        self._container, self.address = container, address

    @classmethod
    def start(cls, bench: Bench) -> "Names":
        """Start it on the bench's network with an orderly sender's domain, and wait until it answers."""
        image = catalogue()["dns"]
        build_all([image], jobs=1)
        spec = dns_spec(
            image.tag, {"root": _ROOT}, internet=str(bench.network.name), address=None, gateway=""
        )
        bench.places.append(bench.place("names"))
        container = start(replace(spec, place=bench.place("names")))
        NameServer(container).wait_until_ready()
        return cls(container, bench.address(container))

    def publish(self, records: Iterable[str]) -> None:
        """Add records, ``name TYPE data`` with absolute names; visible at once."""
        lines = ["server 127.0.0.1", "zone .", *(_add(record) for record in records), "send", ""]
        argv = ["nsupdate", "-k", "/run/named/session.key"]
        execute(self._container, argv, stdin="\n".join(lines).encode()).check()


def _add(record: str) -> str:
    name, rest = record.split(" ", 1)
    return f"update add {name} 1 {_short_strings(rest)}"


def _short_strings(data: str) -> str:
    """Text in strings of at most 255 octets (RFC 1035 3.3.14)."""
    before, quote, text = data.partition('"')
    text = text.removesuffix('"')
    parts = [text[start : start + 255] for start in range(0, len(text), 255)]
    return before + " ".join(f'"{part}"' for part in parts) if quote else data

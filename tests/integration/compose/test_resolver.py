"""The server's own resolver believes what is signed as it should be, and nothing that was changed since."""

from collections.abc import Iterator

import pytest
from docker.models.containers import Container

from fixtures.engine.execute import execute
from fixtures.wait import wait_for
from tests.integration.compose.parts import START, Bench, tailnet_like, wait_until_healthy

ZONE = """$ORIGIN signed.example.net.
@ 300 IN SOA ns hostmaster 1 3600 600 86400 60
@ 300 IN NS ns
ns 300 IN A 192.0.2.53
good 300 IN A 192.0.2.1
forged 300 IN A 192.0.2.2
"""
# A zone signed with a key of its own, in which one address is another one since.
SIGN = """set -eu
cd /zone
key=$(ldns-keygen -k -a ECDSAP256SHA256 signed.example.net)
ldns-signzone -n -f signed signed.example.net.zone "$key"
sed 's/192\\.0\\.2\\.2$/192.0.2.66/' signed >served
cp "$key.ds" anchor
"""
AUTHORITY = """server:
    username: ""
    directory: "/zone"
    chroot: ""
    pidfile: ""
    use-syslog: no
    interface: 0.0.0.0
    access-control: 0.0.0.0/0 allow
    module-config: "iterator"
auth-zone:
    name: "signed.example.net"
    zonefile: "/zone/served"
    for-upstream: no
"""


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    """A bench of its own: the resolver's configuration is added to."""
    bench = Bench(tmp_path_factory.mktemp("resolver"), tailnet_like())
    try:
        yield bench
    finally:
        bench.stop()


@pytest.fixture(scope="module")
def resolver(bench: Bench) -> Container:
    """The deployed resolver, without a forwarder, told only where one signed zone lies and by which key."""
    zone = bench.folder / "zone"
    zone.mkdir()
    (zone / "signed.example.net.zone").write_text(ZONE)
    (zone / "unbound.conf").write_text(AUTHORITY)
    (zone / "run").write_text(SIGN + "exec unbound -d -p -c /zone/unbound.conf\n")
    authority = bench.start(
        "authority", "unbound", {}, {"zone": "/zone"}, options={"entrypoint": ["sh", "/zone/run"]}
    )
    wait_for(
        "the signed zone to be served",
        lambda: (
            "rcode: NOERROR" in execute(authority, ["drill", "@127.0.0.1", "good.signed.example.net"]).stdout
        ),
        timeout=START,
    )
    config = bench.folder / "config/unbound/unbound.conf"
    config.write_text(
        config.read_text()
        + 'server:\n    trust-anchor-file: "/zone/anchor"\n'
        + f'stub-zone:\n    name: "signed.example.net"\n    stub-addr: {bench.address(authority)}\n'
    )
    mounts = {"config/unbound": "/etc/mailserver/unbound", "zone": "/zone"}
    found = bench.start("unbound", "unbound", {}, mounts)
    wait_until_healthy(found)
    return found


def ask(resolver: Container, name: str) -> str:
    """The resolver's whole answer about an address, with DNSSEC's flags."""
    return execute(resolver, ["drill", "-D", "@127.0.0.1", name, "A"]).stdout


@pytest.mark.req("R-1.2.2-resolver-own")
def test_a_signed_answer_is_marked_as_proven(resolver: Container) -> None:
    """AD: whoever reads SPF or DKIM records by it knows that they are the domain's own (RFC 4035)."""
    answer = ask(resolver, "good.signed.example.net")
    assert "rcode: NOERROR" in answer
    assert " ad " in answer.partition(";; flags:")[2].partition(";")[0]
    assert "192.0.2.1\n" in answer


@pytest.mark.req("R-1.2.2-resolver-own")
def test_a_changed_answer_is_none(resolver: Container) -> None:
    """The address that somebody put in is not told; asked without validation it would be (CD)."""
    answer = ask(resolver, "forged.signed.example.net")
    assert "rcode: SERVFAIL" in answer
    assert "192.0.2.66" not in answer
    unchecked = execute(resolver, ["drill", "-D", "-o", "CD", "@127.0.0.1", "forged.signed.example.net", "A"])
    assert "192.0.2.66" in unchecked.stdout

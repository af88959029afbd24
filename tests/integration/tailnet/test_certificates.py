"""``tailscale cert``: for the machine's own name only, ECDSA P-256, kept until it is needed anew (F72)."""

from datetime import UTC, datetime

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from tests.integration.tailnet.world import SERVER, Members, SmallTailnet, run

CERT, KEY = "/tmp/server.crt", "/tmp/server.key"


def obtain(members: Members, min_validity: str) -> x509.Certificate:
    """Ask for the server's certificate as the renewal script does; the one that then lies there."""
    argv = [
        "tailscale",
        "cert",
        "--cert-file",
        CERT,
        "--key-file",
        KEY,
        "--min-validity",
        min_validity,
        SERVER,
    ]
    run(members.server, *argv).check()
    pem = run(members.server, "cat", CERT).check().stdout
    return x509.load_pem_x509_certificate(pem.encode())


@pytest.mark.req("R-0-tailnet-cert")
def test_the_certificate_is_genuine(tailnet: SmallTailnet, members: Members) -> None:
    """It carries the MagicDNS name, a P-256 key, 90 days at most, and verifies against the CA."""
    certificate = obtain(members, "720h")
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == [SERVER]
    key = certificate.public_key()
    assert isinstance(key, ec.EllipticCurvePublicKey)
    assert key.curve.name == "secp256r1"
    assert 60 < (certificate.not_valid_after_utc - datetime.now(UTC)).days <= 90
    trust = "/usr/local/share/ca-certificates/mailproof.crt"
    shown = run(members.server, "openssl", "verify", "-x509_strict", "-CAfile", trust, CERT).check()
    assert shown.stdout == f"{CERT}: OK\n"
    assert tailnet.authority.certificate_pem.decode() == run(members.server, "cat", trust).stdout


@pytest.mark.req("R-0-tailnet-cert")
def test_key_and_certificate_belong_together(members: Members) -> None:
    """A server can use the two files, and the key is for root alone."""
    obtain(members, "720h")
    mode = run(members.server, "stat", "-c", "%a %U", KEY).check().stdout
    public = ["openssl", "pkey", "-in", KEY, "-pubout"]
    from_certificate = ["openssl", "x509", "-in", CERT, "-noout", "-pubkey"]
    assert mode == "600 root\n"
    assert (
        run(members.server, *public).check().stdout == run(members.server, *from_certificate).check().stdout
    )


@pytest.mark.req("R-0-tailnet-cert")
def test_it_is_renewed_only_when_it_must_be(members: Members) -> None:
    """Long enough valid: the same one again. Otherwise: a new one."""
    first = obtain(members, "720h")
    again = obtain(members, "720h")
    renewed = obtain(members, "2170h")
    assert again.serial_number == first.serial_number
    assert renewed.serial_number != first.serial_number


@pytest.mark.req("R-0-tailnet-cert")
def test_no_other_name_is_to_be_had(members: Members) -> None:
    """A name that is not this machine's is refused, and no file appears."""
    other = SERVER.replace("mailserver", "pc")
    done = run(members.server, "tailscale", "cert", "--cert-file", "/tmp/other.crt", other)
    assert done.status == 1
    assert f'invalid domain "{other}"; must be one of ["{SERVER}"]' in done.stderr
    assert run(members.server, "ls", "/tmp/other.crt").status != 0


IMPOSTOR = """
import socket
from fixtures.tailnet.node import control
real = control.SERVER
control.SERVER = "login.tailscale.com"
resolve = socket.getaddrinfo
socket.getaddrinfo = lambda host, *rest, **more: resolve(real, *rest, **more)
try:
    control.Control("no secret").ask("map", {})
except OSError as error:
    print(error)
"""


@pytest.mark.req("R-0-tailnet-verifies")
def test_the_node_verifies_the_coordinator(members: Members) -> None:
    """A server whose certificate lacks the coordinator's name is not spoken to; its chain alone is fine."""
    shown = run(members.server, "python3", "-c", IMPOSTOR).check()
    assert "Hostname mismatch" in shown.stdout

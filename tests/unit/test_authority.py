"""The run's CA: its certificates satisfy a strict verifier, and only for the names they carry."""

import ssl
from pathlib import Path

import pytest
from cryptography import x509

from fixtures.authority import Authority, Issued


def _handshake(tmp_path: Path, issued: Issued, trusted: bytes, name: str) -> str | None:
    """Do a TLS handshake in memory; return the negotiated version."""
    (tmp_path / "tls.crt").write_bytes(issued.certificate)
    (tmp_path / "tls.key").write_bytes(issued.key)
    server_context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server_context.load_cert_chain(tmp_path / "tls.crt", tmp_path / "tls.key")
    client_context = ssl.create_default_context(cadata=trusted.decode())
    client_context.verify_flags |= ssl.VERIFY_X509_STRICT
    to_client, to_server = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = client_context.wrap_bio(to_client, to_server, server_hostname=name)
    server = server_context.wrap_bio(to_server, to_client, server_side=True)
    for _ in range(4):
        for side in (client, server):
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                continue
    return client.version()


@pytest.mark.req("R-0-run-authority")
def test_a_strict_client_accepts_it(tmp_path: Path) -> None:
    """RFC 5280's strict checks pass for a name in the certificate."""
    authority = Authority.create()
    issued = authority.issue("mail.example.org", "other.example.org")
    assert _handshake(tmp_path, issued, authority.certificate_pem, "other.example.org") == "TLSv1.3"


@pytest.mark.req("R-0-run-authority")
@pytest.mark.parametrize(("name", "stranger"), [("www.example.org", False), ("mail.example.org", True)])
def test_a_wrong_name_or_a_foreign_ca_is_refused(tmp_path: Path, name: str, stranger: bool) -> None:
    """Neither another name nor another authority passes."""
    authority = Authority.create()
    trusted = Authority.create() if stranger else authority
    with pytest.raises(ssl.SSLCertVerificationError):
        _handshake(tmp_path, authority.issue("mail.example.org"), trusted.certificate_pem, name)


@pytest.mark.req("R-0-run-authority-kept")
def test_saving_and_loading_keeps_it_and_hides_the_key(tmp_path: Path) -> None:
    """The key file is for its owner alone, and what it signs afterwards still chains to the same CA."""
    authority = Authority.create()
    authority.save(tmp_path / "ca")
    loaded = Authority.load(tmp_path / "ca")
    certificate = x509.load_pem_x509_certificate(loaded.issue("a.example.org").certificate)
    certificate.verify_directly_issued_by(x509.load_pem_x509_certificate(authority.certificate_pem))
    assert (tmp_path / "ca" / "ca.key").stat().st_mode & 0o777 == 0o600

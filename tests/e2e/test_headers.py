"""The headers of design 4.3 on whatever the webmail's front answers, not only on its pages."""

from http.client import HTTPResponse

import pytest

from fixtures.targets.sim import Sim

HEADERS = {
    "Strict-Transport-Security": "max-age=31536000; includeSubDomains",
    "X-Frame-Options": "SAMEORIGIN",
    "X-Content-Type-Options": "nosniff",
    "X-XSS-Protection": "1; mode=block",
}
TOO_LARGE = 1 << 40


def ask(world: Sim, request: str) -> HTTPResponse:
    """Send a request as it stands, with the server's name for ``HOST``; the head of the answer."""
    with world.vantage("tailnet-pc").dial(world.server, 443) as raw:
        raw.settimeout(10)
        with world.ssl_context.wrap_socket(raw, server_hostname=world.server) as tls:
            tls.sendall(request.replace("HOST", world.server).encode())
            answer = HTTPResponse(tls)
            answer.begin()
            return answer


@pytest.mark.req("R-4.3-headers-on-errors")
@pytest.mark.parametrize(
    ("status", "request_"),
    [
        pytest.param(200, "GET / HTTP/1.1\r\nHost: HOST\r\n\r\n", id="page"),
        pytest.param(400, "GET / HTTP/1.1\r\n\r\n", id="no-host"),
        pytest.param(400, "no HTTP at all\r\n\r\n", id="no-http"),
        pytest.param(403, "GET /skins/elastic/ HTTP/1.1\r\nHost: HOST\r\n\r\n", id="forbidden"),
        pytest.param(404, "GET /no-such-page.html HTTP/1.1\r\nHost: HOST\r\n\r\n", id="no-such-page"),
        pytest.param(405, "TRACE / HTTP/1.1\r\nHost: HOST\r\n\r\n", id="no-such-method"),
        pytest.param(
            413, f"POST / HTTP/1.1\r\nHost: HOST\r\nContent-Length: {TOO_LARGE}\r\n\r\n", id="too-large"
        ),
        pytest.param(414, f"GET /{'a' * 20000} HTTP/1.1\r\nHost: HOST\r\n\r\n", id="too-long"),
        pytest.param(421, "GET / HTTP/1.1\r\nHost: other.example.org\r\n\r\n", id="other-name"),
    ],
)
def test_every_answer_has_the_headers(world: Sim, status: int, request_: str) -> None:
    """Pages and errors of nginx and of Roundcube alike, each header once."""
    answer = ask(world, request_)
    assert answer.status == status
    assert {name: answer.headers.get_all(name) for name in HEADERS} == {
        name: [value] for name, value in HEADERS.items()
    }

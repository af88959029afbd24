"""Container output on its way to CloudWatch Logs: no line lost, none out of order, no limit passed."""

import threading
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fixtures.aws.fargate.logs import MAX_BYTES, MAX_EVENTS, Line, LogShipper, batches, parse, split_lines

pytestmark = pytest.mark.req("R-0-fargate-logs")

LINES = st.lists(
    st.builds(Line, st.just("/g"), st.sampled_from("ab"), st.integers(0, 10**13), st.text(min_size=1)),
    max_size=50,
)


def test_a_line_carries_the_engines_time() -> None:
    """Nanoseconds become milliseconds, the line end goes."""
    line = parse("2026-11-23T23:52:24.363661123Z hello world\r\n", "g", "s")
    assert line == Line("g", "s", 1795477944363, "hello world")


def test_empty_lines_are_skipped() -> None:
    """PutLogEvents takes no empty message; a line of blanks is one."""
    assert parse("2026-11-23T23:52:24Z \n", "g", "s") is None
    assert parse("2026-11-23T23:52:24Z  ", "g", "s") == Line("g", "s", 1795477944000, " ")


@given(st.lists(st.text(st.characters(exclude_characters="\n", codec="utf-8")), min_size=1), st.data())
def test_lines_survive_any_cutting(lines: list[str], data: st.DataObject) -> None:
    """Wherever the stream is cut, even inside a character, the same lines come out."""
    raw = "".join(f"{line}\n" for line in lines).encode()
    cuts = sorted(data.draw(st.lists(st.integers(0, len(raw)), max_size=6)))
    chunks = [raw[a:b] for a, b in zip([0, *cuts], [*cuts, len(raw)], strict=True)]
    assert list(split_lines(chunks)) == lines


def test_a_last_line_without_its_end_is_a_line() -> None:
    """A program may die in the middle of one."""
    assert list(split_lines([b"one\ntw", b"o"])) == ["one", "two"]


@given(LINES)
def test_batches_lose_nothing_and_keep_time(lines: list[Line]) -> None:
    """Every line is in exactly one batch of its stream, in order of time."""
    sent = [(stream, e["timestamp"], e["message"]) for _, stream, events in batches(lines) for e in events]
    assert sorted(sent) == sorted((line.stream, line.time, line.message) for line in lines)
    for _, _, events in batches(lines):
        times = [event["timestamp"] for event in events]
        assert times == sorted(times)


def test_batches_stay_within_the_limits() -> None:
    """By number and by bytes; what is too much goes into the next batch."""
    many = [Line("g", "s", n, "x") for n in range(MAX_EVENTS + 1)]
    assert [len(events) for _, _, events in batches(many)] == [MAX_EVENTS, 1]
    big = [Line("g", "s", n, "x" * (MAX_BYTES // 2)) for n in range(3)]
    assert [len(events) for _, _, events in batches(big)] == [1, 1, 1]


class _Container:
    """Output of a container that has ended."""

    name = "c"

    def logs(self, **_options: Any) -> list[bytes]:
        return [b"2026-11-23T23:52:24Z one\n2026-11-23T23:52:25Z two\n"]


class _Logs:
    """CloudWatch Logs that fails at first."""

    def __init__(self, failures: int) -> None:
        self.failures = failures
        self.sent: list[str] = []
        self.done = threading.Event()

    def put_log_events(self, *, logEvents: list[dict[str, Any]], **_: str) -> None:
        if self.failures:
            self.failures -= 1
            raise ConnectionError("not now")
        self.sent += [event["message"] for event in logEvents]
        self.done.set()


def test_lines_wait_while_the_service_does_not_answer() -> None:
    """A failed call is said once and tried again with the same lines."""
    said: list[str] = []
    service = _Logs(failures=2)
    shipper = LogShipper(lambda: service, said.append)
    shipper.follow(_Container(), "g", "s").join(5)  # type: ignore[arg-type]
    assert service.done.wait(10)
    shipper.close()
    assert service.sent == ["one", "two"]
    assert len(said) == 1

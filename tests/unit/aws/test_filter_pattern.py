"""Filter patterns of CloudWatch Logs: what they match, and what AWS does not take (F38)."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fixtures.aws.emulators.localstack.corrections.filter_pattern import PatternError, compile_pattern
from fixtures.aws.emulators.localstack.corrections.logs import counted

pytestmark = pytest.mark.req("R-0-filter-patterns")

SENT, DEFERRED = "to=<a@b>, status=sent (250 Ok)", "to=<a@b>, status=deferred (451)"


@pytest.mark.parametrize(
    ("pattern", "line", "matches"),
    [
        ("", SENT, True),
        ('"status=sent"', SENT, True),
        ('"status=sent"', DEFERRED, False),
        ('?"status=sent" ?"status=deferred"', DEFERRED, True),
        ('?"status=sent" ?"status=bounced"', DEFERRED, False),
        ('"status=sent" "250 Ok"', SENT, True),
        ('"status=sent" "251 Ok"', SENT, False),
        ("Ok", SENT, True),
        ("ok", SENT, False),
        ("-Ok", SENT, False),
        ("-Ok", DEFERRED, True),
        ('to -"status=sent"', SENT, False),
        (r'"say \"hello\""', 'say "hello"', True),
        ("%status=(sent%", SENT, None),
        ("%status=sen.%", SENT, True),
        ("%status=[a-r]%", SENT, False),
    ],
)
def test_what_matches(pattern: str, line: str, matches: bool | None) -> None:
    """Terms and phrases anywhere in the line, case as written; ``None``: refused."""
    if matches is None:
        with pytest.raises(PatternError):
            compile_pattern(pattern)
    else:
        assert compile_pattern(pattern)(line) is matches


@pytest.mark.parametrize(
    ("pattern", "why"),
    [
        ("[postfix] status=sent", "'status=sent' may not follow"),
        ("[postfix] status=deferred OR status=bounced", "may not follow"),
        ("[tailscale] connection failed OR authentication failed", "may not follow"),
        ("[a, b]", "columns"),
        ("{ $.a = 1 }", "JSON"),
        ("status=sent", "stands in quotes"),
        ("failed OR bounced", "no operator"),
        ('?"a b" c', "ignored"),
        ('?"a b" -"c"', "ignored"),
        ('"open', "cannot be read"),
        ('""', "empty phrase"),
        ("%a% b", "nothing beside it"),
        ("%something!%", "letters"),
        ("%[%", "%"),
    ],
)
def test_what_is_refused(pattern: str, why: str) -> None:
    """The design's own three among them; the words say what is wrong."""
    with pytest.raises(PatternError) as refused:
        compile_pattern(pattern)
    assert why in str(refused.value)


@given(st.text(st.characters(blacklist_characters='"\\', blacklist_categories=["Cc", "Cs"]), min_size=1))
def test_a_phrase_finds_itself(phrase: str) -> None:
    """Whatever stands in quotes is looked for as it is."""
    if phrase.strip():
        matches = compile_pattern(f'"{phrase}"')
        assert matches(f"before {phrase} after")
        assert not matches("")


def metric_filter(group: str, **target: Any) -> dict[str, Any]:
    """A filter as the service keeps it."""
    made = {"metricNamespace": "N", "metricName": "M", "metricValue": "1", **target}
    return {"logGroupName": group, "filterPattern": "sent", "metricTransformations": [made]}


def test_lines_are_counted_in_their_group() -> None:
    """Two of three lines, in the filter's group; another group's filter counts nothing."""
    filters = [metric_filter("/a"), metric_filter("/b", metricName="B")]
    datum = {"MetricName": "M", "Values": [1.0], "Counts": [2.0]}
    assert counted(filters, "/a", ["sent", "x", "sent"]) == [("N", datum)]


def test_without_a_match_the_default_is_the_value() -> None:
    """A zero where there is a default value, and no datum at all where there is none."""
    zero = {"MetricName": "M", "Values": [0.0], "Counts": [1.0]}
    assert counted([metric_filter("/a", defaultValue=0.0)], "/a", ["x"]) == [("N", zero)]
    assert counted([metric_filter("/a")], "/a", ["x"]) == []

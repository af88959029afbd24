"""The deployed ``.env``: read alike by a shell and by Compose, and nothing of the owner's is lost."""

import re
import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fixtures.dell.dotenv import EnvironmentValueError, merge, quote, render

PRINTABLE = st.text(st.characters(exclude_categories=["C", "Z"]) | st.just(" "), max_size=60)


def _sourced(text: str, name: str) -> str:
    """What ``set -eu; . ./.env`` leaves in a variable."""
    script = f'set -eu\n. /dev/stdin\nprintf %s "${name}"'
    argv = ["/bin/sh", "-c", script]
    return subprocess.run(argv, input=text, capture_output=True, text=True, check=True, env={}).stdout


@pytest.mark.req("R-6.1.2-env-sourceable")
@given(PRINTABLE)
@settings(max_examples=150, deadline=None)
def test_a_shell_reads_back_every_value_that_is_not_refused(value: str) -> None:
    """Whatever gets a quoted form comes out of a sourcing shell as it went in (F88)."""
    try:
        line = f"V={quote('V', value)}\n"
    except EnvironmentValueError:
        assert set("'\\") & set(value)
        return
    assert _sourced(line, "V") == value


@pytest.mark.req("R-6.1.2-env-sourceable")
@given(PRINTABLE)
def test_a_quoted_value_holds_nothing_that_compose_would_replace(value: str) -> None:
    """Compose expands and unescapes between double quotes, and lets a backslash hide a closing quote."""
    try:
        quoted = quote("V", value)
    except EnvironmentValueError:
        return
    inner = quoted[1:-1]
    assert inner == value
    if quoted[0] == '"':
        assert re.search(r'["$`\\]', inner) is None
    else:
        assert quoted[0] == "'"
        assert "'" not in inner
        assert not inner.endswith("\\")


@pytest.mark.req("R-6.1.2-env-sourceable")
@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("Kuma Mail Server", "'Kuma Mail Server'"),
        ("", "''"),
        ("a$b", "'a$b'"),
        ("#1", "'#1'"),
        ("it's", '"it\'s"'),
        ("x\\y", "'x\\y'"),
    ],
)
def test_quoted_forms(value: str, expected: str) -> None:
    """Single quotes wherever they serve."""
    assert quote("V", value) == expected


@pytest.mark.req("R-6.1.2-env-refuses")
@pytest.mark.parametrize(
    "value", ["two\nlines", "tab\t", "nul\0", "it's $5", 'it\'s "x"', "it's `x`", "it's\\", "a\r"]
)
def test_refusals_name_the_variable_and_hide_the_value(value: str) -> None:
    """What the two readers would take differently is refused, without showing a password."""
    with pytest.raises(EnvironmentValueError, match=r"^SECRET_NAME: ") as caught:
        quote("SECRET_NAME", value)
    assert value not in str(caught.value)


@pytest.mark.req("R-6.1.2-env-refuses")
def test_a_final_backslash_alone_is_refused_too() -> None:
    """Compose would take the closing quote for part of the value."""
    with pytest.raises(EnvironmentValueError, match=r"^V: "):
        quote("V", "path\\")


@pytest.mark.req("R-6.1.2-env-refuses")
def test_a_bad_name_is_refused() -> None:
    """A name that a shell would run as a command never gets into the file."""
    with pytest.raises(EnvironmentValueError, match="rm -rf"):
        render({"rm -rf": "x"})


EXISTING = """# my notes
MAIL_DOMAIN=old.example.org
OWN_SETTING="left alone"   # mine

MYSQL_PASSWORD='made-on-day-one'
RSPAMD_PASSWORD=
"""


@pytest.mark.req("R-6.1.2-env-merged")
def test_merge_replaces_in_place_and_keeps_what_it_does_not_know() -> None:
    """Comments, blank lines, order and foreign variables stay; new variables come last."""
    merged = merge(EXISTING, {"MAIL_DOMAIN": "new.example.org", "TZ": "Asia/Tokyo"})
    assert merged.splitlines() == [
        "# my notes",
        "MAIL_DOMAIN='new.example.org'",
        'OWN_SETTING="left alone"   # mine',
        "",
        "MYSQL_PASSWORD='made-on-day-one'",
        "RSPAMD_PASSWORD=",
        "TZ='Asia/Tokyo'",
    ]


@pytest.mark.req("R-6.1.2-env-merged")
def test_merge_keeps_a_generated_password_but_fills_an_empty_one() -> None:
    """The database goes on having the password it was made with."""
    new = {"MYSQL_PASSWORD": "other", "RSPAMD_PASSWORD": "fresh"}
    merged = merge(EXISTING, new, keep=("MYSQL_PASSWORD", "RSPAMD_PASSWORD"))
    assert "MYSQL_PASSWORD='made-on-day-one'" in merged
    assert "RSPAMD_PASSWORD='fresh'" in merged
    assert "other" not in merged


@pytest.mark.req("R-6.1.2-env-merged")
def test_merge_leaves_one_line_of_a_variable_that_was_there_twice() -> None:
    """The last line wins in a shell, so a forgotten second one would undo the new value."""
    merged = merge("TZ=UTC\nX=1\nexport TZ='Europe/Berlin'\n", {"TZ": "Asia/Tokyo"})
    assert merged == "TZ='Asia/Tokyo'\nX=1\n"


@pytest.mark.req("R-6.1.2-env-merged")
@given(
    st.dictionaries(
        st.from_regex(r"[A-Z][A-Z0-9_]{0,8}", fullmatch=True),
        st.from_regex(r"[a-z0-9 $]{0,8}", fullmatch=True),
    )
)
def test_merge_is_idempotent(environment: dict[str, str]) -> None:
    """Deploying the same again changes nothing."""
    once = merge(EXISTING, environment, keep=("MYSQL_PASSWORD",))
    assert merge(once, environment, keep=("MYSQL_PASSWORD",)) == once

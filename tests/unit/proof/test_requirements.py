"""A catalogue that cannot be trusted is refused as a whole, and the message names each bad row."""

from pathlib import Path

import pytest

from fixtures.proof.requirements import CatalogueError, load_catalogue

pytestmark = pytest.mark.req("R-0-catalogue-checked")

ROW = """
[[requirement]]
id = "R-4.2-relay-refused"
section = "4.2"
text = "A foreign recipient is refused."
findings = ["F12"]
layers = ["unit", "e2e"]
severity = "loss"
"""


def _load(folder: Path, text: str) -> str:
    """The message with which a catalogue is refused."""
    path = folder / "requirements.toml"
    path.write_text(text)
    with pytest.raises(CatalogueError) as caught:
        load_catalogue(path)
    return str(caught.value)


def test_a_good_row_is_read_as_written(tmp_path: Path) -> None:
    """Every key arrives, and a row without ``open`` is closed."""
    path = tmp_path / "requirements.toml"
    path.write_text(ROW)
    row = load_catalogue(path).rows["R-4.2-relay-refused"]
    assert (row.section, row.text, row.severity) == ("4.2", "A foreign recipient is refused.", "loss")
    assert (row.findings, row.layers, row.open) == (("F12",), ("unit", "e2e"), None)


@pytest.mark.parametrize(
    ("good", "bad", "words"),
    [
        ('severity = "loss"', 'severity = "loss"\ncolour = "red"', ("colour", "unknown key", "severity")),
        ('id = "R-4.2-relay-refused"', 'id = "R-4.2-Relay"', ("R-4.2-Relay", "R-<section>-")),
        ('id = "R-4.2-relay-refused"', 'id = "relay"', ("relay", "R-<section>-")),
        ('section = "4.2"', 'section = "4.3"', ("section = '4.3'", "allowed: '4.2'")),
        ('["unit", "e2e"]', "[]", ("layers", "at least 1")),
        ('["unit", "e2e"]', '["unit", "unit"]', ("layers", "each once")),
        ('["unit", "e2e"]', '["moon"]', ("layers", "moon", "'integration'")),
        ('severity = "loss"', 'severity = "sad"', ("severity", "sad", "'mislead'")),
        ('severity = "loss"', "", ("severity: missing",)),
        ('severity = "loss"', 'severity = "loss"\nopen = ""', ("open",)),
        ('["F12"]', '["12"]', ("findings", "12")),
    ],
)
def test_a_bad_row_is_named(tmp_path: Path, good: str, bad: str, words: tuple[str, ...]) -> None:
    """File, row, key, value and what is allowed stand in the message."""
    assert good in ROW
    message = _load(tmp_path, ROW.replace(good, bad))
    for word in ("requirements.toml", "row 1", *words):
        assert word in message


def test_an_id_stands_once(tmp_path: Path) -> None:
    """The second row of the same id is the one that is named."""
    assert "row 2 (R-4.2-relay-refused): id: a row above has it" in _load(tmp_path, ROW * 2)


def test_all_bad_rows_are_named_at_once(tmp_path: Path) -> None:
    """One look is enough to repair the file."""
    other = ROW.replace("relay-refused", "other").replace('"loss"', '"sad"')
    message = _load(tmp_path, ROW.replace('["F12"]', '["12"]') + other)
    assert "2 wrong" in message
    assert "row 1 (R-4.2-relay-refused)" in message
    assert "row 2 (R-4.2-other)" in message


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "at least one"),
        ("requirement = 3", "at least one"),
        (ROW + "[requirements]\n", "others found: requirements"),
        ("[[requirement", "not valid TOML"),
    ],
)
def test_what_is_no_catalogue(tmp_path: Path, text: str, words: str) -> None:
    """An empty file, another table and broken TOML are refused."""
    assert words in _load(tmp_path, text)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    """Without a catalogue nothing can be proven, so there is no default."""
    with pytest.raises(CatalogueError, match=r"nowhere\.toml: no such file"):
        load_catalogue(tmp_path / "nowhere.toml")


def test_the_nearest_ids_come_first(tmp_path: Path) -> None:
    """A slip of the pen finds the id that was meant."""
    rows = [ROW.replace("relay-refused", slug) for slug in ("mailbox-full", "relay-refused", "greylisting")]
    path = tmp_path / "requirements.toml"
    path.write_text("".join(rows))
    assert load_catalogue(path).nearest("R-4.2-relay-refuse", 1) == ["R-4.2-relay-refused"]
    assert load_catalogue(path).text("R-4.2-relay-refused") == "A foreign recipient is refused."

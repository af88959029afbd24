"""The checkout is held against the record: commit, what is not committed, and each deployable file."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fixtures.gate.checkout import differences, look
from tests.unit.gate.deployed import FILES, Deployed

pytestmark = pytest.mark.req("R-0-gate-repository")

Hashes = st.dictionaries(st.sampled_from("abcdef"), st.sampled_from(["1", "2"]))


def test_a_checkout_as_it_was_proved_is_the_same(deployed: Deployed) -> None:
    """The owner's own variables, the host's .env, state and caches of tools change nothing."""
    for name in (
        "compose/.env",
        "compose/images.env",
        "infra/terraform/terraform.tfstate",
        "infra/.terraform/x",
    ):
        deployed.write(name, "x")
        with (deployed.root / ".git/info/exclude").open("a") as stream:
            stream.write(f"/{name}\n")
    answer = deployed.answers()["repository"]
    assert (answer.state, answer.differs, answer.unknown) == ("same", (), ())
    assert answer.notes[0].startswith("proved 2026-11-29 12:00 UTC by 340 specs: commit ")


def test_every_deployable_file_is_hashed(deployed: Deployed) -> None:
    """infra/, compose/ and the site file; ignored by git or not."""
    assert look(deployed.root).files == deployed.hashes()
    assert set(FILES) < set(deployed.hashes())


CHANGES: dict[str, tuple[Callable[[Deployed], object], tuple[str, ...]]] = {
    "changed": (
        lambda d: d.write("infra/terraform/main.tf", "# other\n"),
        ("infra/terraform/main.tf is not committed", "infra/terraform/main.tf has another content"),
    ),
    "gone": (
        lambda d: (d.root / "compose/scripts/add-user.sh").unlink(),
        ("compose/scripts/add-user.sh is not committed", "compose/scripts/add-user.sh is gone"),
    ),
    "new": (
        lambda d: d.write("compose/config/nginx/more.conf", "listen 80;\n"),
        (
            "compose/config/nginx/more.conf is not committed",
            "compose/config/nginx/more.conf was not there when it was proved",
        ),
    ),
    "the site file": (
        lambda d: d.write("site.toml", (d.root / "site.toml").read_text() + "# more\n"),
        ("site.toml is not committed", "site.toml has another content"),
    ),
    "a spec": (lambda d: d.write("tests/test_x.py", ""), ("tests/test_x.py is not committed",)),
}


@pytest.mark.parametrize("change", CHANGES)
def test_what_is_not_as_it_was_proved_is_named(deployed: Deployed, change: str) -> None:
    """As not committed, and by hash where it is deployed."""
    act, told = CHANGES[change]
    act(deployed)
    assert deployed.answers()["repository"].differs == told


def test_another_commit_is_named_with_what_it_changed(deployed: Deployed) -> None:
    """A commit of the same files is another one, too."""
    proved = deployed.git("rev-parse", "HEAD")
    now = deployed.commit()
    told = f"the commit is {now[:12]}, proved was {proved[:12]}"
    assert deployed.answers()["repository"].differs == (told,)


def test_a_record_of_uncommitted_changes_proves_no_commit(deployed: Deployed) -> None:
    """Even where every file is as it was."""
    deployed.prove(clean=False)
    answer = deployed.answers()["repository"]
    assert (answer.state, answer.differs) == ("could not tell", ())
    assert "uncommitted" in answer.unknown[0]


@pytest.mark.parametrize("text", [None, "", "{", "[]", '{"commit": "x"}'])
def test_without_a_record_it_cannot_be_told(deployed: Deployed, text: str | None) -> None:
    """Nor with one that is broken; the next step is a green run."""
    if text is None:
        deployed.record.unlink()
    else:
        deployed.record.write_text(text)
    answer = deployed.answers()["repository"]
    assert (answer.state, answer.differs) == ("could not tell", ())
    assert "next step: run './mailproof verify'" in answer.unknown[0]


def test_a_folder_that_git_does_not_know_is_never_the_same(deployed: Deployed) -> None:
    """As one that was unpacked from an archive."""
    (deployed.root / ".git").rename(deployed.root.parent / "git")
    assert deployed.answers()["repository"].state == "differs"


@given(proved=Hashes, now=Hashes)
def test_exactly_the_files_that_differ_are_named(proved: dict[str, str], now: dict[str, str]) -> None:
    """Each once, whatever was added, removed or changed."""
    found = [line.split(" ")[0] for line in differences(proved, now)]
    expected = {name for name in "abcdef" if proved.get(name) != now.get(name)}
    assert found == sorted(expected)

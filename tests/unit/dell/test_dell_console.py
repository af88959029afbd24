"""The SSH console's command line: one quoted remote command, no option smuggled in by a destination."""

import io
import os
import shlex
import tarfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fixtures.dell.console import CommandError, SshConsole, archive


@pytest.mark.req("R-0-console-exact")
def test_the_remote_command_is_one_quoted_argument() -> None:
    """ssh joins its arguments with spaces, so quoting is this side's duty."""
    argv = SshConsole("root@host.example.net", ("-p", "2222")).argv(["printf", "%s", "a b; reboot"])
    assert argv[:3] == ["ssh", "-o", "BatchMode=yes"]
    assert argv[3:7] == ["-p", "2222", "--", "root@host.example.net"]
    assert argv[7:] == ["printf %s 'a b; reboot'"]


@pytest.mark.req("R-0-console-exact")
def test_sudo_never_asks() -> None:
    """An account that is not root goes through sudo, which fails rather than wait for a password."""
    assert SshConsole("deploy@host.example.net", sudo=True).argv(["id", "-u"])[-1] == "sudo -n -- id -u"


@pytest.mark.req("R-0-console-exact")
@given(st.lists(st.text(st.characters(exclude_characters="\0"), max_size=12), min_size=1, max_size=5))
def test_every_argument_survives(argv: list[str]) -> None:
    """What a POSIX shell makes of the remote line is the argument list again."""
    assert shlex.split(SshConsole("h").argv(argv)[-1]) == argv


@pytest.mark.req("R-0-console-files")
def test_an_archive_keeps_the_executable_bit_and_nothing_else_of_the_mode(tmp_path: Path) -> None:
    """Whatever umask the checkout was made with, the host gets 755 and 644."""
    script, text = tmp_path / "run.sh", tmp_path / "note"
    script.write_text("#!/bin/sh\n")
    script.chmod(0o777)
    text.write_text("x")
    text.chmod(0o666)
    with tarfile.open(fileobj=io.BytesIO(archive({"scripts/run.sh": script, "note": text}))) as tar:
        assert {member.name: member.mode for member in tar} == {"scripts/run.sh": 0o755, "note": 0o644}


@pytest.fixture
def ssh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SshConsole:
    """A console whose ssh does what a remote login shell does: run the last argument, here."""
    client = tmp_path / "bin" / "ssh"
    client.parent.mkdir()
    client.write_text('#!/bin/sh\nfor line in "$@"; do :; done\nexec /bin/sh -c "$line"\n')
    client.chmod(0o755)
    monkeypatch.setenv("PATH", f"{client.parent}:{os.environ['PATH']}")
    return SshConsole("root@host.example.net")


@pytest.mark.req("R-0-console-exact")
def test_output_status_and_input_come_through(ssh: SshConsole) -> None:
    """All three streams and the exit status are the remote program's."""
    result = ssh.run(["sh", "-c", "cat; echo problem >&2; exit 3"], stdin=b"fed", check=False)
    assert (result.status, result.stdout, result.stderr) == (3, "fed", "problem\n")


@pytest.mark.req("R-0-console-exact")
def test_a_failing_program_raises_with_its_words(ssh: SshConsole) -> None:
    """Nothing fails silently unless asked to."""
    with pytest.raises(CommandError, match="no such luck"):
        ssh.run(["sh", "-c", "echo no such luck >&2; exit 1"])


@pytest.mark.req("R-0-console-files")
def test_a_put_file_has_its_mode_and_no_leftovers(ssh: SshConsole, tmp_path: Path) -> None:
    """The file is there whole, with its mode, and nothing lies beside it."""
    folder = tmp_path / "it's a folder"
    folder.mkdir()
    ssh.put(f"{folder}/.env", b"A='1'\n", 0o600)
    assert [path.name for path in folder.iterdir()] == [".env"]
    assert (folder / ".env").read_bytes() == b"A='1'\n"
    assert (folder / ".env").stat().st_mode & 0o777 == 0o600


@pytest.mark.req("R-0-console-files")
def test_a_put_tree_unpacks_below_a_new_folder(ssh: SshConsole, tmp_path: Path) -> None:
    """Folders are made, contents and modes are the archive's."""
    source = tmp_path / "source"
    source.write_text("#!/bin/sh\n")
    source.chmod(0o755)
    ssh.put_tree(f"{tmp_path}/new/tree", archive({"scripts/run.sh": source}))
    made = tmp_path / "new/tree/scripts/run.sh"
    assert made.read_text() == "#!/bin/sh\n"
    assert made.stat().st_mode & 0o777 == 0o755

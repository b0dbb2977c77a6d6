"""Standard streams that are closed, full, or read by nobody stop no command."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from nstjax.cli.errors import reports_errors
from nstjax.errors import NstjaxError, NstjaxWarning

ROOT = Path(__file__).resolve().parents[2]


def run(code: str, *, shell: str = "{command}") -> subprocess.CompletedProcess:
    """Runs a body of a command in a process, within a line of a shell."""
    program = (
        "import sys, warnings\n"
        "from nstjax.cli.errors import reports_errors, run_command\n"
        "from nstjax.errors import NstjaxWarning\n"
        f"@reports_errors\ndef main():\n    {code}\n    return 0\n"
        "run_command(main)\n"
    )
    command = f"'{sys.executable}' -c \"$PROGRAM\""
    return subprocess.run(
        ["bash", "-c", "set -o pipefail; " + shell.format(command=command)],
        env=os.environ | {"PYTHONPATH": str(ROOT), "PROGRAM": program},
        capture_output=True,
        text=True,
    )


TALK = (
    "[print('x' * 99, file=sys.stderr) for _ in range(9999)]; open('/dev/null').close()"
)


@pytest.mark.parametrize("shell", ["{command} 2>&-", "{command} 2>/dev/full"])
def test_without_standard_error_the_work_is_done(shell):
    done = run(TALK + "; print('done')", shell=shell)
    assert done.returncode == 0 and done.stdout == "done\n"


def test_without_any_stream_the_work_is_done(tmp_path):
    file = tmp_path / "done"
    code = f"print(1); {TALK}; open('{file}', 'w').write('done')"
    assert run(code, shell="{command} <&- >&- 2>&-").returncode == 0
    assert file.read_text() == "done"


def test_a_reader_that_leaves_ends_the_list_and_nothing_else():
    done = run("[print('x' * 99) for _ in range(9999)]", shell="{command} | head -1")
    assert done.returncode == 0 and done.stderr == "" and done.stdout == "x" * 99 + "\n"


def test_a_list_that_cannot_be_written_is_an_error():
    done = run("print('x')", shell="{command} >/dev/full")
    assert done.returncode == 2
    assert done.stderr == (
        "nstjax: error: No space left on device; make room and try again\n"
    )


def test_names_that_are_no_text_can_be_printed():
    done = run("print('caf\\\\udce9'); print('caf\\\\udce9', file=sys.stderr)")
    assert (done.returncode, done.stdout) == (0, "caf\\udce9\n")


def test_our_warnings_are_sentences_and_others_are_not_shown():
    done = run("[warnings.warn('w', kind) for kind in (NstjaxWarning, UserWarning)]")
    assert done.stderr == "nstjax: warning: w\n"


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (NstjaxError("what; do"), "what; do"),
        (MemoryError(), "memory ran out; choose a smaller --size"),
        (RuntimeError("RESOURCE_EXHAUSTED: Out of memory"), "memory ran out"),
        (OSError(28, "No space left on device", "f"), "f: No space left on device;"),
        (
            RuntimeError("Unable to initialize backend 'cuda'"),
            "unset it, or set it to cpu",
        ),
    ],
)
def test_what_a_user_can_mend_is_one_sentence(error, sentence, capsys):
    @reports_errors
    def main():
        raise error

    assert main() == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("nstjax: error: ") and sentence in line


def test_a_mistake_of_the_program_keeps_its_traceback():
    @reports_errors
    def main():
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        main()


def test_warnings_are_given_back(capsys):
    import warnings

    @reports_errors
    def main():
        warnings.warn("said", NstjaxWarning, stacklevel=1)
        return 0

    before = warnings.showwarning
    assert main() == 0 and warnings.showwarning is before
    assert capsys.readouterr().err == "nstjax: warning: said\n"


def test_devices_that_are_not_there_are_one_sentence(monkeypatch, capsys):
    @reports_errors
    def main():
        exec(compile("assert False", "jax/_src/xla_bridge.py", "exec"))

    monkeypatch.setenv("JAX_PLATFORMS", "cuda")
    assert main() == 2
    assert "JAX_PLATFORMS=cuda" in capsys.readouterr().err

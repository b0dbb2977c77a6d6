"""What Linux says of a processor."""

import platform

from nstjax.ops.cpu.processor import instructions


def test_instruction_sets_are_those_of_the_first_core(tmp_path):
    path = tmp_path / "cpuinfo"
    path.write_text("processor : 0\nflags : fma avx2\n\nprocessor : 1\nflags : fma\n")
    assert instructions(str(path)) == "flags : fma avx2\n"


def test_without_the_file_python_says(tmp_path):
    assert instructions(str(tmp_path / "none")) == platform.processor()

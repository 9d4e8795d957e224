import ctypes
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from robust_tickets.runtime.machine import compiler, object_cache
from robust_tickets.runtime.machine.target import Target, runnable_names

SQUARE = """
declare <16 x float> @llvm.fmuladd.v16f32(<16 x float>, <16 x float>, <16 x float>)
define void @square_plus(ptr noalias %p, ptr noalias %q) {
  %v = load <16 x float>, ptr %p, align 4
  %w = load <16 x float>, ptr %q, align 4
  %r = call <16 x float> @llvm.fmuladd.v16f32(<16 x float> %v, <16 x float> %v, <16 x float> %w)
  store <16 x float> %r, ptr %p, align 4
  ret void
}
"""
ARM = Target("aarch64-unknown-linux-gnu", "generic")


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache, on disk and in memory."""
    monkeypatch.setenv(object_cache.ENVIRONMENT, str(tmp_path))
    monkeypatch.setattr(compiler, "_loaded", {})
    return tmp_path / "kernels"


def squares(module: compiler.Module) -> bool:
    """Whether the module's function computes what its text says."""
    values = np.arange(16, dtype=np.float32)
    ones = np.ones(16, np.float32)
    function = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p)(module.address("square_plus"))
    function(values.ctypes.data, ones.ctypes.data)
    return bool((values == np.arange(16, dtype=np.float32) ** 2 + 1).all())


@pytest.mark.parametrize("name", ["host", "x86-64-v4", "x86-64-v3", "x86-64", "generic"])
def test_every_target_that_the_machine_executes_computes_the_same(name: str) -> None:
    if name in runnable_names():
        target = Target.named(name)
        assert squares(compiler.compile(SQUARE, target))
        assert target.vector_bits * target.vector_registers >= 16 * 128
    else:
        with pytest.raises(ValueError, match=f"target '{name}': this machine executes host,"):
            Target.named(name)


@pytest.mark.parametrize(
    ("target", "widest", "wider"),
    [
        (Target("x86_64-unknown-linux-gnu", "x86-64-v4"), "zmm", ()),
        (Target("x86_64-unknown-linux-gnu", "x86-64-v3"), "ymm", ("zmm",)),
        (Target("x86_64-unknown-linux-gnu", "x86-64"), "xmm", ("zmm", "ymm", "fmadd")),
        (ARM, "fmla", ("\tbl\t",)),
    ],
)
def test_a_target_gets_its_own_instructions_and_no_wider(target: Target, widest: str, wider: tuple[str, ...]) -> None:
    text = compiler.assembly(SQUARE, target)
    assert widest in text
    assert [register for register in wider if register in text] == []


def test_what_a_target_has_is_known_without_executing_it() -> None:
    levels = [Target("x86_64-unknown-linux-gnu", name) for name in ("x86-64-v4", "x86-64-v3", "x86-64")]
    shapes = [(target.vector_bits, target.vector_registers) for target in (*levels, ARM)]
    assert shapes == [(512, 32), (256, 16), (128, 16), (128, 32)]


def test_a_text_is_compiled_once_and_then_read(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = compiler.compile(SQUARE)
    assert compiler.compile(SQUARE) is first
    (entry,) = folder.iterdir()
    assert entry.stat().st_mode & 0o777 == 0o600
    compiler._loaded.clear()
    monkeypatch.setattr(compiler, "object_code", None)  # compiling again would fail
    assert squares(compiler.compile(SQUARE))


def test_another_text_or_target_is_another_entry() -> None:
    texts = [SQUARE, SQUARE.replace("square_plus", "other")]
    targets = [ARM, Target("aarch64-unknown-linux-gnu", "generic", "+sve")]
    assert len({compiler.cache_key(text, target) for text in texts for target in targets}) == 4


@pytest.mark.parametrize(
    "damage", ["empty", "truncated", "changed", "of another kernel", "writable", "folder", "link", "pipe"]
)
def test_a_damaged_entry_is_compiled_again(folder: Path, damage: str) -> None:
    compiler.compile(SQUARE)
    (entry,) = folder.iterdir()
    good = entry.read_bytes()
    compiler._loaded.clear()
    if damage == "empty":
        entry.write_bytes(b"")
    elif damage == "truncated":
        entry.write_bytes(good[:-1])
    elif damage == "changed":
        entry.write_bytes(good[:-100] + bytes(100))
    elif damage == "of another kernel":
        compiler.compile(SQUARE.replace("square_plus", "other"))
        (other,) = {*folder.iterdir()} - {entry}
        other.replace(entry)
    elif damage == "writable":
        entry.chmod(0o666)
    else:
        entry.unlink()
        if damage == "folder":
            entry.mkdir()
        elif damage == "pipe":
            os.mkfifo(entry)
        else:
            (folder / "elsewhere").write_bytes(good)
            entry.symlink_to(folder / "elsewhere")
    assert object_cache.read(entry.stem) is None
    assert squares(compiler.compile(SQUARE))
    if damage != "folder":
        assert object_cache.read(entry.stem) is not None
    assert list(folder.glob(".*")) == []


def test_an_entry_of_another_user_is_not_executed(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    compiler.compile(SQUARE)
    (entry,) = folder.iterdir()
    monkeypatch.setattr(object_cache.os, "getuid", lambda: entry.stat().st_uid + 1)
    assert object_cache.read(entry.stem) is None


@pytest.mark.parametrize("place", ["/proc/nowhere", "/dev/null/kernels", ""])
def test_without_a_usable_folder_kernels_are_compiled_all_the_same(place: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(object_cache.ENVIRONMENT, place)
    assert squares(compiler.compile(SQUARE))


def test_a_full_disk_leaves_nothing_behind(folder: Path) -> None:
    code = (
        "import resource, sys; from robust_tickets.runtime.machine import object_cache\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))\n"
        "import signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "object_cache.write('key', bytes(10000))"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
    assert list(folder.iterdir()) == []


def test_what_is_no_llvm_text_is_an_error() -> None:
    with pytest.raises(RuntimeError, match="expected"):
        compiler.compile("define void @f( {")


def test_a_module_knows_its_functions_only() -> None:
    with pytest.raises(KeyError):
        compiler.compile(SQUARE).address("cube")

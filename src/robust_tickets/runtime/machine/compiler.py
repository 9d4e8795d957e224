"""From LLVM IR text to machine code in memory, compiled once per machine."""

import functools
import hashlib
import itertools
import re
import threading
from collections.abc import Iterable

import llvmlite.binding as llvm

from robust_tickets.runtime.machine import object_cache
from robust_tickets.runtime.machine.target import Target

FORMAT = 1
"""Raised whenever the same text would be compiled to other code: other passes, other options."""
_DEFINED = re.compile(r"^define (?!internal |private )[^@\n]*@([\w.]+)\(", re.MULTILINE)
_libraries = itertools.count()
_loaded: dict[str, "Module"] = {}
_lock = threading.Lock()


class Module:
    """Functions in memory, callable at their addresses as long as this object lives: from `compile`, to the end."""

    def __init__(self, code: bytes, names: Iterable[str]) -> None:
        """Link an object file into this process, whose own symbols (libc, libm) it may call.

        Args:
            code: the object file.
            names: of the functions in it that are to be called.

        Raises:
            RuntimeError: the bytes are not an object file, lack a name, or call what this process does not have.
        """
        builder = llvm.JITLibraryBuilder().add_object_img(code).add_current_process()
        for name in names:
            builder.export_symbol(name)
        # Neither is used again, but the code stays in memory only as long as they do.
        self._jit = _linker()
        self._tracker = builder.link(self._jit, f"module{next(_libraries)}")

    def address(self, name: str) -> int:
        """Return the address of a function that the module defines.

        Raises:
            KeyError: the module defines no such function.
        """
        return self._tracker[name]


def compile(ir_text: str, target: Target | None = None) -> Module:
    """Return the functions of an LLVM IR text as machine code, from the cache where they are in it.

    The same text for the same target is one module, and what was compiled stays until the process ends, so that an
    address once given is always good. Text without triple and data layout gets the
    target's. For a multiplication and an addition in one use `llvm.fmuladd`, which every target has; `llvm.fma`
    is a call of libm for each element if the target has no such instruction.

    Args:
        ir_text: one LLVM IR module.
        target: what to generate code for; this machine's processor if not given.

    Raises:
        RuntimeError: the text is not valid LLVM IR; the message holds LLVM's complaint.
    """
    target = target or _host()
    key = cache_key(ir_text, target)
    with _lock:
        module = _loaded.get(key)
        if module is not None:
            return module
        code = object_cache.read(key)
        if code is None:
            code = object_code(ir_text, target)
            object_cache.write(key, code)
        module = _loaded[key] = Module(code, _DEFINED.findall(ir_text))
        return module


def cache_key(ir_text: str, target: Target) -> str:
    """Return what distinguishes this text for this target from all others: 64 hexadecimal digits."""
    version = ".".join(map(str, llvm.llvm_version_info))
    parts = (str(FORMAT), version, target.triple, target.cpu, target.features, ir_text)
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def object_code(ir_text: str, target: Target) -> bytes:
    """Return an LLVM IR text compiled to an object file, neither cached nor loaded."""
    machine = target.machine()
    return machine.emit_object(_optimised(ir_text, target, machine))


def assembly(ir_text: str, target: Target) -> str:
    """Return an LLVM IR text compiled to readable instructions, for any target, also of another architecture."""
    machine = target.machine()
    return machine.emit_assembly(_optimised(ir_text, target, machine))


def _optimised(ir_text: str, target: Target, machine: llvm.TargetMachine) -> llvm.ModuleRef:
    module = llvm.parse_assembly(ir_text)
    module.triple = target.triple
    module.data_layout = str(machine.target_data)
    module.verify()
    builder = llvm.create_pass_builder(machine, llvm.create_pipeline_tuning_options(speed_level=3))
    builder.getModulePassManager().run(module, builder)
    return module


@functools.cache
def _host() -> Target:
    return Target.host()


@functools.cache
def _linker() -> llvm.LLJIT:
    return llvm.create_lljit_compiler(_host().machine(), use_jit_link=True)

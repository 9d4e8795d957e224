"""Processors that kernels are compiled for: the one at hand, or a narrower one that it also is."""

import functools
from dataclasses import dataclass

import llvmlite.binding as llvm

_LEVEL_3 = {"avx", "avx2", "bmi", "bmi2", "f16c", "fma", "lzcnt", "movbe", "popcnt", "sse4.2"}
_LEVEL_4 = _LEVEL_3 | {"avx512f", "avx512bw", "avx512cd", "avx512dq", "avx512vl"}
LEVELS = {"x86-64": {"sse2"}, "x86-64-v3": _LEVEL_3, "x86-64-v4": _LEVEL_4}
"""Levels of the x86-64 psABI (128, 256 and 512-bit vectors) and what a processor needs to be one."""


@dataclass(frozen=True)
class Target:
    """What machine code is generated for, in LLVM's words."""

    triple: str
    """Architecture, vendor, system."""
    cpu: str
    """LLVM's name of a processor or of a level; "generic" is the least that the architecture guarantees."""
    features: str = ""
    """What the processor has beyond `cpu`, or lacks: "+avx512bf16,-sse4a"."""

    @classmethod
    def host(cls) -> "Target":
        """Return this machine's processor with everything it offers."""
        return cls(llvm.get_process_triple(), llvm.get_host_cpu_name(), host_features().flatten())

    @classmethod
    def named(cls, name: str) -> "Target":
        """Return a processor that this machine's is at least as capable as.

        Args:
            name: "host"; on x86-64 "x86-64-v4" (AVX-512), "x86-64-v3" (AVX2 and FMA) or "x86-64" (SSE2);
                elsewhere "generic".

        Raises:
            ValueError: there is no such name, or this machine could not execute its code.
        """
        if name == "host":
            return cls.host()
        triple = llvm.get_process_triple()
        runnable = runnable_names()
        if name not in runnable:
            raise ValueError(f"target {name!r}: this machine executes {', '.join(runnable)}; choose one of them")
        return cls(triple, name)

    @property
    def vector_bits(self) -> int:
        """Width of one vector register, in bits."""
        if not self.triple.startswith("x86_64"):
            return 128
        if self._has("avx512f", {"x86-64-v4"}):
            return 512
        return 256 if self._has("avx", {"x86-64-v3"}) else 128

    @property
    def vector_registers(self) -> int:
        """How many vector registers there are."""
        return 16 if self.triple.startswith("x86_64") and self.vector_bits < 512 else 32

    @property
    def held_vectors(self) -> int:
        """How many vectors of sixteen float32 the registers hold: 32, 8 or 4."""
        return self.vector_registers * self.vector_bits // 512

    def machine(self) -> llvm.TargetMachine:
        """Return a new code generator; one that a JIT took over cannot be used again."""
        if self.triple == llvm.get_process_triple():
            llvm.initialize_native_target()
            llvm.initialize_native_asmprinter()
        else:
            llvm.initialize_all_targets()
            llvm.initialize_all_asmprinters()
        target = llvm.Target.from_triple(self.triple)
        return target.create_target_machine(
            cpu=self.cpu, features=self.features, opt=3, reloc="pic", codemodel="small", jit=True
        )

    def _has(self, feature: str, levels: set[str]) -> bool:
        return self.cpu in levels or f"+{feature}" in self.features.split(",")


@functools.cache
def host_features() -> llvm.FeatureMap:
    """Return LLVM's names of what this machine's processor may have, each with whether it has it."""
    return llvm.get_host_cpu_features()


def runnable_names() -> list[str]:
    """Return the names of targets whose code this machine executes, the widest first."""
    if not llvm.get_process_triple().startswith("x86_64"):
        return ["host", "generic"]
    features = {name for name, present in host_features().items() if present}
    return ["host", *(name for name, needed in reversed(LEVELS.items()) if needed <= features)]

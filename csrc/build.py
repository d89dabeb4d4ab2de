"""Compiles the C core: which files there are, which flags each ISA gets, and how they become objects.

`setup.py` links the objects into the extension module; run as a script it builds the C tests alone, with or without
sanitizers:

    python csrc/build.py --tests                # build and run csrc/tests/*.c
    python csrc/build.py --tests --sanitize     # the same under ASan and UBSan

The folders are those of `setup.py`, so that each object is compiled once.  KERASISH_BUILD_EMULATED=1 makes both build
AVX-512's kernels for a processor that has AVX2 (csrc/tests/avx512), for tests alone.
"""

from __future__ import annotations

import argparse
import os
import platform
import re
import shlex
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parent

# -ffp-contract=off: the compiler must not fuse a multiply and an add on its own, or results would differ between
# compilers; kernels ask for FMA by name.  -fno-math-errno lets sqrt and friends be instructions; it changes no result.
# -fno-trapping-math lets a selected-away division be computed.
COMMON = [
    "-std=gnu11",
    "-fPIC",
    "-fvisibility=hidden",
    "-ffp-contract=off",
    "-fno-math-errno",
    "-fno-trapping-math",
    "-Wall",
    "-Wextra",
    "-Wno-unused-function",
    "-Wno-missing-field-initializers",  # of a table: what is left out is NULL
    "-pthread",
]
# Loops begin at multiples of 32 bytes: else the speed of some follows from what stands before them in the file.
OPTIMIZE = ["-O3", "-falign-loops=32"]
# -g1: a report names functions and lines, and needs no more; -g took half as long again to compile.  What looks for
# NULL, for the ends of objects and for pointers that wrap around is left to AddressSanitizer, which finds what is read
# or written through them: two fifths of the compiler's time.
SANITIZE = [
    "-O1",
    "-g1",
    "-fsanitize=address,undefined",
    "-fno-sanitize=null,object-size,pointer-overflow",
    "-fno-sanitize-recover=undefined",
    "-fno-omit-frame-pointer",
]

X86 = {
    "avx2": ["-mavx2", "-mfma", "-mf16c", "-mbmi2"],
    "avx512": [
        "-mavx2",
        "-mfma",
        "-mf16c",
        "-mbmi2",
        "-mavx512f",
        "-mavx512dq",
        "-mavx512bw",
        "-mavx512vl",
        "-mprefer-vector-width=512",
    ],
}
ARM = {"neon": []}  # part of the aarch64 baseline
# AVX-512's kernels on AVX2, to be tested where no processor has it.  Vectors are structs, on which -O3 spends minutes,
# and whose marks as out of scope gcc 12 forgets to take back.
EMULATED = {
    "avx512": [
        *X86["avx2"],
        "-isystem",
        str(ROOT / "tests" / "avx512"),
        "-Wno-psabi",
        "-O1",
        "-fno-sanitize-address-use-after-scope",
    ]
}


def isas(machine: str | None = None, *, here: bool = False) -> dict[str, list[str]]:
    """Flags of every ISA that is compiled in for a machine ("x86_64", "aarch64", ...); `here`: of those it can run."""
    machine = (machine or os.environ.get("KERASISH_BUILD_MACHINE") or platform.machine()).lower()
    vector = X86 if machine in ("x86_64", "amd64") else ARM if machine in ("aarch64", "arm64") else {}
    if emulated():
        vector = EMULATED
    return {"scalar": [], **{isa: flags for isa, flags in vector.items() if not (here and lacks(flags))}}


def emulated() -> bool:
    """Whether KERASISH_BUILD_EMULATED asks for kernels of AVX-512 that run without it."""
    return os.environ.get("KERASISH_BUILD_EMULATED", "0") not in ("", "0")


def folder(*, sanitize: bool) -> Path:
    """Where the objects of such a build lie."""
    kind = ("sanitized" if sanitize else "core") + ("-emulated" if emulated() else "")
    return ROOT.parent / "build" / kind


def lacks(flags: list[str]) -> bool:
    """Whether this processor lacks an extension that the flags name, where the system tells (Linux on x86)."""
    try:
        told = re.search(r"^flags\s*:(.*)$", Path("/proc/cpuinfo").read_text(), re.M)
    except OSError:
        told = None
    names = {f.removeprefix("-m") for f in flags if f.startswith("-m") and "=" not in f}
    return told is not None and not names <= set(told[1].split())


def families() -> list[Path]:
    """The kernel files that families.def lists."""
    text = re.sub(r"/\*.*?\*/", "", (ROOT / "families.def").read_text(), flags=re.S)
    return [ROOT / folder / f"{file}.c" for folder, file in re.findall(r"KR_FAMILY\((\w+),\s*(\w+)\)", text)]


def have(*, here: bool = False) -> list[str]:
    """Defines that tell the files compiled once which ISAs there are."""
    names = [f"-DKR_HAVE_{isa.upper()}" for isa in isas(here=here)]
    return [*names, *(f"-DKR_EMULATED_{isa.upper()}" for isa in EMULATED if emulated())]


def jobs_for(flags: list[str], *, tests: bool, here: bool = False) -> list[tuple[Path, str, list[str]]]:
    """(source, object name, flags) of everything in the core, or of the checks that the tests link for each ISA."""
    out = []
    if not tests:
        once = [*flags, *have(here=here)]
        out += [(p, f"base_{p.stem}.o", once) for p in sorted((ROOT / "base").glob("*.c"))]
        out += [(p, f"program_{p.stem}.o", once) for p in sorted((ROOT / "program").glob("*.c"))]
    per_isa = sorted((ROOT / "tests").glob("isa_*.c")) if tests else families()
    for isa, isa_flags in isas(here=here).items():
        out += [(p, f"{p.stem}_{isa}.o", [*flags, *isa_flags, f"-DKR_FOR_{isa.upper()}"]) for p in per_isa]
    return out


def out_of_date(target: Path) -> bool:
    """Whether an object is missing, or older than a file that it was made from (the compiler lists them beside it)."""
    listed = target.with_suffix(".d")
    if not target.exists() or not listed.exists():
        return True
    made = target.stat().st_mtime
    sources = shlex.split(listed.read_text().replace("\\\n", " "))[1:]
    return any(not p.exists() or p.stat().st_mtime > made for p in (Path(__file__), *map(Path, sources)))


def compile_core(
    out: Path, compiler: list[str], *, sanitize: bool = False, jobs: int | None = None, tests: bool = False
) -> list[Path]:
    """Compiles what is out of date and returns all objects; raises CalledProcessError with the compiler's own words.
    Sanitized objects are to be run, so that ISAs which this machine cannot run are left out of them."""
    out.mkdir(parents=True, exist_ok=True)
    flags = [*COMMON, *(SANITIZE if sanitize else OPTIMIZE), f"-I{ROOT}"]

    def one(job: tuple[Path, str, list[str]]) -> Path:
        source, name, extra = job
        target = out / name
        if out_of_date(target):
            fd, part = tempfile.mkstemp(suffix=".o", dir=out)
            os.close(fd)
            read = Path(part).with_suffix(".d")
            try:
                subprocess.run([*compiler, *extra, "-MMD", "-c", str(source), "-o", part], check=True)
                os.replace(read, target.with_suffix(".d"))
                os.replace(part, target)
            finally:
                Path(part).unlink(missing_ok=True)
                read.unlink(missing_ok=True)
        return target

    with ThreadPoolExecutor(jobs or int(os.environ.get("KERASISH_BUILD_JOBS", 0)) or os.cpu_count() or 1) as pool:
        return list(pool.map(one, jobs_for(flags, tests=tests, here=sanitize)))


def run_tests(out: Path, compiler: list[str], objects: list[Path], *, sanitize: bool) -> int:
    """Builds and runs every csrc/tests/test_*.c for every ISA the machine has, or those that KERASISH_TEST_ISAS names;
    returns how many failed."""
    flags = [*COMMON, *(SANITIZE if sanitize else OPTIMIZE), *have(here=sanitize), f"-I{ROOT}"]
    objects = [*objects, *compile_core(out, compiler, sanitize=sanitize, tests=True)]
    failed = 0
    for source in sorted((ROOT / "tests").glob("test_*.c")):
        binary = out / source.stem
        subprocess.run(
            [*compiler, *flags, str(source), *map(str, objects), "-o", str(binary), "-lm", "-pthread"],
            check=True,
        )
        for isa in os.environ.get("KERASISH_TEST_ISAS", "").split() or isas(here=True):
            env = {**os.environ, "KERASISH_ISA": isa}
            result = subprocess.run([*shlex.split(os.environ.get("KERASISH_RUNNER", "")), str(binary)], env=env)
            print(f"{'ok    ' if result.returncode == 0 else 'FAILED'} {source.stem} [{isa}]", flush=True)
            failed += result.returncode != 0
    return failed


def main() -> int:
    p = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    p.add_argument("--out", type=Path)
    p.add_argument("--sanitize", action="store_true")
    p.add_argument("--tests", action="store_true")
    p.add_argument("--compiler", default=os.environ.get("CC", "cc"))
    a = p.parse_args()
    compiler = shlex.split(a.compiler)
    out = a.out or folder(sanitize=a.sanitize)
    objects = compile_core(out, compiler, sanitize=a.sanitize)
    return run_tests(out, compiler, objects, sanitize=a.sanitize) if a.tests else 0


if __name__ == "__main__":
    sys.exit(main())

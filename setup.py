"""Builds the one extension module: csrc (plain C, once per ISA) and kerasish/_core/core.pyx (Cython).

KERASISH_SANITIZE=1 builds it under AddressSanitizer and UndefinedBehaviorSanitizer (`make asan` runs the kernel tests
so), KERASISH_BUILD_EMULATED=1 with AVX-512's kernels made for AVX2 (`make avx512`).
"""

import os
import shlex
import sys
from pathlib import Path

import numpy
from Cython.Build import cythonize
from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE / "csrc"))
import build as core  # noqa: E402  (csrc/build.py)

SANITIZE = os.environ.get("KERASISH_SANITIZE", "0") not in ("", "0")


class BuildExt(build_ext):
    """Compiles the core first, then links its objects into the extension."""

    def build_extension(self, ext: Extension) -> None:
        compiler = getattr(self.compiler, "compiler", ["cc"])
        words = shlex.split(compiler) if isinstance(compiler, str) else list(compiler)
        base = words[: 2 if Path(words[0]).name == "ccache" else 1]  # the compiler without distutils' own flags
        objects = core.compile_core(core.folder(sanitize=SANITIZE), base, sanitize=SANITIZE)
        ext.extra_objects = [str(p) for p in objects]
        ext.depends = ext.extra_objects  # a changed kernel relinks the module
        super().build_extension(ext)


extension = Extension(
    "kerasish._core.core",
    ["kerasish/_core/core.pyx"],
    include_dirs=[str(HERE / "csrc"), numpy.get_include()],
    define_macros=[("NPY_NO_DEPRECATED_API", "NPY_1_7_API_VERSION")],
    extra_compile_args=["-O2", "-fvisibility=hidden", "-pthread"],
    extra_link_args=["-pthread", *(["-fsanitize=address,undefined"] if SANITIZE else ["-s"])],
    libraries=["m"],
)

setup(
    ext_modules=cythonize([extension], compiler_directives={"language_level": 3, "binding": True}, build_dir="build"),
    cmdclass={"build_ext": BuildExt},
)

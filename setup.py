"""Builds the compiled path; all other metadata stands in pyproject.toml."""

import os

from Cython.Build import cythonize
from setuptools import Extension, setup

extensions = [
    Extension(
        f"mainstem.native.{name}",
        [f"src/mainstem/native/{name}.pyx"],
        extra_compile_args=["-O3"],
    )
    for name in (
        "memory",
        "rows",
        "binaryrows",
        "copyrows",
        "copytuples",
        "copystream",
        "copysocket",
        "changerows",
        "pgoutput",
        "logstream",
        "binlogskim",
        "encoding",
        "copytext",
        "copybinary",
        "loaddata",
        "jsonb",
        "binlogrows",
        "compact",
    )
]

# The Makefile installs in place, beside what it compiles there.
compiles = os.environ.get("MAINSTEM_COMPILE") != "no"

setup(
    ext_modules=cythonize(extensions, include_path=["src"], language_level=3) if compiles else [],
    options={"build_ext": {"parallel": os.cpu_count() or 1}},  # half a minute of the compiler's by itself
)

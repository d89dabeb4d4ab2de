#!/usr/bin/env bash
# The kernel tests for 64-bit ARM, under emulation: an ARM Python and NumPy from Debian's packages and wheels, the core
# cross-compiled into a copy of the tree.  `make neon-kernels` calls it; arguments go to pytest (by default all kernel
# tests but those that are for the portable dialect only, which other machines run).
# Needs gcc-aarch64-linux-gnu and qemu-user, and Debian 12's packages of arm64 (dpkg --add-architecture arm64).
set -euo pipefail
cd "$(dirname "$0")/../.."
cross=${CROSS:-aarch64-linux-gnu} python=${PYTHON:-python} work=build/neon-python
root=$PWD/$work/root site=$PWD/$work/site tree=$PWD/$work/tree
mkdir -p "$work/packages" "$work/wheels" "$root" "$site" "$tree"

if [ ! -x "$root/usr/bin/python3.11" ]; then
  (cd "$work/packages" && apt-get download -q python3.11-minimal:arm64 libpython3.11-{minimal,stdlib,dev}:arm64 \
    libc6:arm64 libgcc-s1:arm64 libstdc++6:arm64 zlib1g:arm64 libexpat1:arm64 libffi8:arm64 libbz2-1.0:arm64 \
    liblzma5:arm64 libcrypt1:arm64 libssl3:arm64 libsqlite3-0:arm64 libuuid1:arm64)
  for package in "$work"/packages/*.deb; do dpkg-deb -x "$package" "$root"; done
fi
if [ ! -d "$site/numpy" ]; then
  "$python" -m pip download -q --only-binary=:all: --python-version 3.11 --platform manylinux_2_28_aarch64 \
    --platform manylinux_2_17_aarch64 -d "$work/wheels" numpy h5py pytest
  for wheel in "$work"/wheels/*.whl; do unzip -oq "$wheel" -d "$site"; done
fi

KERASISH_BUILD_MACHINE=aarch64 "$python" csrc/build.py --out build/neon --compiler "$cross-gcc"
tar -cf - --exclude='*.so' --exclude=__pycache__ csrc docs kerasish tests pyproject.toml | tar -xf - -C "$tree"
"$python" -m cython -3 kerasish/_core/core.pyx -X binding=True -o "$work/core.c"
# The objects of the checks are for the C tests.
"$cross-gcc" -shared -fPIC -O2 -fvisibility=hidden -pthread -DNPY_NO_DEPRECATED_API=NPY_1_7_API_VERSION \
  -I"$root/usr/include/python3.11" -I"$root/usr/include" -I"$site/numpy/_core/include" -Icsrc "$work/core.c" \
  $(ls build/neon/*.o | grep -v /isa_) -lm -o "$tree/kerasish/_core/core.cpython-311-aarch64-linux-gnu.so"

cd "$tree"
[ $# -gt 0 ] || set -- tests/kernels -k "neon or not scalar"
# One thread at a time is emulated well; two that wait for each other are not.
# NumPy's own products, with which results are compared, raise flags under emulation that no value in them explains.
PYTHONHOME=$root/usr PYTHONPATH=$site:$tree KERASISH_NUM_THREADS=${KERASISH_NUM_THREADS:-1} \
  qemu-aarch64 -L "$root" "$root/usr/bin/python3.11" -m pytest -p no:cacheprovider \
  -W "ignore:divide by zero encountered in matmul:RuntimeWarning" \
  -W "ignore:overflow encountered in matmul:RuntimeWarning" \
  -W "ignore:invalid value encountered in matmul:RuntimeWarning" "$@"

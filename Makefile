# The developer's commands: make build, check, test, bench, asan, valgrind, avx512, neon, neon-kernels, kill,
# fuzz, exchange.
PYTHON ?= python
CC ?= gcc
CROSS ?= aarch64-linux-gnu
C_SOURCES = $(wildcard csrc/*.h csrc/*/*.c csrc/*/*.h csrc/*/*/*.h)

.PHONY: build check test bench asan valgrind avx512 neon neon-kernels kill fuzz exchange clean

build:
	$(PYTHON) setup.py -q build_ext --inplace

check:
	ruff check .
	ruff format --check .
	clang-format --dry-run -Werror $(C_SOURCES)

test: build
	$(PYTHON) csrc/build.py --tests
	$(PYTHON) -m pytest

bench: build
	$(PYTHON) benchmarks/roofline.py
	$(PYTHON) benchmarks/rnn.py
	$(PYTHON) benchmarks/attention.py
	$(PYTHON) benchmarks/kept_weights.py
	$(PYTHON) benchmarks/balance.py

# A build that is for tests lives in a copy of the tree, so that the extension in use stays as it is: $(call copy,NAME).
define copy
mkdir -p build/$(1)-tree
tar -cf - --exclude='*.so' --exclude=__pycache__ csrc docs kerasish tests pyproject.toml | tar -xf - -C build/$(1)-tree
$(PYTHON) setup.py -q build_ext --build-lib build/$(1)-tree --build-temp build/$(1)-temp
endef

# The C tests and the kernel tests under AddressSanitizer and UndefinedBehaviorSanitizer.  float64 and three long tests of
# the portable dialect (more than a third of the time) are left to the other dialects, whose code but for the vectors is
# the same.  With AVX512=1 they are those of AVX-512, emulated as below.
asan: export KERASISH_SANITIZE = 1
asan: export KERASISH_BUILD_EMULATED = $(AVX512)
asan:
	$(PYTHON) csrc/build.py --tests --sanitize
	$(call copy,asan$(AVX512:1=-avx512))
	cd build/asan$(AVX512:1=-avx512)-tree && PYTHONPATH=. ASAN_OPTIONS=detect_leaks=0 \
	  LD_PRELOAD=$$($(lastword $(CC)) -print-file-name=libasan.so) $(PYTHON) -m pytest $(PYTEST_FLAGS) \
	  -k "not (scalar and (float64 or same_bits_at_any_thread_count or test_shapes or test_winograd_tiles))" \
	  tests/kernels tests/executor/test_program.py

# The C tests and the kernel tests of AVX-512 on a processor with AVX2 (csrc/tests/avx512), three minutes.
avx512: export KERASISH_BUILD_EMULATED = 1
avx512:
	$(PYTHON) csrc/build.py --tests
	$(call copy,avx512)
	cd build/avx512-tree && PYTHONPATH=. $(PYTHON) -m pytest $(PYTEST_FLAGS) -k "avx512 or not scalar" \
	  tests/kernels tests/executor/test_program.py

# The C tests under valgrind's memcheck, five minutes; it knows no AVX-512.
valgrind:
	@command -v valgrind >/dev/null || { echo "make valgrind needs valgrind: apt-get install valgrind"; exit 1; }
	KERASISH_TEST_ISAS="scalar avx2" KERASISH_RUNNER="valgrind -q --error-exitcode=9" \
	  $(PYTHON) csrc/build.py --tests

# The C tests for 64-bit ARM, under emulation.
neon:
	@command -v $(CROSS)-gcc >/dev/null && command -v qemu-aarch64 >/dev/null || \
	  { echo "make neon needs a cross compiler and an emulator: apt-get install gcc-aarch64-linux-gnu qemu-user"; exit 1; }
	KERASISH_BUILD_MACHINE=aarch64 KERASISH_RUNNER="qemu-aarch64 -L /usr/$(CROSS)" \
	  $(PYTHON) csrc/build.py --out build/neon --tests --compiler $(CROSS)-gcc

# The kernel tests in Python for 64-bit ARM, under emulation.
neon-kernels:
	CROSS=$(CROSS) PYTHON=$(PYTHON) tests/kernels/arm.sh

# Training runs killed at 150 random moments, and an hour of mutated files.
kill: build
	KERASISH_KILLS=150 $(PYTHON) -m pytest -s tests/callbacks/test_kill.py

fuzz: build
	$(PYTHON) -m tests.saving.fuzz --seconds 3600

# Files to and from other versions and backends: PEERS="NAME=PYTHON[,VARIABLE=VALUE...] ..." (tests/saving/test_exchange.py).
exchange: build
	KERASISH_PEERS="$(PEERS)" $(PYTHON) -m pytest -s tests/saving/test_exchange.py

clean:
	rm -rf build kerasish/_core/*.so

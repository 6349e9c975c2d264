# SPDX-License-Identifier: MPL-2.0
# Thin: Meson does the work. `make help` lists what there is.
SHELL    := /bin/bash
BUILD    ?= build
PREFIX   ?= /usr/local
DESTDIR  ?=
export BUILD PREFIX

all: $(BUILD)/build.ninja
	@ninja -C $(BUILD)

$(BUILD)/build.ninja:
	@meson setup $(BUILD) --prefix=$(PREFIX)

help:
	@echo 'make                build (in $(BUILD)/)'
	@echo 'make plan           what quickstart would install, make and reserve; changes nothing'
	@echo 'make quickstart     packages, build, install, a pool, a first zone; twice is harmless (root)'
	@echo 'make install        install below PREFIX (default /usr/local); DESTDIR is honoured'
	@echo 'make uninstall      remove what install put there; pools and zones stay'
	@echo 'make purge          uninstall, and all zones, the pool, records and logs; asks first (YES=1: does not)'
	@echo 'make check          every test, with the packages it needs (root)'
	@echo 'make check-unit     unit, layer and fuzz-corpus tests alone (no root)'
	@echo 'make check-system   system tests alone (root); T="a b" names some'
	@echo 'make check-host     system tests in a virtual machine: cgroup v2, kernels 6.12 and 6.1, systemd (root); check-host-all: all of them'
	@echo 'make bench          the benchmark table, with the peers it compares with (root); QUICK=1: fewer rounds'
	@echo 'make bench-plan     what that would install, make and use; changes nothing'
	@echo 'make asan           build with ASan and UBSan and run unit and fuzz-corpus tests there'
	@echo 'make clean          remove the build folders'

plan:
	@tools/plan

quickstart:
	@tools/quickstart

install: all
	@DESTDIR="$(DESTDIR)" meson install -C $(BUILD) --no-rebuild --quiet
	@DESTDIR="$(DESTDIR)" tools/installed record

uninstall:
	@DESTDIR="$(DESTDIR)" tools/installed remove

purge:
	@DESTDIR="$(DESTDIR)" YES="$(YES)" tools/purge

check:
	@tools/check

check-unit: all
	@meson test -C $(BUILD) --suite unit --suite fuzz --print-errorlogs

check-system: all
	@tests/system/run $(T)

check-host: all
	@tools/pkg --install build run check host
	@tests/host/run core

check-host-all: all
	@tools/pkg --install build run check host
	@tests/host/run all

bench: all
	@tools/pkg --install bench
	@bench/run $(if $(QUICK),--quick)

bench-plan:
	@bench/run --plan

asan:
	@tools/check asan

clean:
	rm -rf $(BUILD) $(BUILD)-asan $(BUILD)-clang

.PHONY: all help plan quickstart install uninstall purge check check-unit check-system check-host check-host-all bench bench-plan asan clean

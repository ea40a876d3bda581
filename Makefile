# SPDX-License-Identifier: MIT
# The front door: each target is one line; the build itself is Meson's (meson.build), and each
# target but help and clean first sees to the packages it needs (tools/deps, Debian 12).
# PYTHON is the distribution's interpreter, for which the distribution's packages are installed.
export PYTHON := $(shell test -x /usr/bin/python3 && echo /usr/bin/python3 || echo python3)
BUILD ?= build
PREFIX ?= /usr/local

.PHONY: help run test test-deep mutants interop coverage bench guard outages check format tidy pot install clean build

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-10s %s\n", $$1, $$2}' Makefile

run: ## build, then show the program at work and start the gateway on 127.0.0.1:8080
	@tools/deps run && tools/build --program $(BUILD) && tools/demo $(BUILD)

test: ## build, then run all tests (minutes)
	@tools/deps test && tools/build $(BUILD) $(MESON_ARGS) && tools/test-all $(BUILD)

test-deep: ## sanitizers, faults, valgrind, clang, interop, kills, fuzzers, within DEEP_MINUTES (default 60)
	@tools/deps test deep && tools/test-deep

bench: ## the benchmarks, with the machine and versions they ran on
	@tools/deps test bench && tools/build $(BUILD)-release --buildtype=release && tools/bench $(BUILD)-release

guard: ## what a request costs in instructions, held against bench/guard.toml
	@tools/deps test deep && DEEP_PARTS=guard tools/test-deep

outages: ## 200 requests/s by a route of which one platform fails in every way, on both databases (12 minutes)
	@tools/deps test bench && tools/build $(BUILD) && \
		tools/with-postgres python3 bench/outages.py $(BUILD) 2

check: ## format, include table, banned calls, circles, contexts: seconds
	@tools/deps test && tools/check-format && tools/check-includes && tools/check-banned && \
		tools/check-circles && tools/check-casts

mutants: ## plant the bugs of tests/mutants one at a time: the suite must catch each
	@tools/deps test deep && tools/mutants

interop: ## both our sides against what others run: servers, proxies, fronts, loads, a browser
	@tools/deps test && { tools/deps interop || echo "servers that are missing are skipped"; } && tools/build $(BUILD) && tools/interop $(BUILD)

coverage: ## which lines and branches of src/ the tests reach
	@tools/deps test coverage && tools/coverage

format: ## rewrite the sources the way .clang-format says
	@tools/deps test && tools/check-format --fix

tidy: ## clang-tidy over src/
	@tools/deps test deep && CC=clang tools/build $(BUILD)-clang && tools/tidy $(BUILD)-clang

pot: ## bring the message catalogues (po/) in step with the sources
	@tools/deps run && tools/pot

install: ## install a release build below PREFIX (default /usr/local)
	@tools/deps run && tools/build --program $(BUILD)-release --buildtype=release --prefix=$(PREFIX) --libdir=lib && meson install -C $(BUILD)-release

build: ## only build the program
	@tools/deps run && tools/build --program $(BUILD)

clean: ## remove every build folder
	rm -rf $(BUILD) $(BUILD)-*

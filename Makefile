# SPDX-License-Identifier: MIT
# sluice. `make help` lists the targets. Files are found by pattern: a new protocol is a folder
# under src/proto and one line in src/proto/protocols.def; nothing here changes.

B ?= build
CC ?= gcc
PREFIX ?= /usr/local
DESTDIR ?=
VERSION := $(shell cat VERSION 2>/dev/null || echo 0.1.0)
LLHTTP_SRC ?= /usr/share/llhttp
LLHTTP_INC ?= /usr/share/include/llhttp

WARN := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith -Wundef \
	-Wvla -Wwrite-strings -Werror
OPT ?= -O2 -g
# SAN=1 builds everything with the address, leak and undefined-behaviour sanitizers.
ifeq ($(SAN),1)
override B := $(B)/san
OPT := -O1 -g -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=all
endif
CPPFLAGS += -D_GNU_SOURCE -Iinclude -I$(B)/generated -DSLUICE_VERSION='"$(VERSION)"'
CFLAGS += -std=gnu17 $(OPT) $(WARN) -fno-strict-aliasing -pthread
LDFLAGS += $(filter -fsanitize=%,$(OPT)) -pthread
LIBS := -lev -lconfig -lssl -lcrypto -lcares -ljansson -lz -lm

# Each layer is a library; a unit test links its own layer and those below it, nothing else, so the
# layering of tests/tidy/layers.txt is also what the linker sees.
LAYERS := base media format io http link stream archive cluster daemon
PROTOS := $(notdir $(patsubst %/,%,$(wildcard src/proto/*/)))
LINK_base := base
LINK_media := media $(LINK_base)
LINK_format := format $(LINK_media)
LINK_io := io $(LINK_base)
LINK_http := http $(LINK_io)
LINK_link := link $(LINK_io)
LINK_stream := stream media $(LINK_io)
LINK_archive := archive stream format media $(LINK_io)
LINK_cluster := cluster stream media link http $(LINK_io)
LINK_proto := stream format media link http $(LINK_io)
LINK_daemon := daemon $(PROTOS:%=proto-%) archive cluster stream format media link http $(LINK_io)

SRC_of = $(if $(filter proto-%,$1),$(wildcard src/proto/$(1:proto-%=%)/*.c),$(filter-out \
	src/daemon/main.c,$(wildcard src/$1/*.c)))
OBJ_of = $(patsubst src/%.c,$(B)/obj/%.o,$(call SRC_of,$1)) \
	$(if $(filter http,$1),$(B)/obj/llhttp/api.o $(B)/obj/llhttp/http.o $(B)/obj/llhttp/llhttp.o)
ALL_LIBS := $(LAYERS) $(PROTOS:%=proto-%)

# V=1 shows the commands.
ifneq ($(V),1)
.SILENT:
endif

.PHONY: all
all: $(B)/sluice

define LIB_RULE
$(B)/lib/$1.a: $(call OBJ_of,$1)
	@mkdir -p $$(@D); rm -f $$@; ar rcs $$@ $$^
endef
$(foreach lib,$(ALL_LIBS),$(eval $(call LIB_RULE,$(lib))))

$(B)/sluice: $(B)/obj/daemon/main.o $(foreach lib,$(LINK_daemon),$(B)/lib/$(lib).a)
	$(CC) $(LDFLAGS) -o $@ $< -Wl,--start-group $(filter %.a,$^) -Wl,--end-group $(LIBS)

$(B)/obj/llhttp/%.o: $(LLHTTP_SRC)/%.c
	@mkdir -p $(@D)
	$(CC) $(OPT) -std=gnu17 -DLLHTTP_STRICT_MODE=1 -w -I$(LLHTTP_INC) -c -o $@ $<

# Debian's llhttp is safe only in strict mode; every user of its header is built with it.
$(B)/obj/http/%.o: CPPFLAGS += -isystem $(LLHTTP_INC) -DLLHTTP_STRICT_MODE=1

$(B)/obj/%.o: src/%.c
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<

# The pages the daemon serves are embedded: each file of src/ui becomes an array.
UI_FILES := $(wildcard src/ui/*)
$(B)/generated/ui_pages.h: $(UI_FILES) tests/support/embed.py
	@mkdir -p $(@D)
	python3 tests/support/embed.py $(UI_FILES) > $@
$(patsubst src/%.c,$(B)/obj/%.o,$(wildcard src/daemon/*.c)): | $(B)/generated/ui_pages.h
# The daemon alone knows the protocols: it includes proto/protocols.def.
$(B)/obj/daemon/%.o: CPPFLAGS += -Isrc

# ---- tests -------------------------------------------------------------------------------------
UNIT_SRC := $(wildcard tests/unit/*/*_test.c)
UNIT_BIN := $(patsubst tests/%.c,$(B)/tests/%,$(UNIT_SRC))
FUZZ_SRC := $(wildcard tests/fuzz/*_fuzz.c)
FUZZ_BIN := $(patsubst tests/fuzz/%.c,$(B)/tests/fuzz/%,$(FUZZ_SRC))
SUPPORT_OBJ := $(patsubst tests/support/%.c,$(B)/tests/support/%.o,$(wildcard tests/support/*.c))

TEST_FLAGS = $(CPPFLAGS) -Itests/support $(CFLAGS) -Wno-missing-prototypes -MMD -MP
$(B)/tests/support/%.o: tests/support/%.c
	@mkdir -p $(@D)
	$(CC) $(TEST_FLAGS) -Isrc/link -c -o $@ $<

# A test of layer L links the libraries of LINK_L. Tests of a protocol link that protocol's too, and
# may include its private headers.
define UNIT_RULE
$(B)/tests/unit/$1/%_test: tests/unit/$1/%_test.c $(foreach lib,$(LINK_$1),$(B)/lib/$(lib).a) \
		$(B)/tests/support/support.a
	@mkdir -p $$(@D)
	$$(CC) $$(TEST_FLAGS) -Isrc/$1 $$(LDFLAGS) -o $$@ $$< -Wl,--start-group $$(filter %.a,$$^) \
		-Wl,--end-group -lcmocka $$(LIBS)
endef
$(foreach layer,$(LAYERS),$(eval $(call UNIT_RULE,$(layer))))

define PROTO_TEST_RULE
$(B)/tests/unit/proto/$1%test: tests/unit/proto/$1%test.c \
		$(foreach lib,proto-$1 $(LINK_proto),$(B)/lib/$(lib).a) $(B)/tests/support/support.a
	@mkdir -p $$(@D)
	$$(CC) $$(TEST_FLAGS) -Isrc/proto/$1 $$(LDFLAGS) -o $$@ $$< -Wl,--start-group $$(filter %.a,$$^) \
		-Wl,--end-group -lcmocka $$(LIBS)
endef
$(foreach proto,$(PROTOS),$(eval $(call PROTO_TEST_RULE,$(proto))))

$(B)/tests/support/support.a: $(SUPPORT_OBJ)
	@mkdir -p $(@D); rm -f $@; ar rcs $@ $^

# FUZZER=1 (clang) makes real fuzzers; without it a plain main replays the corpus.
ALL_ARCHIVES := $(foreach lib,$(ALL_LIBS),$(B)/lib/$(lib).a)
$(B)/tests/fuzz/%_fuzz: tests/fuzz/%_fuzz.c $(if $(FUZZER),,tests/fuzz/replay.c) $(ALL_ARCHIVES)
	@mkdir -p $(@D)
	$(CC) $(TEST_FLAGS) $(addprefix -I,$(wildcard src/proto/*/) src/archive src/http src/link src/io src/cluster src/daemon) \
		$(if $(FUZZER),-fsanitize=fuzzer) $(LDFLAGS) -o $@ $(filter %.c,$^) -Wl,--start-group \
		$(filter %.a,$^) -Wl,--end-group $(LIBS)

# Real archive code in virtual time over a disk in memory. Private headers of the archive are seen.
SIM_OBJ := $(patsubst tests/sim/%.c,$(B)/tests/sim/%.o,$(wildcard tests/sim/*.c))
$(B)/tests/sim/%.o: tests/sim/%.c
	@mkdir -p $(@D)
	$(CC) $(TEST_FLAGS) -Isrc/archive -c -o $@ $<
$(B)/tests/sim/archive_sim: $(SIM_OBJ) $(foreach lib,$(LINK_archive),$(B)/lib/$(lib).a) \
		$(B)/tests/support/support.a
	$(CC) $(LDFLAGS) -o $@ $(SIM_OBJ) -Wl,--start-group $(filter %.a,$^) -Wl,--end-group \
		-lcmocka $(LIBS)

.PHONY: sim
sim: $(B)/tests/sim/archive_sim
	@$< $(or $(SEED),1) $(or $(RUNS),8)

.PHONY: unit tidy corpus e2e check san bench fuzz fmt fmt-check lint golden demo deps install help clean
unit: $(UNIT_BIN)
	@python3 tests/support/run_unit.py $(UNIT_BIN)

corpus: $(FUZZ_BIN)
	@python3 tests/support/run_corpus.py $(FUZZ_BIN)

tidy:
	@python3 tests/tidy/run.py

e2e: $(B)/sluice $(B)/tests/bench/archive_make deps
	@python3 tests/e2e/run.py --binary $(B)/sluice $(T)

# Installs what is missing, builds and runs everything. The last line counts passed, failed, skipped.
check: deps
	@$(MAKE) --no-print-directory -j$$(nproc) check-built
.PHONY: check-built
check-built: all $(B)/tests/bench/archive_make $(UNIT_BIN) $(FUZZ_BIN) $(B)/tests/sim/archive_sim
	@python3 tests/support/check.py --build $(B)

san: deps
	@$(MAKE) --no-print-directory -j$$(nproc) SAN=1 check-built

# New inputs stay in the build folder: the ones worth keeping are copied to tests/fuzz/corpus by hand.
fuzz: deps
	@test -n "$(T)" || { echo "usage: make fuzz T=url_parse [SECONDS=60]"; exit 2; }
	$(MAKE) CC=clang B=$(B)/fuzzer FUZZER=1 \
		OPT="-O1 -g -fsanitize=address,undefined,fuzzer-no-link" $(B)/fuzzer/tests/fuzz/$(T)_fuzz
	mkdir -p $(B)/fuzzer/found/$(T)
	$(B)/fuzzer/tests/fuzz/$(T)_fuzz -max_total_time=$(or $(SECONDS),60) -timeout=5 \
		$(B)/fuzzer/found/$(T) tests/fuzz/corpus/$(T)

# What the figures need beside the server.
$(B)/tests/bench/archive_make: tests/bench/archive_make.c $(foreach lib,$(LINK_archive),$(B)/lib/$(lib).a)
	@mkdir -p $(@D)
	$(CC) $(TEST_FLAGS) -Isrc/archive $(LDFLAGS) -o $@ $< -Wl,--start-group $(filter %.a,$^) \
		-Wl,--end-group $(LIBS)

$(B)/tests/bench/m4s_watch: tests/bench/m4s_watch.c $(foreach lib,$(LINK_link),$(B)/lib/$(lib).a)
	@mkdir -p $(@D)
	$(CC) $(TEST_FLAGS) $(LDFLAGS) -o $@ $< -Wl,--start-group $(filter %.a,$^) \
		-Wl,--end-group $(LIBS)

bench: $(B)/sluice $(B)/tests/bench/archive_make $(B)/tests/bench/m4s_watch deps
	@python3 tests/bench/run.py --binary $(B)/sluice $(T)

golden:
	@GOLDEN_REWRITE=1 $(MAKE) --no-print-directory unit

SOURCES := $(shell find src include tests -name '*.[ch]' 2>/dev/null)
fmt:
	clang-format -i $(SOURCES)
fmt-check:
	clang-format --dry-run -Werror $(SOURCES)
lint:
	cppcheck --quiet --enable=warning,portability --inline-suppr --error-exitcode=1 -Iinclude src

demo:
	@sh tests/support/deps.sh build demo
	@$(MAKE) --no-print-directory -j$$(nproc) all
	@python3 tests/support/demo.py --binary $(B)/sluice $(if $(INPUT),--input '$(INPUT)')

deps:
	@sh tests/support/deps.sh

install: all
	install -D -m 755 $(B)/sluice $(DESTDIR)$(PREFIX)/bin/sluice
	install -D -m 644 conf/sluice.conf $(DESTDIR)$(PREFIX)/share/doc/sluice/sluice.conf
	test -e $(DESTDIR)/etc/sluice/sluice.conf || \
		install -D -m 640 conf/minimal.conf $(DESTDIR)/etc/sluice/sluice.conf
	install -d $(DESTDIR)/lib/systemd/system
	sed 's|@BINDIR@|$(PREFIX)/bin|' conf/sluice.service > $(DESTDIR)/lib/systemd/system/sluice.service
	install -D -m 644 conf/sluice.sysusers $(DESTDIR)/usr/lib/sysusers.d/sluice.conf
	# On this machine, not into a package: the user, who alone may read the file with the key.
	if [ -z "$(DESTDIR)" ] && [ "$$(id -u)" = 0 ] && command -v systemd-sysusers >/dev/null; then \
		systemd-sysusers /usr/lib/sysusers.d/sluice.conf && chgrp sluice /etc/sluice/sluice.conf; fi

clean:
	rm -rf $(B)

help:
	@echo "make            build $(B)/sluice"
	@echo "make demo       a source and a receiver with a picture to watch [INPUT=rtsp://camera/...]"
	@echo "make check      install what is missing, build, run every test"
	@echo "make unit | corpus | tidy | e2e [T=name]   the parts of check"
	@echo "make sim [SEED=1 RUNS=8]   days of archives with faults in virtual time, one for each seed"
	@echo "make san        everything under the address, leak and undefined-behaviour sanitizers"
	@echo "make bench      the figures, as ratios to a floor measured in the same run"
	@echo "make fuzz T=x   fuzz one reader of foreign bytes (clang)"
	@echo "make fmt | fmt-check | lint | golden | clean"
	@echo "make install DESTDIR= PREFIX=$(PREFIX)"

-include $(shell find $(B) -name '*.d' 2>/dev/null)

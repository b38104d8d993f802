# Two commands matter: `make demo` and `make test`. Each does its own set-up.
#
#   make demo [DOCS="file …"]   the whole story with real processes, in under a minute once built
#   make test                   all tests
#   make check                  format, lints, docs, licences
#   make bench                  how fast, and where the time goes
#   make soak [DOCUMENTS=… MUTATIONS=…]   100,000 documents through kills and a bad network, every attack for a minute, 100,000 mutants
#             [WORST_SECONDS=…]           each of documents, certificates, containers and exports, and the release of that commit beside
#             [PREVIOUS=COMMIT]           this one; about an hour and a half
#   make netem                  the tests of bad networks with tc netem, in an emulated machine where the kernel has none
#   make deb                    the Debian package, in target/deb
#   make install [PREFIX=…]     the binary, the systemd units, bash completions, manual pages

CARGO ?= cargo
PREFIX ?= /usr/local
# One profile for everything, so that RocksDB's C++ is compiled once.
PROFILE = --release --workspace --locked
BIN = $(or $(CARGO_TARGET_DIR),target)/release/chancery

.PHONY: setup build demo test check bench soak netem deb install clean

setup:
	@scripts/setup.sh

build: setup
	$(CARGO) build $(PROFILE)

demo: build
	demo/story.sh "$(BIN)" $(DOCS)

test: build
	@scripts/setup.sh tests
	@scripts/test.sh $(CARGO) test $(PROFILE)

check: setup
	$(CARGO) fmt --all --check
	$(CARGO) clippy $(PROFILE) --all-targets -- -D warnings
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc $(PROFILE) --no-deps
	scripts/layers.sh
	@if command -v cargo-deny >/dev/null; then scripts/deny.sh; \
	else echo 'check: cargo-deny is not installed (cargo install cargo-deny --locked); licences not checked'; fi

bench: build
	$(BIN) bench crypto
	$(BIN) bench ledger
	$(BIN) bench exchange

soak: build
	@scripts/setup.sh soak
	SOAK_DOCUMENTS=$(or $(DOCUMENTS),100000) $(CARGO) test $(PROFILE) --test network -- --ignored --nocapture soak
	STANDBY_DOCUMENTS=$(or $(STANDBY_DOCUMENTS),10000) $(CARGO) test $(PROFILE) --test standby -- --nocapture
	$(CARGO) test $(PROFILE) --test patroni -- --ignored --nocapture
	WORST_SECONDS=$(or $(WORST_SECONDS),60) $(CARGO) test $(PROFILE) --test adversary -- --test-threads 1 --nocapture \
	stranger:: greedy_peer:: certified_peer:: token_holder:: local_user::
	MUTATIONS=$(or $(MUTATIONS),100000) $(CARGO) test $(PROFILE) --test mutation -- --nocapture
	@if [ -n "$(PREVIOUS)" ]; then CHANCERY_PREVIOUS=$$(scripts/previous.sh "$(PREVIOUS)" target/previous) \
	$(CARGO) test $(PROFILE) --test releases -- --ignored --nocapture soak; \
	else echo 'soak: PREVIOUS=COMMIT names no release before: two releases were not run side by side'; fi

netem: build
	@scripts/setup.sh tests
	scripts/netem.sh --nocapture --test-threads 1 $(TESTS)

deb: build
	scripts/deb.sh "$(BIN)" "$(or $(CARGO_TARGET_DIR),target)/deb"

install: build
	install -D -m 755 "$(BIN)" "$(DESTDIR)$(PREFIX)/bin/chancery"
	install -d "$(DESTDIR)$(PREFIX)/lib/systemd/system"
	sed 's|/usr/local|$(PREFIX)|' packaging/chancery.service > "$(DESTDIR)$(PREFIX)/lib/systemd/system/chancery.service"
	sed 's|/usr/local|$(PREFIX)|' packaging/chancery-tsa.service > "$(DESTDIR)$(PREFIX)/lib/systemd/system/chancery-tsa.service"
	install -d "$(DESTDIR)$(PREFIX)/share/bash-completion/completions"
	"$(BIN)" man --out "$(DESTDIR)$(PREFIX)/share/man/man1"
	"$(BIN)" completions bash > "$(DESTDIR)$(PREFIX)/share/bash-completion/completions/chancery"

clean:
	$(CARGO) clean

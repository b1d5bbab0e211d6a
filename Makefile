# PlanB. `make help` lists what there is.

PREFIX     ?= /usr
SYSCONFDIR ?= /etc
DESTDIR    ?=
CARGO      ?= cargo
TARGET     := $(or $(CARGO_TARGET_DIR),target)
PLANB      := $(TARGET)/release/planb

# Programs that `make deps` compiles for `make check`; outside the checkout, so that every checkout shares them.
TOOLS      := $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/planb-lab/tools
export PATH := $(TOOLS)/bin:$(PATH):/usr/sbin:/sbin
export CARGO TARGET TOOLS

# What Debian calls what is needed: to build, to run, and to run every test.
BUILD_PACKAGES := gcc libc6-dev
RUN_PACKAGES   := rsync openssh-client
DEMO_PACKAGES  := $(BUILD_PACKAGES) $(RUN_PACKAGES) openssh-server
CHECK_PACKAGES := $(DEMO_PACKAGES) acl attr btrfs-progs curl e2fsprogs mandoc mmdebstrap procps python3-prometheus-client python3-yaml rsnapshot shellcheck sqlite3 \
                  systemd systemd-container tzdata util-linux zabbix-agent
# Virtual machines (tests/lab) besides.
CHECK_PACKAGES += busybox-static cpio kmod python3 qemu-system-x86 qemu-utils xz-utils

BINDIR  = $(DESTDIR)$(PREFIX)/bin
MANDIR  = $(DESTDIR)$(PREFIX)/share/man
DOCDIR  = $(DESTDIR)$(PREFIX)/share/doc/planb
DATADIR = $(DESTDIR)$(PREFIX)/share
SHAREDIR = $(DATADIR)/planb
HOOKDIR = $(SHAREDIR)/hooks
BASHDIR = $(DESTDIR)$(PREFIX)/share/bash-completion/completions
ZSHDIR  = $(DESTDIR)$(PREFIX)/share/zsh/vendor-completions
FISHDIR = $(DESTDIR)$(PREFIX)/share/fish/vendor_completions.d
ETCDIR  = $(DESTDIR)$(SYSCONFDIR)/planb
LIBDIR  = $(DESTDIR)$(PREFIX)/lib
UNITDIR = $(LIBDIR)/systemd/system
GENDIR  = $(LIBDIR)/systemd/system-generators

# Programs; beside them are directories of what other programs import.
HOOKS   := $(wildcard hooks/[0-9]*)
UNITS   := $(wildcard units/*.service units/*.timer units/*.path units/*.slice)
VERSION := $(shell sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml)
DEB     = $(TARGET)/planb_$(VERSION)_$(shell dpkg --print-architecture).deb

.PHONY: all help build completions deps check demo bench install uninstall deb clean

all: build completions ## build everything that `make install` installs (the default)

help: ## list these targets
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1\t\2/p' Makefile | expand -t 20

build: ## build the optimised program, target/release/planb
	$(CARGO) build --release --locked

completions: build ## write the shells' completions to target/completions
	@mkdir -p $(TARGET)/completions
	$(PLANB) completions bash > $(TARGET)/completions/planb
	$(PLANB) completions zsh  > $(TARGET)/completions/_planb
	$(PLANB) completions fish > $(TARGET)/completions/planb.fish

deps: ## install what `make check` and `make bench` need (Debian packages, cargo tools)
	@tests/deps $(CHECK_PACKAGES)
	@tests/deps --cargo cargo-nextest cargo-deny

check: ## everything that must pass before a change lands
	@tests/check

demo: ## pull this checkout over ssh twice, below target/demo, and show what came of it
	@tests/deps $(DEMO_PACKAGES)
	$(CARGO) build --locked
	@tests/demo $(TARGET)/debug/planb target/demo

bench: all ## measure against plain rsync, rsnapshot, sanoid and syncoid; BENCH_SCALE=0.01 for a quick try
	@tests/bench $(PLANB) $(TARGET)/bench
	@tests/bench-agent $(PLANB)
	@tests/bench-zfs $(PLANB)
	@tests/bench-replica $(PLANB)

# Builds nothing, so that `make && sudo make install` needs no cargo for root.
install: ## install below DESTDIR and PREFIX (default /usr)
	@test -x $(PLANB) -a -f $(TARGET)/completions/planb || { echo "make install: run 'make' first" >&2; exit 1; }
	install -D -m 0755 $(PLANB) $(BINDIR)/planb
	install -D -m 0644 -t $(MANDIR)/man5 man/planb.toml.5
	install -D -m 0644 -t $(MANDIR)/man7 man/planb-hooks.7 man/planb-dbus.7
	install -D -m 0644 -t $(MANDIR)/man8 man/planb.8
	install -D -m 0644 $(TARGET)/completions/planb $(BASHDIR)/planb
	install -D -m 0644 $(TARGET)/completions/_planb $(ZSHDIR)/_planb
	install -D -m 0644 $(TARGET)/completions/planb.fish $(FISHDIR)/planb.fish
	install -D -m 0755 -t $(HOOKDIR) $(HOOKS)
	install -D -m 0644 -t $(SHAREDIR)/zabbix hooks/zabbix/*
	install -D -m 0644 -t $(SHAREDIR)/prometheus hooks/prometheus/*
	install -D -m 0644 -t $(DOCDIR) README.md CHANGELOG.md
	install -D -m 0644 -t $(DOCDIR)/examples conf.d/*
	install -d -m 0755 $(ETCDIR)/conf.d $(ETCDIR)/post-backup.d
	install -D -m 0644 -t $(UNITDIR) $(UNITS)
	sed -i 's,/usr/bin/planb,$(PREFIX)/bin/planb,' $(addprefix $(UNITDIR)/,$(notdir $(wildcard units/*.service)))
	install -D -m 0644 -t $(LIBDIR)/sysusers.d units/sysusers.d/planb.conf
	install -D -m 0644 -t $(LIBDIR)/tmpfiles.d units/tmpfiles.d/planb.conf
	install -D -m 0644 -t $(LIBDIR)/systemd/catalog units/catalog/planb.catalog
	install -D -m 0644 -t $(DATADIR)/dbus-1/system.d units/dbus/org.planb.PlanB1.conf
	install -D -m 0644 -t $(DATADIR)/dbus-1/system-services units/dbus/org.planb.PlanB1.service
	install -D -m 0644 -t $(DATADIR)/polkit-1/actions units/polkit/org.planb.PlanB1.policy
	install -D -m 0644 -t $(DATADIR)/polkit-1/rules.d units/polkit/org.planb.PlanB1.rules
	install -d -m 0755 $(GENDIR)
	ln -sf ../../../bin/planb $(GENDIR)/planb-generator

uninstall: ## remove what install installed; configuration and backups stay
	rm -f $(BINDIR)/planb $(MANDIR)/man5/planb.toml.5 $(MANDIR)/man7/planb-hooks.7 $(MANDIR)/man7/planb-dbus.7 $(MANDIR)/man8/planb.8
	rm -f $(BASHDIR)/planb $(ZSHDIR)/_planb $(FISHDIR)/planb.fish
	rm -rf $(SHAREDIR) $(DOCDIR)
	rm -f $(GENDIR)/planb-generator $(addprefix $(UNITDIR)/,$(notdir $(UNITS)))
	rm -f $(LIBDIR)/sysusers.d/planb.conf $(LIBDIR)/tmpfiles.d/planb.conf $(LIBDIR)/systemd/catalog/planb.catalog
	rm -f $(DATADIR)/dbus-1/system.d/org.planb.PlanB1.conf $(DATADIR)/dbus-1/system-services/org.planb.PlanB1.service
	rm -f $(DATADIR)/polkit-1/actions/org.planb.PlanB1.policy $(DATADIR)/polkit-1/rules.d/org.planb.PlanB1.rules
	-rmdir --ignore-fail-on-non-empty $(ETCDIR)/conf.d $(ETCDIR)/post-backup.d $(ETCDIR)

deb: all ## build a Debian package, target/planb_VERSION_ARCHITECTURE.deb
	rm -rf $(TARGET)/deb
	$(MAKE) --no-print-directory install DESTDIR=$(TARGET)/deb PREFIX=/usr SYSCONFDIR=/etc
	debian/build $(TARGET)/deb $(DEB) $(VERSION) $(PLANB)

clean: ## remove everything that was built
	$(CARGO) clean

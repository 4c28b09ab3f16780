# ALIA's targets. Only Go, git and make are needed; extras are skipped with a notice.
SHELL       := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
GO          ?= go
export CGO_ENABLED ?= 0
export GOFLAGS     ?= -buildvcs=false

STATICCHECK := honnef.co/go/tools/cmd/staticcheck@v0.8.2
# Rooms with goroutines worth a race detector, and no long numeric loops.
RACE        := ./protocol/... ./ledger/... ./node/...
# The rooms whose bits must agree under every build.
GOLDEN      := ./work/language/ ./ledger/ ./work/kernel/ ./work/nmt/ ./work/text/ ./work/corpus/ ./work/train/ ./work/state/ ./work/run/ ./work/ ./work/format/

.PHONY: build build-cuda cuda-selftest cuda cuda-tests demo test check vet staticcheck race golden emulated bench soak picture generate ptx fuzz clean

build: ## bin/alia, and the peer of its bench where that can be loaded
	@mkdir -p bin
	$(GO) build -trimpath -ldflags "-s -w" -o bin/alia ./node/alia
	@case $$($(GO) env GOOS)/$$($(GO) env GOARCH) in linux/amd64|linux/arm64) \
		$(GO) build -trimpath -ldflags "-s -w" -o bin/gemm-peer ./node/alia/gemmpeer/openblas ;; esac

# What gorgonia.org/cu is built with: our header and linker script, which stand in
# for a CUDA toolkit. The tags keep Go's own resolver of names and users.
CUDA_ENV  := CGO_ENABLED=1 CGO_CFLAGS="-O2 -I$(CURDIR)/cuda/driver/include" CGO_LDFLAGS="-L$(CURDIR)/cuda/driver"
CUDA_TAGS := cuda,netgo,osusergo

build-cuda: ## bin/alia-cuda, which finds a GPU where there is one; it needs a C compiler, no toolkit and no driver
	@mkdir -p bin
	$(CUDA_ENV) $(GO) build -trimpath -tags $(CUDA_TAGS) -ldflags "-s -w" -o bin/alia-cuda ./node/alia

cuda-selftest: ## bin/cuda-selftest, one file that holds a machine's GPU to the bits and measures it
	@mkdir -p bin
	$(CUDA_ENV) $(GO) build -trimpath -tags $(CUDA_TAGS) -ldflags "-s -w" -o bin/cuda-selftest ./cuda/selftest

demo: build ## a network on this machine trains a model, pays for the work and translates with it
	bin/alia swarm --once

test: ## every test
	@test -d "$${ALIA_DATA:-../shared/data}" || echo "test: no real text in $${ALIA_DATA:-../shared/data}, so its tests are skipped; ALIA_DATA names its folder"
	@test -n "$${ALIA_SOAK:-}" || echo "test: the long tests are skipped; make soak runs them"
	@test -n "$${ALIA_DOCUMENTS:-}" || echo "test: no documents of yours are tried; ALIA_DOCUMENTS names their folder"
	@echo "test: go test -v tells what this platform lacks, such as files' modes or limits of their size"
	@ls /usr/lib/*/libopenblas.so.0 >/dev/null 2>&1 || echo "test: no OpenBLAS is seen, so the bench beside it may be skipped; Debian's package is libopenblas0-pthread"
	@for p in chromium:"the page is not tried" npm:"foreign clients of the gateway are not tried" soffice:"LibreOffice does not judge documents" \
		xmllint:"xmllint does not judge documents" msgfmt:"msgfmt does not judge catalogs"; do \
		command -v $${p%%:*} >/dev/null 2>&1 || echo "test: no $${p%%:*} is seen: $${p#*:}"; done
	$(GO) test -count=1 -timeout 30m ./...

check: build vet staticcheck test race cuda golden emulated ## what CI runs

vet:
	@test -z "$$(gofmt -l node protocol work ledger cuda examples)" || { echo "gofmt would change:"; gofmt -l node protocol work ledger cuda examples; exit 1; }
	$(GO) vet ./...

staticcheck:
	$(GO) run $(STATICCHECK) ./...

race: ## tests with the race detector, which needs a C compiler
	@if command -v $${CC:-cc} >/dev/null 2>&1; then \
		echo "race: with -short, which leaves out tests that take long and ran without the detector"; \
		CGO_ENABLED=1 $(GO) test -race -short -count=1 -timeout 30m $(RACE); \
	else echo "race: skipped, there is no C compiler"; fi

cuda: ## the CUDA build, its host code on an emulated device, with the race detector too; it needs a C compiler
	@if command -v $${CC:-cc} >/dev/null 2>&1; then $(MAKE) --no-print-directory cuda-tests; \
	else echo "cuda: skipped, there is no C compiler"; fi

cuda-tests: build-cuda
	$(CUDA_ENV) $(GO) vet -tags cuda,cudaemu ./cuda/... ./node/alia
	$(CUDA_ENV) $(GO) test -tags cuda,cudaemu -count=1 ./cuda/device ./cuda/driver ./cuda/selftest
	$(CUDA_ENV) $(GO) test -tags cuda,cudaemu -count=1 -run TestCUDA ./node/alia
	@echo "cuda: the race detector with -short, which leaves out a training step that takes a minute and ran without the detector"
	$(CUDA_ENV) $(GO) test -tags cuda,cudaemu -race -short -count=1 ./cuda/device

golden: ## the golden digests, under every instruction set and without assembly
	GOAMD64=v1 $(GO) test -count=1 -run 'Golden|Published|SameBits' $(GOLDEN)
	GOAMD64=v3 $(GO) test -count=1 -run 'Golden|Published|SameBits' $(GOLDEN)
	$(GO) test -tags purego -count=1 -run 'Golden|Published|SameBits' $(GOLDEN)

emulated: ## the golden digests on other processors, one of them big-endian, under QEMU's user mode
	@for arch in arm64:aarch64 riscv64:riscv64 s390x:s390x; do \
		goarch=$${arch%:*} emulator=; \
		for e in qemu-$${arch#*:}-static qemu-$${arch#*:}; do \
			if [ -z "$$emulator" ] && command -v $$e >/dev/null 2>&1; then emulator=$$e; fi; \
		done; \
		if [ -z "$$emulator" ]; then echo "emulated: $$goarch skipped, there is no qemu-$${arch#*:}"; continue; fi; \
		echo "GOARCH=$$goarch under $$emulator"; \
		GOARCH=$$goarch $(GO) vet ./work/kernel/; \
		GOARCH=$$goarch $(GO) test -count=1 -exec $$emulator -run 'Golden|Published|SameBits' $(GOLDEN); \
		if [ $$goarch = arm64 ]; then \
			echo "GOARCH=$$goarch under $$emulator, on a processor without SDOT"; \
			QEMU_CPU=cortex-a57 GOARCH=$$goarch $(GO) test -count=1 -exec $$emulator -run SameBits ./work/kernel; \
		fi; \
	done

bench: build ## kernels, training, translation, a ledger and a gateway on this machine
	$(GO) test -run '^$$' -bench . -benchtime 300ms ./work/... ./node/gateway
	bin/alia bench
	bin/alia bench ledger
	bin/alia bench gateway

soak: build ## the long tests: swarms with crashes, random schedules, fuzzing
	ALIA_SOAK=1 $(GO) test -count=1 -timeout 60m ./...
	$(MAKE) fuzz FUZZTIME=1m

FUZZTIME ?= 10s
fuzz: ## every fuzz target for FUZZTIME
	@for p in $$($(GO) list ./...); do \
		for f in $$($(GO) test -list '^Fuzz' $$p | grep '^Fuzz' || true); do \
			echo "$$p $$f"; $(GO) test -run '^$$' -fuzz "^$$f\$$" -fuzztime $(FUZZTIME) $$p; \
		done; \
	done

picture: build ## .github/swarm.svg, which README shows: the screen of `make demo` while it runs; it needs tmux
	@if command -v tmux >/dev/null 2>&1; then \
		home=$$(mktemp -d) && trap 'rm -rf "$$home"' EXIT && \
		ALIA_HOME="$$home/village" $(GO) run ./node/swarm/picture -out .github/swarm.svg -until '(?s)working.*epoch 3' bin/alia swarm --once; \
	else echo "picture: skipped, there is no tmux"; fi

generate: ## assembly from its generator
	cd work/kernel/internal/gen && for isa in avx512 avx2; do \
		$(GO) run . -isa $$isa -out ../../$${isa}_amd64.s -stubs ../../$${isa}_amd64.go -pkg kernel; \
	done && $(GO) run ./neon -out ../../neon_arm64.s -stubs ../../neon_arm64.go

CLANG ?= clang-19
ptx: ## the CUDA kernels' PTX from their C sources, byte for byte what is committed; needs clang-19
	cd cuda/kernels && for c in *.c; do \
		text=$${c%.c}.text bounds=$$(sed -n 's,^// bounds: ,,p' $$c); \
		$(CLANG) --target=nvptx64-nvidia-cuda -march=sm_75 -Xclang -target-feature -Xclang +ptx65 -nocudalib \
			-std=c11 -ffp-contract=off -O2 -Wall -Wextra -Werror -S $$c -o - | \
			sed "s/^)/)$${bounds:+\n$$bounds}/" >$$text; \
		{ echo "// sources sha256 $$(cat *.h $$c | sha256sum | cut -d ' ' -f 1)"; \
		echo "// text sha256 $$(sha256sum <$$text | cut -d ' ' -f 1)"; cat $$text; } >$${c%.c}.ptx; rm $$text; \
	done

clean:
	rm -rf bin

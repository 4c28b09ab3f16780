module github.com/alia-network/alia/work/kernel/internal/gen

go 1.26.6

require github.com/mmcloughlin/avo v0.5.0 // indirect

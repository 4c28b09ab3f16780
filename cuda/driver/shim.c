//go:build cuda && linux && (amd64 || arm64)

/* The functions of the driver API that gorgonia.org/cu calls, as jumps through
 * slots that alia_cuda_open fills from the driver library. Until then, and where
 * there is no library, each returns CUDA_ERROR_NOT_INITIALIZED. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <string.h>
#include "cuda.h"
#include "shim.h"

static CUresult closed(void) { return CUDA_ERROR_NOT_INITIALIZED; }
static CUresult missing(void) { return CUDA_ERROR_SHARED_OBJECT_SYMBOL_NOT_FOUND; }

#if defined(__x86_64__)
#define JUMP(slot) "jmp *" slot "(%rip)\n"
#elif defined(__aarch64__)
#define JUMP(slot) "adrp x16, " slot "\nldr x16, [x16, :lo12:" slot "]\nbr x16\n"
#endif

#define DRIVER(name, real) \
	void *alia_slot_##name __attribute__((visibility("hidden"))) = (void *)closed; \
	__asm__(".text\n.globl " #name "\n.hidden " #name "\n.type " #name ", @function\n" \
		#name ":\n" JUMP("alia_slot_" #name) ".size " #name ", .-" #name "\n");
#include "symbols.h"
#undef DRIVER

static const struct { const char *real; void **slot; } slots[] = {
#define DRIVER(name, real) {#real, &alia_slot_##name},
#include "symbols.h"
#undef DRIVER
};

/* cuInit is called by cu's package init, which ends the process when it fails.
 * The driver is not looked for until it is asked for. */
CUresult cuInit(unsigned int flags) { return CUDA_SUCCESS; }

static CUresult close_all(CUresult r) {
	for (size_t i = 0; i < sizeof slots / sizeof *slots; i++) *slots[i].slot = (void *)closed;
	return r;
}

CUresult alia_cuda_open(alia_find find, void *library, char *missed, size_t n) {
	missed[0] = 0;
	CUresult (*init)(unsigned int) = (CUresult (*)(unsigned int))find(library, "cuInit");
	if (!init) {
		snprintf(missed, n, "cuInit");
		return CUDA_ERROR_SHARED_OBJECT_SYMBOL_NOT_FOUND;
	}
	for (size_t i = 0; i < sizeof slots / sizeof *slots; i++) {
		void *p = find(library, slots[i].real);
		/* Old functions go: those that are not used may. */
		*slots[i].slot = p ? p : (void *)missing;
	}
	static const char *needed[] = {
		"cuDriverGetVersion", "cuDeviceGetCount", "cuDeviceGet", "cuDeviceGetName", "cuDeviceGetAttribute", "cuDeviceTotalMem_v2",
		"cuDevicePrimaryCtxRetain", "cuCtxSetCurrent", "cuModuleLoadData", "cuModuleGetFunction", "cuLaunchKernel",
		"cuMemAlloc_v2", "cuMemFree_v2", "cuMemGetInfo_v2", "cuMemsetD8Async", "cuMemcpyHtoDAsync_v2", "cuMemcpyDtoHAsync_v2", "cuMemcpyDtoDAsync_v2",
		"cuStreamCreate", "cuStreamSynchronize", "cuEventCreate", "cuEventRecord", "cuStreamWaitEvent",
	};
	for (size_t i = 0; i < sizeof needed / sizeof *needed; i++) {
		if (find(library, needed[i])) continue;
		snprintf(missed, n, "%s", needed[i]);
		return close_all(CUDA_ERROR_SHARED_OBJECT_SYMBOL_NOT_FOUND);
	}
	CUresult r = init(0);
	return r == CUDA_SUCCESS ? r : close_all(r);
}

void *alia_dlopen(const char *name, char *why, size_t n) {
	void *library = dlopen(name, RTLD_NOW | RTLD_LOCAL);
	const char *error = library ? NULL : dlerror();
	snprintf(why, n, "%s", error ? error : "");
	return library;
}

void *alia_dlsym(void) { return (void *)dlsym; }

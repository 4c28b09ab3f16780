//go:build cuda && cudaemu

/* The emulated library's table of functions, by the names of the real one. */
#include <string.h>
#include "_cgo_export.h"

static const struct { const char *name; void *function; } functions[] = {
#define EMULATED(name, function) {#name, (void *)emu_##function}
	EMULATED(cuInit, cuInit),
	EMULATED(cuDriverGetVersion, cuDriverGetVersion),
	EMULATED(cuDeviceGetCount, cuDeviceGetCount),
	EMULATED(cuDeviceGet, cuDeviceGet),
	EMULATED(cuDeviceGetName, cuDeviceGetName),
	EMULATED(cuDeviceGetAttribute, cuDeviceGetAttribute),
	EMULATED(cuDeviceTotalMem_v2, cuDeviceTotalMem),
	EMULATED(cuDevicePrimaryCtxSetFlags_v2, cuDevicePrimaryCtxSetFlags),
	EMULATED(cuDevicePrimaryCtxRetain, cuDevicePrimaryCtxRetain),
	EMULATED(cuDevicePrimaryCtxRelease_v2, cuDevicePrimaryCtxRelease),
	EMULATED(cuCtxSetCurrent, cuCtxSetCurrent),
	EMULATED(cuCtxSynchronize, cuCtxSynchronize),
	EMULATED(cuModuleLoadData, cuModuleLoadData),
	EMULATED(cuModuleUnload, cuModuleUnload),
	EMULATED(cuModuleGetFunction, cuModuleGetFunction),
	EMULATED(cuLaunchKernel, cuLaunchKernel),
	EMULATED(cuMemGetInfo_v2, cuMemGetInfo),
	EMULATED(cuMemAlloc_v2, cuMemAlloc),
	EMULATED(cuMemFree_v2, cuMemFree),
	EMULATED(cuMemsetD8Async, cuMemsetD8Async),
	EMULATED(cuMemcpyDtoDAsync_v2, cuMemcpyDtoDAsync),
	EMULATED(cuMemcpyHtoDAsync_v2, cuMemcpyHtoDAsync),
	EMULATED(cuMemcpyDtoHAsync_v2, cuMemcpyDtoHAsync),
	EMULATED(cuStreamCreate, cuStreamCreate),
	EMULATED(cuStreamSynchronize, cuStreamSynchronize),
	EMULATED(cuStreamWaitEvent, cuStreamWaitEvent),
	EMULATED(cuEventCreate, cuEventCreate),
	EMULATED(cuEventRecord, cuEventRecord),
};

static void *find(void *library, const char *name) {
	if (emu_missing((char *)name)) return NULL;
	for (size_t i = 0; i < sizeof functions / sizeof *functions; i++)
		if (!strcmp(functions[i].name, name)) return functions[i].function;
	return NULL;
}

void *alia_emulator_finder(void) { return (void *)find; }

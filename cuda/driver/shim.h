/* shim.h is what package driver's Go sees of the shim. */
#include <stddef.h>
#include "cuda.h"

typedef void *(*alia_find)(void *library, const char *symbol);

/* alia_cuda_open fills the slots with what find finds in library, and starts
 * the driver. Where a function is missing that is needed, it says which. */
CUresult alia_cuda_open(alia_find find, void *library, char *missed, size_t n);

/* alia_dlopen opens a library, or says why not. */
void *alia_dlopen(const char *name, char *why, size_t n);

/* alia_dlsym is the finder of what alia_dlopen opened. */
void *alia_dlsym(void);

/* emulator.h is what package emulator's Go sees of its table. */
#include "cuda.h"

/* alia_emulator_finder is an alia_find of package driver's shim. */
void *alia_emulator_finder(void);

#pragma once
#include "CSandbox.h"

// Reports a failed stage and ends the process.
__attribute__((noreturn)) void slipway_fail(const struct slipway_sandbox *sandbox, int stage, int number, int index);

// Mounts the root and everything in it, and makes it "/".
void slipway_make_root(const struct slipway_sandbox *sandbox);

// Writes a decimal number; returns a pointer behind it. Nothing of stdio is safe here.
char *slipway_write_number(char *at, unsigned long number);

#pragma once
#include "CSandbox.h"

// Reports a stage and its number to the agent.
void slipway_report(const struct slipway_sandbox *sandbox, int stage, int number, int index);

// The same of a failed stage, and ends the process.
__attribute__((noreturn)) void slipway_fail(const struct slipway_sandbox *sandbox, int stage, int number, int index);

// Mounts the root and everything in it, and makes it "/".
void slipway_make_root(const struct slipway_sandbox *sandbox);

// Without namespaces: puts the contents of files (SLIPWAY_MOUNT_CONTENT) where empty files stand for them. Where the machine lets
// us, in memory and for us and our children only; else into those files.
void slipway_place_contents(const struct slipway_sandbox *sandbox);

// Takes away what went into files. The agent, who removes them, may be dead.
void slipway_erase_contents(void);

// Writes a decimal number; returns a pointer behind it. Nothing of stdio is safe here.
char *slipway_write_number(char *at, unsigned long number);

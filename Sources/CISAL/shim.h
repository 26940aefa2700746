#pragma once
#include <isa-l/crc.h>
#include <isa-l/igzip_lib.h>
#include <stdlib.h>

// The state has tables of many thousand elements, which Swift does not import: it stays behind a pointer.

static inline void *slipway_isal_create(void) {
    struct inflate_state *state = (struct inflate_state *)malloc(sizeof *state);
    if (!state) return NULL;
    isal_inflate_init(state);
    state->crc_flag = ISAL_GZIP_NO_HDR_VER;
    return state;
}

static inline void slipway_isal_destroy(void *state) { free(state); }

// For the next member of a file of several.
static inline void slipway_isal_reset(void *opaque) {
    struct inflate_state *state = (struct inflate_state *)opaque;
    isal_inflate_reset(state);
    state->crc_flag = ISAL_GZIP_NO_HDR_VER;
}

struct slipway_isal_step {
    int status;
    uint32_t taken;
    uint32_t given;
    int is_finished;
};

// One step of what follows the header: the trailer's checksum and length are checked by the library.
static inline struct slipway_isal_step slipway_isal_inflate(
    void *opaque, const uint8_t *input, uint32_t input_length, uint8_t *output, uint32_t output_length) {
    struct inflate_state *state = (struct inflate_state *)opaque;
    state->next_in = (uint8_t *)input;
    state->avail_in = input_length;
    state->next_out = output;
    state->avail_out = output_length;
    struct slipway_isal_step step;
    step.status = isal_inflate(state);
    step.taken = input_length - state->avail_in;
    step.given = output_length - state->avail_out;
    step.is_finished = state->block_state == ISAL_BLOCK_FINISH;
    return step;
}

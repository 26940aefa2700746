#pragma once
#include <lzma.h>

/// LZMA_STREAM_INIT is a macro that Swift cannot see.
static inline void slipway_lzma_init(lzma_stream *stream) {
    lzma_stream fresh = LZMA_STREAM_INIT;
    *stream = fresh;
}

/// As is this one.
static const uint32_t slipway_lzma_concatenated = LZMA_CONCATENATED;

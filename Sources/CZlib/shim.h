#pragma once
#include <zlib.h>

// inflateInit2 and deflateInit2 are macros that pass the header's version. 15 + 16: a gzip wrapper around the largest window.
static inline int slipway_inflate_init(z_stream *stream) { return inflateInit2(stream, 15 + 16); }
static inline int slipway_deflate_init(z_stream *stream, int level) {
    return deflateInit2(stream, level, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY);
}

#pragma once
#include <zlib.h>

// These are macros that pass the header's version. The first is for zlib's own format (RFC 1950).
static inline int slipway_inflate_init_zlib(z_stream *stream) { return inflateInit2(stream, 15); }

// 16 more window bits: with gzip's header and trailer.
static inline int slipway_inflate_init(z_stream *stream) { return inflateInit2(stream, 15 + 16); }
static inline int slipway_deflate_init(z_stream *stream, int level, int window_bits, int memory_level, int strategy) {
    return deflateInit2(stream, level, Z_DEFLATED, window_bits + 16, memory_level, strategy);
}

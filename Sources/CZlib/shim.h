#pragma once
#include <zlib.h>

// inflateInit2 is a macro that passes the header's version. 15 + 16: a gzip wrapper around the largest window.
static inline int slipway_inflate_init(z_stream *stream) { return inflateInit2(stream, 15 + 16); }

/// The names that mark removed files in layers: https://github.com/opencontainers/image-spec/blob/main/layer.md#whiteouts
package enum LayerMarks {
    package static let prefix = Array(".wh.".utf8)
    package static let opaque = Array(".wh..wh..opq".utf8)
}

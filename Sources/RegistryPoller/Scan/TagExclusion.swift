/// Tags that name no images to run: signatures, attestations and bills of materials that tools keep beside the images.
package enum TagExclusion {
    /// `*.sig` (also Flux v2's default), cosign's `sha256-HEX.att` and `.sbom`, and the fallback tags of referrers
    /// (`sha256-HEX`, https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#referrers-tag-schema).
    package static func isArtifact(_ tag: String) -> Bool {
        var tag = tag
        return tag.withUTF8 { isArtifact($0) }
    }

    static func isArtifact(_ tag: UnsafeBufferPointer<UInt8>) -> Bool {
        let count = tag.count
        // Nearly every tag is told by one byte.
        if count >= 4, tag[count - 4] == UInt8(ascii: "."), tag.suffix(4).elementsEqual(".sig".utf8) { return true }
        guard count >= 71, tag.starts(with: "sha256-".utf8) else { return false }
        let rest = tag.dropFirst("sha256-".utf8.count)
        let hash = rest.prefix(64)
        return hash.count == 64 && hash.allSatisfy { isDigit($0) || $0 &- UInt8(ascii: "a") < 6 }
            && (rest.count == 64 || rest.dropFirst(64).first == UInt8(ascii: "."))
    }
}

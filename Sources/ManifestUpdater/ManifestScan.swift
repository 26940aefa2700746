import Glibc
import YAML

/// Finds what can be updated in a file. Pure: bytes in, places out.
package enum ManifestScan {
    private static let words = ["fluxcd.io", "flux.weave.works", "$imagepolicy", "slipway.dev"]

    /// Whether a file can hold anything for the updater: a search of its bytes, so that all other files cost next to
    /// nothing.
    package static func mayMatter(_ bytes: [UInt8]) -> Bool {
        words.contains { contains(bytes, $0) }
    }

    /// All image references of annotated workloads and all marked values. A file that is not YAML gives no targets and
    /// one reason; it never fails.
    package static func scan(file: String, bytes: [UInt8]) -> ScanResult {
        var result = ScanResult()
        guard mayMatter(bytes) else { return result }
        do {
            result = scan(try YAMLStream.parse(bytes, file: file), file: file, bytes: bytes)
        } catch {
            result.skipped.append(ScanResult.Skipped(place: error.place ?? file, reason: error.summary))
        }
        return result
    }

    static func scan(_ documents: [YAMLDocument], file: String, bytes: [UInt8]) -> ScanResult {
        var scanner = Scanner(file: file, bytes: bytes)
        let hasMarkers = contains(bytes, "\"$imagepolicy\"")
        for document in documents {
            guard let root = document.root else { continue }
            for manifest in Manifest.all(in: root) { scanner.scan(manifest, document: document.index) }
            if hasMarkers { scanner.scanMarkers(in: root, document: document.index) }
        }
        return scanner.finished()
    }

    /// A plain search that looks for the word's rarest letter first (glibc's `memmem` is hidden behind a feature
    /// macro).
    static func contains(_ bytes: [UInt8], _ word: String) -> Bool {
        let word = Array(word.utf8)
        let rare = word.firstIndex(of: UInt8(ascii: "$")) ?? word.firstIndex(of: UInt8(ascii: "x")) ?? word.startIndex
        return bytes.withUnsafeBytes { text in
            word.withUnsafeBytes { word in
                guard let start = text.baseAddress, let wanted = word.baseAddress else { return false }
                var index = rare
                while index < text.count, let hit = memchr(start + index, Int32(word[rare]), text.count - index) {
                    let begin = start.distance(to: UnsafeRawPointer(hit)) - rare
                    if begin + word.count <= text.count, memcmp(start + begin, wanted, word.count) == 0 { return true }
                    index = begin + rare + 1
                }
                return false
            }
        }
    }
}

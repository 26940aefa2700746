package import OCI

/// What an image is made from, in one value: the same key means that a build would give the same image but for its
/// times and annotations.
package struct ContentKey: Hashable, Sendable, CustomStringConvertible {
    package let digest: Digest

    package init(digest: Digest) { self.digest = digest }

    package var description: String { digest.description }
}

/// Hashes parts so that no two different lists of parts give the same bytes: each goes in behind its length.
struct KeyHasher: ~Copyable {
    private var hasher = SHA256Hasher()
    /// What was added, in words; `nil` when nobody wants to know.
    var record: StepRecord?

    mutating func note(_ kind: StepRecord.Kind, _ name: String, _ value: String) {
        record?.note(kind, name, value)
    }

    mutating func add(_ bytes: [UInt8]) {
        var length = UInt64(bytes.count).littleEndian
        withUnsafeBytes(of: &length) { hasher.update($0) }
        hasher.update(bytes)
    }

    mutating func add(_ text: String) { add(Array(text.utf8)) }

    mutating func add(_ number: Int64) { add(String(number)) }

    mutating func add(_ text: String?) {
        add(text == nil ? "-" : "+")
        if let text { add(text) }
    }

    mutating func add(_ list: [String]) {
        add(Int64(list.count))
        for item in list { add(item) }
    }

    consuming func finish() -> Digest { hasher.finalize() }
}

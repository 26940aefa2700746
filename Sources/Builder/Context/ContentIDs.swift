import OCI

/// What identifies the content of files, packed: 33 bytes for a file whose name is one of the usual digests, where a text takes four
/// times as much. A context may have hundreds of thousands of files.
package struct ContentIDs: Sendable {
    private enum Form: UInt8, Sendable, CaseIterable {
        case unknown
        /// In `others`.
        case text
        case blake2b, blake2bInPieces, git

        var prefix: [UInt8] {
            switch self {
            case .unknown, .text: []
            case .blake2b: Array("blake2b:".utf8)
            case .blake2bInPieces: Array("blake2b-16m:".utf8)
            case .git: Array("git:".utf8)
            }
        }

        /// Of the digest, in bytes.
        var size: Int {
            switch self {
            case .unknown, .text: 0
            case .blake2b, .blake2bInPieces: ContentHasher.byteCount
            case .git: 20
            }
        }

        static let digests = allCases.filter { $0.size > 0 }
    }

    private var forms: [Form] = []
    /// `stride` bytes for each file.
    private var digests: [UInt8] = []
    private var others: [Int: String] = [:]

    private static let stride = ContentHasher.byteCount

    package init() {}

    package var count: Int { forms.count }

    package mutating func append(_ name: String?) { self[count] = name }

    func isKnown(at place: Int) -> Bool { place < forms.count && forms[place] != .unknown }

    /// - Parameter place: may be behind the last one, as far as wanted: what is between is unknown.
    package subscript(place: Int) -> String? {
        get {
            guard isKnown(at: place) else { return nil }
            let form = forms[place]
            guard form.size > 0 else { return others[place] }
            let start = place * Self.stride
            return String(decoding: form.prefix, as: UTF8.self) + hexadecimal(Array(digests[start..<start + form.size]))
        }
        set {
            if forms.indices.contains(place), forms[place] == .text { others[place] = nil }
            guard let newValue else { return set(.unknown, [], at: place) }
            let text = Array(newValue.utf8)
            for form in Form.digests where text.starts(with: form.prefix) {
                guard let digest = Self.bytes(text[form.prefix.count...]), digest.count == form.size else { continue }
                return set(form, digest, at: place)
            }
            set(.text, [], at: place)
            others[place] = newValue
        }
    }

    /// The name that `ContentIdentity` gives.
    mutating func set(digest: [UInt8], size: Int64, at place: Int) {
        set(size > ContentIdentity.pieceSize ? .blake2bInPieces : .blake2b, digest, at: place)
    }

    private mutating func set(_ form: Form, _ digest: [UInt8], at place: Int) {
        grow(to: place + 1)
        forms[place] = form
        let start = place * Self.stride
        for (offset, byte) in digest.enumerated() { digests[start + offset] = byte }
    }

    private mutating func grow(to count: Int) {
        let missing = count - forms.count
        guard missing > 0 else { return }
        forms.append(contentsOf: repeatElement(.unknown, count: missing))
        digests.append(contentsOf: repeatElement(0, count: missing * Self.stride))
    }

    /// Adds another's, from one of its places on, at a place behind all that are here.
    mutating func append(contentsOf part: ContentIDs, from first: Int, at start: Int) {
        guard part.count > first else { return }
        grow(to: start)
        forms += part.forms[first...]
        digests += part.digests[(first * Self.stride)...]
        for (place, other) in part.others { others[start + place - first] = other }
    }

    /// - Returns: `nil` for what is not written in lower-case hexadecimal digits.
    private static func bytes(_ digits: ArraySlice<UInt8>) -> [UInt8]? {
        func value(_ digit: UInt8) -> UInt8? {
            switch digit {
            case 0x30...0x39: digit - 0x30
            case 0x61...0x66: digit - 0x57
            default: nil
            }
        }
        guard digits.count.isMultiple(of: 2) else { return nil }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(digits.count / 2)
        var place = digits.startIndex
        while place < digits.endIndex {
            guard let high = value(digits[place]), let low = value(digits[place + 1]) else { return nil }
            bytes.append(high << 4 | low)
            place += 2
        }
        return bytes
    }
}

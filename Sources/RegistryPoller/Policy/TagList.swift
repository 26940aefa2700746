/// Tags in the smallest form that a policy can choose from: one run of bytes, and beside it what is known of each.
///
/// A million tags of 20 characters take some 30 MB.
package struct TagList: Sendable {
    private(set) var bytes: [UInt8] = []
    /// Where each tag ends in `bytes`.
    private(set) var ends: [UInt32] = []
    /// Seconds since 1970, `unknown` where there are none; empty when no tag has any.
    private(set) var created: [Int64] = []
    private(set) var ranks: [Int: Int] = [:]
    private(set) var problems: [Int: String] = [:]

    static let unknown = Int64.min

    package init() {}

    package init(_ candidates: [TagCandidate]) {
        ends.reserveCapacity(candidates.count)
        for candidate in candidates {
            var tag = candidate.tag
            tag.withUTF8 { append($0, created: candidate.created) }
            if let rank = candidate.rank { ranks[ends.count - 1] = rank }
            if let problem = candidate.problem { problems[ends.count - 1] = problem }
        }
    }

    package var count: Int { ends.count }
    package var isEmpty: Bool { ends.isEmpty }

    /// Adds a tag. Four gigabytes of tags are more than there are; what is beyond is left out.
    package mutating func append(_ tag: UnsafeBufferPointer<UInt8>, created: Int64? = nil) {
        guard bytes.count + tag.count <= Int(UInt32.max) else { return }
        bytes.append(contentsOf: tag)
        ends.append(UInt32(bytes.count))
        if let created, created != Self.unknown {
            while self.created.count < ends.count - 1 { self.created.append(Self.unknown) }
            self.created.append(created)
        } else if !self.created.isEmpty {
            self.created.append(Self.unknown)
        }
    }

    /// Adds many tags that lie one behind the other.
    ///
    /// - Parameter lengths: the bytes of each.
    package mutating func append(packed tags: UnsafeBufferPointer<UInt8>, lengths: UnsafeBufferPointer<UInt32>) {
        guard bytes.count + tags.count <= Int(UInt32.max) else { return }
        var end = UInt32(bytes.count)
        bytes.append(contentsOf: tags)
        for length in lengths {
            end += length
            ends.append(end)
        }
        if !created.isEmpty { created.append(contentsOf: repeatElement(Self.unknown, count: lengths.count)) }
    }

    /// Makes room for so many bytes of tags.
    package mutating func reserve(bytes count: Int) { bytes.reserveCapacity(min(count, Int(UInt32.max))) }

    package mutating func append(_ tag: String, created: Int64? = nil) {
        var tag = tag
        tag.withUTF8 { append($0, created: created) }
    }

    package func tag(at index: Int) -> String {
        String(decoding: bytes[range(index)], as: UTF8.self)
    }

    func range(_ index: Int) -> Range<Int> {
        (index == 0 ? 0 : Int(ends[index - 1]))..<Int(ends[index])
    }

    package func created(at index: Int) -> Int64? {
        guard index < created.count, created[index] != Self.unknown else { return nil }
        return created[index]
    }

    /// The first place of a tag.
    package func index(of tag: String) -> Int? {
        var tag = tag
        return tag.withUTF8 { wanted in
            bytes.withUnsafeBufferPointer { bytes in
                var start = 0
                for (index, end) in ends.enumerated() {
                    let length = Int(end) - start
                    if length == wanted.count, bytes[start..<Int(end)].elementsEqual(wanted) { return index }
                    start = Int(end)
                }
                return nil
            }
        }
    }
}

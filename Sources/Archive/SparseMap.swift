/// Where the bytes of a sparse entry lie in its file; all else is zeros.
///
/// https://www.gnu.org/software/tar/manual/html_node/Sparse-Formats.html: the old GNU format and the three of pax.
struct SparseMap {
    struct Segment {
        var offset: Int64
        var size: Int64
    }

    private(set) var segments: [Segment]
    /// Of the file.
    let size: Int64

    /// More than a file system is likely to tell of one file.
    static let limit = 1 << 20

    /// - Parameter stored: how many bytes of content the archive holds.
    init(_ segments: [Segment], size: Int64, stored: Int64) throws(ArchiveError) {
        guard segments.count <= Self.limit else {
            throw ArchiveError(
                .limit, "a sparse entry has more than \(Self.limit) pieces",
                hint: "such an archive is most likely made to do harm")
        }
        var end: Int64 = 0
        var sum: Int64 = 0
        for segment in segments {
            let (next, overflow) = segment.offset.addingReportingOverflow(segment.size)
            guard segment.size >= 0, segment.offset >= end, !overflow, next <= size else { throw Self.malformed }
            end = next
            // No more than the file's size, so it cannot overflow.
            sum += segment.size
        }
        guard sum == stored else { throw Self.malformed }
        self.size = size
        self.segments = segments.filter { $0.size > 0 }
    }

    static var malformed: ArchiveError { ArchiveError(.malformed, "the map of a sparse entry is malformed") }

    /// From numbers: offset, size, offset, size …
    static func segments(_ numbers: [Int64]) throws(ArchiveError) -> [Segment] {
        guard numbers.count.isMultiple(of: 2) else { throw malformed }
        return stride(from: 0, to: numbers.count, by: 2).map { Segment(offset: numbers[$0], size: numbers[$0 + 1]) }
    }
}

/// How far a sparse entry was read.
struct SparseReading {
    private let map: SparseMap
    private var index = 0
    private var position: Int64 = 0

    init(_ map: SparseMap) { self.map = map }

    /// What comes next: that many zeros, or that many bytes of the archive; `nil` at the end.
    var next: (count: Int64, isHole: Bool)? {
        guard index < map.segments.count else {
            return position < map.size ? (map.size - position, true) : nil
        }
        let segment = map.segments[index]
        return position < segment.offset
            ? (segment.offset - position, true) : (segment.offset + segment.size - position, false)
    }

    mutating func advance(by count: Int) {
        position += Int64(count)
        guard index < map.segments.count else { return }
        if position == map.segments[index].offset + map.segments[index].size { index += 1 }
    }
}

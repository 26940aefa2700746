/// The lines of an answer that comes in pieces.
struct ArrivingLines {
    private var rest: [UInt8] = []
    /// Bytes of one line.
    let limit: Int

    init(limit: Int) { self.limit = limit }

    /// The lines that are whole with these bytes, without their newlines; `nil` when the one that is not has become too long.
    mutating func take(_ bytes: UnsafeRawBufferPointer) -> [ArraySlice<UInt8>]? {
        rest += bytes
        guard rest.count <= limit else { return nil }
        // A long line is looked through once, not with each of its pieces.
        guard bytes.contains(UInt8(ascii: "\n")) else { return [] }
        var lines = rest.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
        rest = Array(lines.popLast() ?? [])
        return lines
    }
}

package import Diagnostics

/// The text of a Dockerfile, by lines.
package struct SourceText: Sendable {
    package let file: String
    /// Without the byte order mark.
    let bytes: [UInt8]
    private let lineStarts: [Int]

    init(_ bytes: [UInt8], file: String) {
        self.file = file
        self.bytes = bytes.starts(with: [0xef, 0xbb, 0xbf]) ? Array(bytes.dropFirst(3)) : bytes
        var starts: [Int] = []
        var start = 0
        while start < self.bytes.count {
            starts.append(start)
            start = (self.bytes[start...].firstIndex(of: 0x0a) ?? self.bytes.count - 1) + 1
        }
        lineStarts = starts
    }

    var lineCount: Int { lineStarts.count }

    /// A physical line with its terminator; lines count from 1.
    func line(_ number: Int) -> ArraySlice<UInt8> {
        guard number >= 1, number <= lineStarts.count else { return [] }
        let end = number < lineStarts.count ? lineStarts[number] : bytes.count
        return bytes[lineStarts[number - 1]..<end]
    }

    /// A physical line without its terminator.
    func content(ofLine number: Int) -> ArraySlice<UInt8> { Self.withoutTerminator(line(number)) }

    static func withoutTerminator(_ line: ArraySlice<UInt8>) -> ArraySlice<UInt8> {
        var line = line
        while line.last == 0x0a || line.last == 0x0d { line = line.dropLast() }
        return line
    }

    /// Where a piece of an instruction's text stands: its first occurrence that is a whole word, else the first at all.
    func location(of text: String, in lines: ClosedRange<Int>) -> SourceLocation? {
        let needle = Array(text.utf8)
        guard !needle.isEmpty, needle.count < 4096 else { return nil }
        var partial: SourceLocation?
        // A logical line can be the whole file; a caret is not worth reading all of it.
        for number in lines.prefix(200) {
            let line = Array(content(ofLine: number))
            guard line.count >= needle.count else { continue }
            for start in 0...(line.count - needle.count) where line[start] == needle[0] {
                guard line[start..<start + needle.count].elementsEqual(needle) else { continue }
                let place = SourceLocation(file: file, line: number, column: start + 1)
                let before = start == 0 ? 0x20 : line[start - 1]
                let after = start + needle.count == line.count ? 0x20 : line[start + needle.count]
                if !Self.isWord(before) && !Self.isWord(after) { return place }
                if partial == nil { partial = place }
            }
        }
        return partial
    }

    private static func isWord(_ byte: UInt8) -> Bool {
        byte >= 0x80 || (0x30...0x39).contains(byte) || (0x41...0x5a).contains(byte) || (0x61...0x7a).contains(byte)
            || byte == 0x5f || byte == 0x2d
    }

    /// The line of a place with a caret under it.
    func excerpt(at location: SourceLocation) -> String {
        // A window around the column: lines may be 64 KB long, and hold anything.
        let line = content(ofLine: location.line)
        let limit = 160
        let column = max(1, min(location.column, line.count + 1))
        var first = 0
        if line.count > limit { first = min(max(0, column - limit / 2), line.count - limit) }
        var window = Array(line.dropFirst(first).prefix(limit))
        // Not in the middle of a character.
        while first > 0, let byte = window.first, byte & 0xc0 == 0x80 {
            window.removeFirst()
            first += 1
        }
        for index in window.indices where (window[index] < 0x20 && window[index] != 0x09) || window[index] == 0x7f {
            window[index] = 0x3f
        }
        let shown = SourceLocation(file: location.file, line: location.line, column: max(1, column - first))
        return shown.excerpt(of: String(decoding: window, as: UTF8.self))
    }
}

/// The lines of an instruction, with its comments left out and its heredocs in.
package struct SourceRange: Hashable, Sendable {
    /// Where the keyword starts.
    package var start: SourceLocation
    /// The last line that belongs to it.
    package var endLine: Int

    package init(start: SourceLocation, endLine: Int) {
        self.start = start
        self.endLine = endLine
    }

    package var lines: ClosedRange<Int> { start.line...max(start.line, endLine) }
}

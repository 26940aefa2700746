import Diagnostics

/// One instruction's text: physical lines joined, comments and continuation characters gone.
struct LogicalLine {
    var text: [UInt8]
    var range: SourceRange
    /// The comments directly above, without `#`, trimmed.
    var comments: [String]
    /// The line joined over blank lines, which a future syntax will not.
    var hasEmptyContinuation: Bool
}

/// Joins physical lines to logical ones.
struct LineReader {
    /// The longest physical line.
    static let lineLimit = 65_535

    let source: SourceText
    private(set) var directives = DirectiveReader()
    private var number = 0

    init(_ source: SourceText) { self.source = source }

    private var escape: UInt8 { directives.directives.escape.rawValue }

    /// The next physical line, without its terminator.
    private mutating func nextPhysical() throws(DockerfileError) -> ArraySlice<UInt8>? {
        guard number < source.lineCount else { return nil }
        number += 1
        let line = source.line(number)
        let length = line.last == 0x0a ? line.count - 1 : line.count
        guard length <= Self.lineLimit else {
            throw DockerfileError(
                .limit, "the line is \(length) bytes long; the limit is \(Self.lineLimit)",
                location: SourceLocation(file: source.file, line: number),
                hint: "break it with a '\(escape == 0x60 ? "`" : "\\")' at the line's end")
        }
        return SourceText.withoutTerminator(line)
    }

    mutating func next() throws(DockerfileError) -> LogicalLine? {
        var comments: [String] = []
        while let physical = try nextPhysical() {
            let first = Whitespace.trimStart(physical)
            let isDirective: Bool
            do { isDirective = try directives.read(first) } catch {
                throw error.located(
                    in: source, SourceRange(start: SourceLocation(file: source.file, line: number), endLine: number))
            }
            if isDirective { continue }
            if first.first == 0x23 {
                let comment = Whitespace.trim(first.dropFirst())
                if comment.isEmpty { comments = [] } else { comments.append(String(decoding: comment, as: UTF8.self)) }
                continue
            }
            let start = SourceLocation(
                file: source.file, line: number, column: first.startIndex - physical.startIndex + 1)
            var (part, continues) = continuation(first)
            if !continues && part.isEmpty { continue }
            var text = Array(part)
            var hasEmpty = false
            while continues, let line = try nextPhysical() {
                let trimmed = Whitespace.trimStart(line)
                if trimmed.first == 0x23 { continue }
                if trimmed.isEmpty {
                    hasEmpty = true
                    continue
                }
                (part, continues) = continuation(line)
                text += part
            }
            return LogicalLine(
                text: text, range: SourceRange(start: start, endLine: number), comments: comments,
                hasEmptyContinuation: hasEmpty)
        }
        return nil
    }

    /// Cuts off the escape character that continues a line. One that is itself escaped does not.
    private func continuation(_ line: ArraySlice<UInt8>) -> (ArraySlice<UInt8>, Bool) {
        var end = line.endIndex
        while end > line.startIndex, line[end - 1] == 0x20 || line[end - 1] == 0x09 { end -= 1 }
        guard end > line.startIndex, line[end - 1] == escape else { return (line, false) }
        if end - 1 > line.startIndex, line[end - 2] == escape { return (line, false) }
        return (line[..<(end - 1)], true)
    }

    /// The raw lines up to one that is `terminator`; `nil` when the file ends before.
    mutating func heredocBody(until terminator: [UInt8], strippingTabs: Bool) throws(DockerfileError) -> [UInt8]? {
        var body: [UInt8] = []
        while let line = try nextPhysical() {
            let candidate = strippingTabs ? line.drop { $0 == 0x09 } : line
            if candidate.elementsEqual(terminator) { return body }
            body += source.line(number)
        }
        return nil
    }

    /// The line that was read last.
    var currentLine: Int { number }
}

import Diagnostics

/// What the bytes of the file are not: ends of lines, and characters, as a Dockerfile has them.
extension Linter {
    static func bytes(_ dockerfile: Dockerfile, _ collector: inout LintCollector) {
        let source = dockerfile.source
        let hasCarriageReturns = source.bytes.contains(0x0d)
        let isUTF8 = String(validating: source.bytes, as: UTF8.self) != nil
        guard hasCarriageReturns || !isUTF8 else { return }
        for stage in dockerfile.stages {
            collector.enter(comments: stage.from.comments)
            if !isUTF8 { characters(of: stage.from.range, source, &collector) }
            for instruction in stage.instructions {
                collector.enter(comments: instruction.comments)
                if hasCarriageReturns { lineEnds(of: instruction, &collector) }
                // What COPY and ADD write is handed on byte by byte.
                if !isUTF8, inlineFiles(of: instruction).isEmpty || instruction.original.contains("\u{FFFD}") {
                    characters(of: instruction.range, source, &collector)
                }
            }
        }
    }

    /// Instructions are read without the carriage returns that end their lines; a heredoc is not.
    private static func lineEnds(of instruction: Instruction, _ collector: inout LintCollector) {
        let bodies: [[UInt8]]
        let whose: String
        if case .run(let run) = instruction.kind {
            bodies = run.heredocs.map(\.body)
            whose = "the program that reads it gets the CR too"
        } else {
            bodies = inlineFiles(of: instruction)
            whose = "the file in the image has them"
        }
        guard bodies.contains(where: { $0.contains(0x0d) && String(decoding: $0, as: UTF8.self).contains("\r\n") })
        else { return }
        collector.report(
            .heredocLineEnds,
            "the heredoc's lines end in CR LF, and \(whose); save the Dockerfile with LF line ends",
            at: instruction.range)
    }

    private static func inlineFiles(of instruction: Instruction) -> [[UInt8]] {
        switch instruction.kind {
        case .copy(let copy): copy.sources.inline.map(\.content)
        case .add(let add): add.sources.inline.map(\.content)
        default: []
        }
    }

    /// The first line of an instruction that is not UTF-8; comments may be anything.
    private static func characters(
        of range: SourceRange, _ source: SourceText, _ collector: inout LintCollector
    ) {
        for number in range.lines {
            let line = source.content(ofLine: number)
            guard String(validating: line, as: UTF8.self) == nil, Whitespace.trimStart(line).first != 0x23 else {
                continue
            }
            let column = line.firstIndex { $0 >= 0x80 }.map { $0 - line.startIndex + 1 } ?? 1
            let place = SourceLocation(file: source.file, line: number, column: column)
            collector.report(
                .invalidUTF8,
                "the line is not UTF-8 (it may be Latin-1), and what is not becomes U+FFFD; save the file as UTF-8",
                at: SourceRange(start: place, endLine: number))
            return
        }
    }
}

import FileSystem
import Foundation
import RegistryPoller
import TestSupport
import Testing

@testable import CommandLine

/// Tags on standard input, against a reading of the same bytes line by line.
@Suite(.tags(.unit)) struct TagLinesTests {
    private func read(_ bytes: [UInt8]) throws -> TagList {
        let scratch = try TemporaryDirectory("lines")
        try AtomicFile.write(bytes, to: scratch.file("tags"))
        let file = open(scratch.file("tags"), O_RDONLY)
        defer { close(file) }
        return try TagLines.read(from: file)
    }

    @Test func `lines of every kind, across the pieces that are read`() throws {
        var generator = SplitMix(state: 11)
        var text = ""
        var expected: [(String, Int64?)] = []
        // A few pieces of 256 KiB.
        while text.utf8.count < 900_000 {
            let tag = "v" + String(UInt64.random(in: 0 ... .max, using: &generator), radix: 36)
            switch Int.random(in: 0..<40, using: &generator) {
            case 0: text += "\n"
            case 1: text += "\r\n"
            case 2: (text, expected) = (text + "\(tag)\r\n", expected + [(tag, nil)])
            case 3: (text, expected) = (text + "\(tag)\t\n", expected + [(tag, nil)])
            case 4: (text, expected) = (text + "\(tag)\t2024-05-01T10:00:00Z\r\n", expected + [(tag, 1_714_557_600)])
            case 5:
                let long = tag + String(repeating: "x", count: Int.random(in: 0...4_000, using: &generator))
                (text, expected) = (text + "\(long)\n", expected + [(long, nil)])
            default:
                text += "\(tag)\n"
                expected.append((tag, nil))
            }
        }
        for end in ["", "last", "last\r", "last\t1970-01-01T00:00:00Z"] {
            let tags = try read(Array((text + end).utf8))
            var wanted = expected
            if !end.isEmpty { wanted.append(("last", end.contains("\t") ? 0 : nil)) }
            #expect(tags.count == wanted.count)
            let differs = wanted.indices.first { index in
                index >= tags.count || tags.tag(at: index) != wanted[index].0
                    || tags.created(at: index) != wanted[index].1
            }
            #expect(differs == nil, "\(differs.map { "\(wanted[$0])" } ?? "")")
        }
    }

    @Test func `what is no line of tags is refused with its place`() throws {
        let long = Array(("a\nb\n" + String(repeating: "x", count: 5_000)).utf8)
        let tooLong = #expect(throws: (any Error).self) { try read(long) }
        #expect("\(try #require(tooLong))".contains("line 3"))
        let time = #expect(throws: (any Error).self) { try read(Array("a\nb\tyesterday\n".utf8)) }
        #expect("\(try #require(time))".contains("line 2"))
        #expect(try read([]).isEmpty)
    }
}

import Foundation
import Logging
import TestSupport
import Testing

@testable import Agent

/// Reads a line of logfmt as its consumers do, and refuses what they could read in two ways.
private struct LogfmtReader {
    struct Malformed: Error { let why: String }

    private var rest: Substring.UnicodeScalarView

    static func pairs(_ line: String) throws -> [(key: String, value: String)] {
        var reader = LogfmtReader(rest: Substring(line).unicodeScalars)
        var pairs: [(key: String, value: String)] = []
        while true {
            let key = reader.take { $0 != "=" && $0 != " " && $0 != "\"" && $0.value > 0x20 }
            guard !key.isEmpty, reader.rest.popFirst() == "=" else { throw Malformed(why: "no key: \(line)") }
            pairs.append((key: key, value: try reader.value()))
            guard let blank = reader.rest.popFirst() else { return pairs }
            guard blank == " " else { throw Malformed(why: "no blank after \(key): \(line)") }
        }
    }

    private mutating func take(while isPart: (Unicode.Scalar) -> Bool) -> String {
        let part = rest.prefix(while: isPart)
        rest = rest.dropFirst(part.count)
        return String(String.UnicodeScalarView(part))
    }

    private mutating func value() throws -> String {
        guard rest.first == "\"" else {
            return take { $0 != " " && $0 != "\"" && $0 != "=" && $0 != "\\" && $0.value > 0x20 }
        }
        // A quoted value is a JSON text.
        var text = String.UnicodeScalarView()
        text.append(rest.removeFirst())
        while let scalar = rest.popFirst() {
            text.append(scalar)
            if scalar == "\\", let next = rest.popFirst() {
                text.append(next)
            } else if scalar == "\"" {
                return try JSONDecoder().decode(String.self, from: Data(String(text).utf8))
            }
        }
        throw Malformed(why: "a quote is not closed")
    }
}

/// A JSON value as a log may hold one.
private enum JSONValue: Decodable, Equatable {
    case text(String)
    case list([JSONValue])
    case object([String: JSONValue])

    init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        if let text = try? container.decode(String.self) {
            self = .text(text)
        } else if let list = try? container.decode([JSONValue].self) {
            self = .list(list)
        } else {
            self = .object(try container.decode([String: JSONValue].self))
        }
    }

    init(_ value: Logger.MetadataValue) {
        switch value {
        case .string(let text): self = .text(text)
        case .stringConvertible(let value): self = .text(value.description)
        case .array(let items): self = .list(items.map(JSONValue.init))
        case .dictionary(let entries): self = .object(entries.mapValues(JSONValue.init))
        }
    }
}

@Suite(.tags(.unit)) struct LogFormatTests {
    /// 2024-05-01T10:00:00.007Z
    private static let moment: Int64 = 1_714_557_600_007

    private static func line(
        _ format: LogFormat, _ message: String = "m", _ metadata: Logger.Metadata = [:], error: (any Error)? = nil
    ) -> String {
        let record = LogRecord(
            milliseconds: moment, level: .warning, message: message, metadata: metadata, error: error)
        return String(decoding: format.line(record), as: UTF8.self)
    }

    @Test(arguments: [
        ("v3", "v3"), ("", #""""#), ("two words", #""two words""#), ("a=b", #""a=b""#),
        (#"say "hi""#, #""say \"hi\"""#),
        (#"C:\x"#, #""C:\\x""#), ("one\ntwo", #""one\ntwo""#), ("\r\t", #""\r\t""#), ("\u{1B}[31m", #""\u001b[31m""#),
        ("\u{0}", #""\u0000""#), ("\u{9B}", #""\u009b""#), ("\u{202E}", #""\u202e""#), ("\u{2028}", #""\u2028""#),
        ("\u{E0001}", #""\udb40\udc01""#), ("größe", "größe"), ("日本", "日本"), ("\u{A0}", #""\u00a0""#),
        ("https://example.com/a?b", "https://example.com/a?b"), ("{}", "{}"),
    ])
    func `a value of logfmt is quoted where it must be`(_ value: String, _ written: String) {
        #expect(
            Self.line(.logfmt, "m", ["key": "\(value)"])
                == "time=2024-05-01T10:00:00.007Z level=warning msg=m key=\(written)\n")
    }

    @Test(arguments: [
        (LogFormat.logfmt, "time=2024-05-01T10:00:00.007Z level=warning msg=\"Build failed\" a=1 b=x zone=eu\n"),
        (
            .json,
            #"{"time":"2024-05-01T10:00:00.007Z","level":"warning","msg":"Build failed","a":"1","b":"x","zone":"eu"}"#
                + "\n"
        ),
    ])
    func `time, level and message come first, the rest by name`(_ format: LogFormat, _ line: String) {
        #expect(Self.line(format, "Build failed", ["zone": "eu", "a": .stringConvertible(1), "b": "x"]) == line)
    }

    @Test(
        arguments: [
            (0, "1970-01-01T00:00:00.000Z"), (1_709_210_096_789, "2024-02-29T12:34:56.789Z"),
            (-1, "1969-12-31T23:59:59.999Z"), (999, "1970-01-01T00:00:00.999Z"),
        ] as [(Int64, String)])
    func `times are in UTC with milliseconds`(_ milliseconds: Int64, _ text: String) {
        #expect(LogRecord(milliseconds: milliseconds, level: .info, message: "", metadata: [:]).time == text)
    }

    @Test func `metadata cannot take the place of time, level and message`() throws {
        let metadata: Logger.Metadata = ["msg": "other", "time": "never", "level": "none", "level_": "own"]
        let pairs = try LogfmtReader.pairs(String(Self.line(.logfmt, "m", metadata).dropLast()))
        #expect(pairs.map(\.key) == ["time", "level", "msg", "level_", "level__", "msg_", "time_"])
        #expect(pairs.map(\.value).dropFirst() == ["warning", "m", "own", "none", "other", "never"])
        let object = try JSONDecoder().decode([String: String].self, from: Data(Self.line(.json, "m", metadata).utf8))
        #expect(object["msg"] == "m")
        #expect(object["msg_"] == "other")
    }

    @Test func `lists and nested keys`() throws {
        let metadata: Logger.Metadata = [
            "tags": ["a b", "c"], "image": ["name": "app", "at": ["digest": "d"]], "none": .dictionary([:]),
        ]
        #expect(
            Self.line(.logfmt, "m", metadata).hasSuffix(
                #"msg=m image.at.digest=d image.name=app none={} tags="[\"a b\",\"c\"]""# + "\n"))
        #expect(
            Self.line(.json, "m", metadata).hasSuffix(
                #""msg":"m","image":{"at":{"digest":"d"},"name":"app"},"none":{},"tags":["a b","c"]}"# + "\n"))
    }

    @Test(arguments: LogFormat.allCases) func `an error is a field of its own`(_ format: LogFormat) {
        let text = Self.line(format, "m", ["error": "given"], error: AgentError("it broke", cause: "x"))
        #expect(text.contains(format == .json ? #""error_":"it broke: x""# : #"error_="it broke: x""#), "\(text)")
    }

    @Test func `bytes that are no UTF-8 do not damage a line`() throws {
        let text = String(decoding: [0x61, 0xFF, 0xC0, 0x62, 0xED, 0xA0, 0x80] as [UInt8], as: UTF8.self)
        for format in LogFormat.allCases {
            let bytes = format.line(
                LogRecord(milliseconds: 0, level: .info, message: text, metadata: ["k": "\(text)"]))
            #expect(String(validating: bytes, as: UTF8.self) != nil)
            #expect(bytes.count { $0 == 0x0a } == 1)
        }
    }

    // MARK: Properties

    private static func text(_ random: inout SplitMix) -> String {
        let pool: [Unicode.Scalar] = [
            "a", "z", "0", " ", "\"", "=", "\\", "\n", "\r", "\t", "\u{0}", "\u{7}", "\u{1B}", "\u{7F}", "\u{85}",
            "\u{A0}",
            "/", ":", "{", "}", "[", "]", ",", "'", "u", "ä", "\u{301}", "\u{200B}", "\u{202E}", "\u{2028}", "\u{FEFF}",
            "\u{FFFD}", "日", "\u{1F600}", "\u{E0001}", "\u{10FFFF}",
        ]
        var scalars = String.UnicodeScalarView()
        for _ in 0..<Int.random(in: 0...12, using: &random) {
            scalars.append(pool[Int.random(in: 0..<pool.count, using: &random)])
        }
        return String(scalars)
    }

    private static func value(_ random: inout SplitMix, depth: Int) -> Logger.MetadataValue {
        switch Int.random(in: 0...(depth > 0 ? 5 : 2), using: &random) {
        case 0: .stringConvertible(Int.random(in: -9...9, using: &random))
        case 4: .array((0..<Int.random(in: 0...3, using: &random)).map { _ in value(&random, depth: depth - 1) })
        case 5: .dictionary(metadata(&random, depth: depth - 1))
        default: .string(text(&random))
        }
    }

    private static func metadata(_ random: inout SplitMix, depth: Int) -> Logger.Metadata {
        var metadata: Logger.Metadata = [:]
        for _ in 0..<Int.random(in: 0...4, using: &random) {
            metadata[text(&random)] = value(&random, depth: depth)
        }
        return metadata
    }

    @Test(arguments: 0..<20) func `what is written as JSON reads back the same`(_ seed: UInt64) throws {
        var random = SplitMix(state: seed)
        for _ in 0..<100 {
            let message = Self.text(&random)
            let metadata = Self.metadata(&random, depth: 2)
            let line = Self.line(.json, message, metadata)
            #expect(line.utf8.count { $0 == 0x0a } == 1)
            let object = try JSONDecoder().decode([String: JSONValue].self, from: Data(line.utf8))
            var expected: [String: JSONValue] = [
                "time": .text("2024-05-01T10:00:00.007Z"), "level": .text("warning"), "msg": .text(message),
            ]
            for (key, value) in metadata { expected[key] = JSONValue(value) }
            #expect(object == expected, "\(line)")
        }
    }

    @Test(arguments: 0..<20) func `what is written as logfmt reads back the same`(_ seed: UInt64) throws {
        var random = SplitMix(state: seed)
        for _ in 0..<100 {
            let message = Self.text(&random)
            let metadata = Self.metadata(&random, depth: 0)
            let line = Self.line(.logfmt, message, metadata)
            #expect(line.hasSuffix("\n"))
            #expect(line.unicodeScalars.dropLast().allSatisfy { $0.value >= 0x20 && !(0x7f..<0xa0).contains($0.value) })
            let pairs = try LogfmtReader.pairs(String(line.dropLast()))
            #expect(pairs.prefix(3).map(\.value) == ["2024-05-01T10:00:00.007Z", "warning", message])
            #expect(Set(pairs.map(\.key)).count == pairs.count, "a key is there twice: \(line)")
            // Keys lose what cannot stand in them; the values are all there.
            let values = metadata.values.map { value in
                if case .stringConvertible(let number) = value { number.description } else { "\(value)" }
            }
            #expect(pairs.dropFirst(3).map(\.value).sorted() == values.sorted(), "\(line)")
        }
    }
}

@Suite(.tags(.unit)) struct AgentLogHandlerTests {
    private static func written(
        _ settings: LogSettings = LogSettings(), provider: Logger.MetadataProvider? = nil,
        _ body: (inout Logger) throws -> Void
    ) throws -> String {
        let scratch = try TemporaryDirectory("log")
        let path = scratch.file("log")
        #expect(FileManager.default.createFile(atPath: path, contents: nil))
        let file = try #require(FileHandle(forWritingAtPath: path))
        let output = LogOutput(descriptor: file.fileDescriptor)
        var logger = Logger(label: "test") { _ in
            var handler = AgentLogHandler(settings, output: output, now: { 0 })
            handler.metadataProvider = provider
            return handler
        }
        try body(&logger)
        try file.close()
        return try String(contentsOfFile: path, encoding: .utf8)
    }

    @Test func `the event's metadata goes before the provider's, and that before the logger's`() throws {
        let provider = Logger.MetadataProvider { ["b": "provider", "c": "provider"] }
        let text = try Self.written(provider: provider) { logger in
            logger[metadataKey: "a"] = "logger"
            logger[metadataKey: "b"] = "logger"
            logger[metadataKey: "c"] = "logger"
            logger.info("done", metadata: ["c": "event"])
        }
        #expect(text == "time=1970-01-01T00:00:00.000Z level=info msg=done a=logger b=provider c=event\n")
    }

    @Test func `what is below the level is not written`() throws {
        var settings = LogSettings()
        settings.level = .warning
        let text = try Self.written(settings) { logger in
            logger.info("low")
            logger.warning("high")
        }
        #expect(text == "time=1970-01-01T00:00:00.000Z level=warning msg=high\n")
    }

    @Test func `lines of several threads stay whole`() async throws {
        let scratch = try TemporaryDirectory("log")
        let path = scratch.file("log")
        #expect(FileManager.default.createFile(atPath: path, contents: nil))
        let file = try #require(FileHandle(forWritingAtPath: path))
        let output = LogOutput(descriptor: file.fileDescriptor)
        let logger = Logger(label: "test") { _ in AgentLogHandler(LogSettings(), output: output, now: { 0 }) }
        let text = String(repeating: "x", count: 5_000)
        await withTaskGroup(of: Void.self) { group in
            for number in 0..<50 {
                group.addTask { logger.info("done", metadata: ["n": "\(number)", "t": "\(text)"]) }
            }
        }
        try file.close()
        let lines = try String(contentsOfFile: path, encoding: .utf8).split(separator: "\n")
        #expect(lines.count == 50)
        #expect(lines.allSatisfy { $0.hasSuffix(" t=\(text)") })
    }

    @Test(arguments: [
        ("log: {format: json, level: debug}", LogFormat.json, Logger.Level.debug), ("log: {}", .logfmt, .info),
        ("log: {level: error}", .logfmt, .error),
    ])
    func `the configuration says how`(_ text: String, _ format: LogFormat, _ level: Logger.Level) throws {
        let text = text + "\nrepositories: [{url: /srv/a.git}]\n"
        let configuration = try ConfigurationFile.parse(Array(text.utf8), file: "agent.yaml")
        #expect(configuration.log.format == format)
        #expect(configuration.log.level == level)
    }

    @Test(arguments: ["log: {format: xml}", "log: {level: loud}", "log: {color: true}"])
    func `what the configuration may not say`(_ text: String) {
        let text = text + "\nrepositories: [{url: /srv/a.git}]\n"
        #expect(throws: (any Error).self) { try ConfigurationFile.parse(Array(text.utf8), file: "agent.yaml") }
    }
}

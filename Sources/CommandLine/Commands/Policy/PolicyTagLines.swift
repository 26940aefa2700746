import Agent
import ArgumentParser
import Glibc
import RegistryPoller
import Text

/// Tags on standard input: one a line, optionally a tab and an RFC 3339 time. Blank lines are passed over.
struct TagLines: ~Copyable {
    /// Bytes that a line may have; longer ones are no tags.
    private static let longest = 4_096
    /// Bytes that are read at once; the beginning of a line that goes on lies before them.
    private static let chunk = 1 << 18

    private var tags = TagList()
    /// Lines so far.
    private var number = 0
    private let buffer = UnsafeMutableBufferPointer<UInt8>.allocate(capacity: longest + chunk)
    /// Tags without a time, moved together at the beginning of the buffer: their bytes, and how long each is.
    private var packed = 0
    private var lengths: [UInt32] = []

    private init() {}

    deinit { buffer.deallocate() }

    static func read(from descriptor: Int32 = STDIN_FILENO) throws -> TagList {
        var lines = TagLines()
        try lines.readAll(descriptor)
        return lines.tags
    }

    private mutating func readAll(_ descriptor: Int32) throws {
        var status = stat()
        if fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG {
            tags.reserve(bytes: min(Int(status.st_size), 1 << 30))
        }
        var held = 0
        while true {
            let count = Glibc.read(descriptor, buffer.baseAddress.map { $0 + held }, Self.chunk)
            if count < 0 {
                if errno == EINTR { continue }
                throw AgentError("the tags cannot be read from standard input", cause: String(cString: strerror(errno)))
            }
            if count == 0 { break }
            held = try take(held + count)
            if held > Self.longest {
                throw ValidationError(
                    "line \(number + 1) of standard input is longer than \(Self.longest) bytes: no tag is")
            }
        }
        if held > 0 {
            number += 1
            try append(0, held)
        }
        flush()
    }

    /// Takes the lines that end within the first bytes of the buffer, and says how many bytes of the next line are left,
    /// which are at the beginning then.
    private mutating func take(_ count: Int) throws -> Int {
        guard let base = buffer.baseAddress else { return 0 }
        var start = 0
        // Where the next tab is: most lists have none.
        var tab = -1
        while let found = memchr(base + start, 0x0A, count - start) {
            let end = UnsafeRawPointer(found) - UnsafeRawPointer(base)
            number += 1
            if tab < start {
                tab =
                    memchr(base + start, 0x09, count - start).map { UnsafeRawPointer($0) - UnsafeRawPointer(base) }
                    ?? count
            }
            if tab < end {
                flush()
                try append(start, end)
            } else {
                pack(start, end)
            }
            start = end + 1
        }
        flush()
        memmove(base, base + start, count - start)
        return count - start
    }

    /// A line without a time. What is packed never reaches the line that comes next.
    @inline(__always)
    private mutating func pack(_ start: Int, _ end: Int) {
        let length = end > start && buffer[end - 1] == 0x0D ? end - start - 1 : end - start
        guard length > 0, let base = buffer.baseAddress else { return }
        if start != packed { memmove(base + packed, base + start, length) }
        packed += length
        lengths.append(UInt32(length))
    }

    private mutating func flush() {
        lengths.withUnsafeBufferPointer {
            tags.append(packed: UnsafeBufferPointer(rebasing: buffer[..<packed]), lengths: $0)
        }
        packed = 0
        lengths.removeAll(keepingCapacity: true)
    }

    private mutating func append(_ start: Int, _ end: Int) throws {
        var line = UnsafeBufferPointer(rebasing: buffer[start..<end])
        if line.last == 0x0D { line = UnsafeBufferPointer(rebasing: line.dropLast()) }
        guard let tab = line.firstIndex(of: 0x09) else {
            if !line.isEmpty { tags.append(line) }
            return
        }
        let text = String(decoding: line[(tab + 1)...], as: UTF8.self)
        let tag = UnsafeBufferPointer(rebasing: line[..<tab])
        if text.isEmpty {
            tags.append(tag)
            return
        }
        guard let created = UTCDate.seconds(rfc3339: text) else {
            throw ValidationError(
                "line \(number) of standard input: '\(text.prefix(40))' is no RFC 3339 time such as 2024-05-01T10:00:00Z"
            )
        }
        tags.append(tag, created: created)
    }
}

/// A selection as JSON. Written by hand, because a million verdicts would need a gigabyte as encoded values.
enum SelectionJSON {
    static func text(
        _ selection: Selection, reason: String, policy: ImagePolicy, current: String?, digests: [String: String]
    ) -> String {
        var text = "{\"current\":\(value(current)),\"dialect\":\(value(policy.dialect.rawValue)),"
        if let tag = selection.tag, let digest = digests[tag] { text += "\"digest\":\(value(digest))," }
        text += "\"policy\":\(value(policy.text)),\"reason\":\(value(reason)),\"tag\":\(value(selection.tag)),"
        text += "\"verdicts\":["
        for (index, verdict) in selection.verdicts.enumerated() {
            if index > 0 { text += "," }
            text += "{\"outcome\":\"\(verdict.outcome.rawValue)\",\"reason\":\(value(verdict.reason)),"
            text += "\"tag\":\(value(verdict.tag))}"
        }
        return text + "]}"
    }

    private static func value(_ text: String?) -> String { text.map { JSONText.quoted($0) } ?? "null" }
}

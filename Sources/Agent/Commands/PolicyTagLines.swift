import ArgumentParser
import Glibc
import RegistryPoller

/// Tags on standard input: one a line, optionally a tab and an RFC 3339 time. Blank lines are passed over.
enum TagLines {
    /// Bytes that a line may have; longer ones are no tags.
    private static let longest = 4_096

    static func read(from descriptor: Int32 = STDIN_FILENO) throws -> TagList {
        var tags = TagList()
        var number = 0
        var rest: [UInt8] = []
        let chunk = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 18, alignment: 16)
        defer { chunk.deallocate() }
        while true {
            let count = Glibc.read(descriptor, chunk.baseAddress, chunk.count)
            if count < 0 {
                if errno == EINTR { continue }
                throw AgentError("the tags cannot be read from standard input", cause: String(cString: strerror(errno)))
            }
            if count == 0 { break }
            let bytes = UnsafeRawBufferPointer(rebasing: chunk[..<count]).bindMemory(to: UInt8.self)
            var start = 0
            while let base = bytes.baseAddress, let found = memchr(base + start, 0x0A, count - start) {
                let end = UnsafeRawPointer(found) - UnsafeRawPointer(base)
                number += 1
                if rest.isEmpty {
                    try append(UnsafeBufferPointer(rebasing: bytes[start..<end]), number, to: &tags)
                } else {
                    rest.append(contentsOf: bytes[start..<end])
                    try rest.withUnsafeBufferPointer { try append($0, number, to: &tags) }
                    rest.removeAll(keepingCapacity: true)
                }
                start = end + 1
                if start == count { break }
            }
            rest.append(contentsOf: bytes[start...])
            if rest.count > longest {
                throw ValidationError("line \(number + 1) of standard input is longer than \(longest) bytes: no tag is")
            }
        }
        if !rest.isEmpty { try rest.withUnsafeBufferPointer { try append($0, number + 1, to: &tags) } }
        return tags
    }

    private static func append(
        _ line: UnsafeBufferPointer<UInt8>, _ number: Int, to tags: inout TagList
    ) throws {
        var line = line
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
        guard let created = CreationTime.seconds(rfc3339: text) else {
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

    private static func value(_ text: String?) -> String {
        guard let text else { return "null" }
        var result = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": result += "\\\""
            case "\\": result += "\\\\"
            case "\n": result += "\\n"
            case "\r": result += "\\r"
            case "\t": result += "\\t"
            case _ where scalar.value < 0x20:
                let digits = String(scalar.value, radix: 16)
                result += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result + "\""
    }
}

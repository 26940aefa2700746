import ManifestUpdater

/// `slipway update --output json`: keys sorted, slashes as they are, no white space, as all JSON of this product.
///
/// Written by hand, for there may be tens of thousands of changes, and an encoder takes longer over them than the update.
struct UpdateReport {
    var directory: String
    var dryRun: Bool
    var outcome: DirectoryUpdate.Outcome
    var skipped: [ManifestSkip]
    var diff: String?

    /// With a line break at its end.
    var json: [UInt8] {
        var writer = JSONWriter()
        writer.open("{")
        writer.list("changes", outcome.changes) { writer, change in
            writer.open("{")
            writer.member("column", change.column)
            writer.member("container", change.container)
            writer.member("file", change.file)
            writer.member("line", change.line)
            writer.member("new", change.new)
            writer.member("object", change.object)
            writer.member("old", change.old)
            writer.member("setter", change.setter)
            writer.close("}")
        }
        if let diff { writer.member("diff", diff) }
        writer.member("directory", directory)
        writer.key("dryRun")
        writer.word(dryRun ? "true" : "false")
        writer.list("failures", outcome.failures) { writer, failure in
            writer.open("{")
            writer.member("file", failure.file)
            writer.member("reason", failure.reason)
            writer.close("}")
        }
        writer.list("files", outcome.files) { writer, file in writer.text(file) }
        writer.list("skipped", skipped) { writer, skip in
            writer.open("{")
            writer.member("container", skip.container)
            writer.member("file", skip.file)
            if let line = skip.line { writer.member("line", line) }
            writer.member("object", skip.object)
            writer.member("reason", skip.reason)
            writer.close("}")
        }
        writer.close("}")
        return writer.bytes + [0x0A]
    }
}

/// Appends JSON; commas come by themselves.
private struct JSONWriter {
    private(set) var bytes: [UInt8] = []
    private var needsComma = false

    mutating func open(_ sign: Unicode.Scalar) {
        separate()
        bytes.append(UInt8(ascii: sign))
        needsComma = false
    }

    mutating func close(_ sign: Unicode.Scalar) {
        bytes.append(UInt8(ascii: sign))
        needsComma = true
    }

    mutating func key(_ name: String) {
        text(name)
        bytes.append(UInt8(ascii: ":"))
        needsComma = false
    }

    mutating func word(_ word: String) {
        separate()
        bytes += word.utf8
        needsComma = true
    }

    mutating func member(_ name: String, _ value: String) {
        key(name)
        text(value)
    }

    mutating func member(_ name: String, _ value: Int) {
        key(name)
        word(String(value))
    }

    mutating func list<Element>(
        _ name: String, _ elements: [Element], _ write: (inout JSONWriter, Element) -> Void
    ) {
        key(name)
        open("[")
        for element in elements { write(&self, element) }
        close("]")
    }

    /// RFC 8259, section 7.
    mutating func text(_ text: String) {
        separate()
        bytes.append(UInt8(ascii: "\""))
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "\""), UInt8(ascii: "\\"): bytes += [UInt8(ascii: "\\"), byte]
            case 0x0A: bytes += [UInt8(ascii: "\\"), UInt8(ascii: "n")]
            case 0x0D: bytes += [UInt8(ascii: "\\"), UInt8(ascii: "r")]
            case 0x09: bytes += [UInt8(ascii: "\\"), UInt8(ascii: "t")]
            case ..<0x20:
                let digits = String(byte, radix: 16)
                bytes += "\\u00\(digits.count == 1 ? "0" : "")\(digits)".utf8
            default: bytes.append(byte)
            }
        }
        bytes.append(UInt8(ascii: "\""))
        needsComma = true
    }

    private mutating func separate() { if needsComma { bytes.append(UInt8(ascii: ",")) } }
}

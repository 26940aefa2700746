/// A value to be written where none stands yet.
package indirect enum PlainValue: Sendable {
    package struct Pair: Sendable {
        package var key: String
        package var value: PlainValue

        package init(_ key: String, _ value: PlainValue) {
            self.key = key
            self.value = value
        }
    }

    case text(String)
    /// A number or a word like `true`, as it is written.
    case plain(String)
    case mapping([Pair])
    case list([PlainValue])

    /// A text as a scalar: plain where every reader takes it for this text, else in double quotes.
    static func scalar(_ text: String, quoted: Bool = false) -> String {
        if !quoted, PlainScalar.isSafe(text) { return text }
        var result = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": result += "\\\""
            case "\\": result += "\\\\"
            case "\n": result += "\\n"
            case "\t": result += "\\t"
            default:
                if isPrintable(scalar.value) {
                    result.unicodeScalars.append(scalar)
                } else {
                    let digits = String(scalar.value, radix: 16)
                    result += "\\u" + String(repeating: "0", count: max(0, 4 - digits.count)) + digits
                }
            }
        }
        return result + "\""
    }

    private static func isPrintable(_ value: UInt32) -> Bool {
        switch value {
        case 0..<0x20, 0x7F...0xA0, 0x2028, 0x2029, 0xFEFF, 0xFFFE, 0xFFFF: false
        default: true
        }
    }

    /// On one line.
    func flow(quoted: Bool) -> String {
        switch self {
        case .text(let text): return Self.scalar(text, quoted: quoted)
        case .plain(let text): return text
        case .mapping(let pairs):
            let texts = pairs.map { "\(Self.scalar($0.key, quoted: quoted)): \($0.value.flow(quoted: quoted))" }
            return "{" + texts.joined(separator: ", ") + "}"
        case .list(let items): return "[" + items.map { $0.flow(quoted: quoted) }.joined(separator: ", ") + "]"
        }
    }

    /// A whole document.
    package var text: String { block(indent: 0, unit: 2).joined(separator: "\n") + "\n" }

    private var isBlock: Bool {
        switch self {
        case .text, .plain: false
        case .mapping(let pairs): !pairs.isEmpty
        case .list(let items): !items.isEmpty
        }
    }

    /// The lines of a block, without line breaks; the first one without its indentation, the others with it.
    func block(indent: Int, unit: Int) -> [String] {
        guard isBlock else { return [flow(quoted: false)] }
        let space = String(repeating: " ", count: indent)
        var lines: [String] = []
        switch self {
        case .text, .plain: break
        case .mapping(let pairs):
            for pair in pairs {
                let key = (lines.isEmpty ? "" : space) + Self.scalar(pair.key) + ":"
                guard pair.value.isBlock else {
                    lines.append(key + " " + pair.value.flow(quoted: false))
                    continue
                }
                let deeper = if case .list = pair.value { indent } else { indent + unit }
                let value = pair.value.block(indent: deeper, unit: unit)
                lines.append(key)
                lines.append(String(repeating: " ", count: deeper) + value[0])
                lines += value.dropFirst()
            }
        case .list(let items):
            for item in items {
                let value = item.block(indent: indent + 2, unit: unit)
                lines.append((lines.isEmpty ? "" : space) + "- " + value[0])
                lines += value.dropFirst()
            }
        }
        return lines
    }
}

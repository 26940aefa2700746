/// Foreign text for a message: cut, and without what would steer a terminal, break the line or turn the direction of writing.
///
/// - Parameter limit: in scalars. What is longer ends in `…`.
package func printable(_ text: some StringProtocol, limit: Int = 300) -> String {
    var result = String.UnicodeScalarView()
    var rest = text.unicodeScalars[...]
    for _ in 0..<limit {
        guard let scalar = rest.popFirst() else { return String(result) }
        result.append(scalar.isPrintable ? scalar : "\u{FFFD}")
    }
    return String(result) + (rest.isEmpty ? "" : "…")
}

extension Unicode.Scalar {
    /// Whether a terminal shows it and goes on behind it: no control character, no mark of a format, no separator of lines.
    package var isPrintable: Bool {
        if value < 0x7f { return value >= 0x20 }
        return switch properties.generalCategory {
        case .control, .format, .lineSeparator, .paragraphSeparator: false
        default: true
        }
    }
}

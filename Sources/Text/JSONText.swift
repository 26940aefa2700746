/// JSON's texts (RFC 8259, section 7).
package enum JSONText {
    /// A text in its quotes: what ends it or steers a reader is escaped here and nowhere else.
    ///
    /// - Parameter isShown: whether a character stands for itself; others become `\uXXXX`. By default all but control characters do.
    package static func quoted(
        _ text: String, showing isShown: (Unicode.Scalar) -> Bool = { $0.value >= 0x20 }
    ) -> String {
        var result = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": result += "\\\""
            case "\\": result += "\\\\"
            case "\n": result += "\\n"
            case "\r": result += "\\r"
            case "\t": result += "\\t"
            case _ where isShown(scalar): result.unicodeScalars.append(scalar)
            default:
                for unit in String(scalar).utf16 {
                    let digits = String(unit, radix: 16)
                    result += "\\u" + String(repeating: "0", count: 4 - digits.utf8.count) + digits
                }
            }
        }
        return result + "\""
    }
}

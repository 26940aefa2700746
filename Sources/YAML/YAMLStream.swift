import Diagnostics

/// A YAML stream: any number of documents in one text.
package enum YAMLStream {
    /// Parses a whole stream into trees with byte-exact ranges. Pure; safe on any input.
    ///
    /// - Parameters:
    ///   - bytes: UTF-8, with or without a byte order mark. UTF-16 is refused.
    ///   - file: the name to use in errors.
    /// - Returns: the documents in order; none for a text of blanks and comments.
    package static func parse(
        _ bytes: [UInt8], file: String = "<yaml>", limits: YAMLLimits = .standard
    ) throws(YAMLError) -> [YAMLDocument] {
        if bytes.count > limits.size {
            throw YAMLError(
                code: .limit, summary: "\(bytes.count) bytes: YAML files of up to \(limits.size) bytes are read",
                location: SourceLocation(file: file, line: 1))
        }
        if bytes.starts(with: [0xFF, 0xFE]) || bytes.starts(with: [0xFE, 0xFF]) {
            throw YAMLError(
                code: .encoding, summary: "UTF-16 text (it starts with a byte order mark)",
                location: SourceLocation(file: file, line: 1), hint: "save the file as UTF-8")
        }
        do {
            return try bytes.withUnsafeBufferPointer { (buffer) throws(Composer.Failure) -> [YAMLDocument] in
                var composer = Composer(buffer, limits: limits)
                return try composer.documents()
            }
        } catch {
            let location = LineIndex(bytes).location(of: error.offset, in: file)
            throw YAMLError(
                code: error.code, summary: error.summary, location: location,
                excerpt: excerpt(of: bytes, at: error.offset, location: location), hint: error.hint)
        }
    }
}

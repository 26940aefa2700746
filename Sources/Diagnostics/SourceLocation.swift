/// A place in a text file. Lines and columns count from 1; columns count bytes.
package struct SourceLocation: Hashable, Sendable, CustomStringConvertible {
    package var file: String
    package var line: Int
    package var column: Int

    package init(file: String, line: Int, column: Int = 1) {
        self.file = file
        self.line = line
        self.column = column
    }

    package var description: String { "\(file):\(line):\(column)" }

    /// The guilty line with a caret under the column, as compilers print it.
    ///
    /// - Parameter sourceLine: the text of the line, without its terminator.
    package func excerpt(of sourceLine: String) -> String {
        let number = String(line)
        let margin = String(repeating: " ", count: number.count)
        // Tabs are repeated in the padding, so that the caret stands under its character.
        let padding = sourceLine.utf8.prefix(max(0, column - 1)).map { $0 == 0x09 ? "\t" : " " }.joined()
        return " \(number) | \(sourceLine)\n \(margin) | \(padding)^"
    }
}

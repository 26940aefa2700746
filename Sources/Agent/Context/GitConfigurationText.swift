/// Text in the form of git's configuration files, such as `.gitmodules` and `.lfsconfig` (git-config(1), "CONFIGURATION FILE").
struct GitConfigurationText {
    /// One line of a section.
    struct Variable: Equatable {
        /// Which of the sections it is in; sections of one name are several.
        let section: Int
        /// The section's name in lower case, with its subsection as written: `submodule.x`, `lfs`.
        let name: String
        /// In lower case.
        let key: String
        let value: String
    }

    private(set) var variables: [Variable] = []
    private var section = 0
    private var name = ""

    init(_ bytes: [UInt8]) {
        for line in String(decoding: bytes, as: UTF8.self).split(whereSeparator: \.isNewline) {
            read(Self.trimmed(line))
        }
    }

    /// The last value of a variable, which is the one that counts.
    func last(_ key: String, of name: String) -> String? {
        variables.last { $0.name == name && $0.key == key }?.value
    }

    private mutating func read(_ line: Substring) {
        var line = line
        if line.hasPrefix("[") {
            guard let end = line.lastIndex(of: "]") else { return }
            section += 1
            name = Self.sectionName(line[line.index(after: line.startIndex)..<end])
            line = Self.trimmed(line[line.index(after: end)...])
        }
        guard let equals = line.firstIndex(of: "=") else { return }
        variables.append(
            Variable(
                section: section, name: name, key: Self.trimmed(line[..<equals]).lowercased(),
                value: Self.value(Self.trimmed(line[line.index(after: equals)...]))))
    }

    /// `remote "origin"` is `remote.origin`.
    private static func sectionName(_ text: Substring) -> String {
        guard let quote = text.firstIndex(of: "\"") else { return trimmed(text).lowercased() }
        return trimmed(text[..<quote]).lowercased() + "." + value(text[quote...])
    }

    private static func trimmed(_ text: Substring) -> Substring {
        var text = text
        while let first = text.first, first == " " || first == "\t" { text.removeFirst() }
        while let last = text.last, last == " " || last == "\t" { text.removeLast() }
        return text
    }

    /// Quotes and escapes removed, and a comment behind.
    private static func value(_ text: Substring) -> String {
        var result = ""
        var isQuoted = false
        var isEscaped = false
        for character in text {
            if isEscaped {
                result.append(character)
                isEscaped = false
            } else if character == "\\" {
                isEscaped = true
            } else if character == "\"" {
                isQuoted.toggle()
            } else if !isQuoted, character == "#" || character == ";" {
                break
            } else {
                result.append(character)
            }
        }
        return isQuoted ? result : String(trimmed(result[...]))
    }
}

/// One `key=value` of `ENV` or `LABEL`, with its quotes.
package struct KeyValue: Sendable, Equatable {
    package var key: String
    package var value: String

    package init(_ key: String, _ value: String) {
        self.key = key
        self.value = value
    }
}

/// Splits the arguments of `ENV`, `LABEL` and `ARG` into words; quotes group and stay.
enum KeyValueScanner {
    static func words(_ text: ArraySlice<UInt8>, escape: UInt8) -> [String] {
        var words: [String] = []
        var word: [UInt8] = []
        var isWord = false
        var quote: UInt8 = 0
        var index = text.startIndex
        func end() {
            if isWord { words.append(String(decoding: word, as: UTF8.self)) }
            word = []
            isWord = false
        }
        while index < text.endIndex {
            let byte = text[index]
            if quote == 0 {
                let blank = Whitespace.width(at: index - text.startIndex, of: text)
                if blank > 0 {
                    end()
                    index += blank
                    continue
                }
                if byte == 0x22 || byte == 0x27 { quote = byte }
            } else if byte == quote {
                quote = 0
            }
            // Nothing escapes within single quotes.
            if byte == escape, quote != 0x27 {
                index += 1
                guard index < text.endIndex else { break }
                word += [byte, text[index]]
                isWord = true
                index += 1
                continue
            }
            word.append(byte)
            isWord = true
            index += 1
        }
        end()
        return words
    }

    /// `k=v k2=v2`, or `k rest of the line`.
    static func pairs(
        _ text: ArraySlice<UInt8>, keyword: Keyword, escape: UInt8
    ) throws(DockerfileError) -> (pairs: [KeyValue], isLegacy: Bool) {
        let words = words(text, escape: escape)
        guard let first = words.first else {
            throw DockerfileError(
                .argument, "\(keyword.name) requires at least one argument", near: nil,
                hint: "write \(keyword.name) KEY=VALUE …")
        }
        guard first.utf8.contains(0x3d) else {
            guard let blank = text.firstIndex(where: Whitespace.isBlank) else {
                throw DockerfileError(
                    .keyValue, "\(keyword.name) \(quoted(first)) has no value", near: first,
                    hint: "write \(keyword.name) \(first)=VALUE")
            }
            let value = text[blank...].drop(while: Whitespace.isBlank)
            return (
                [KeyValue(String(decoding: text[..<blank], as: UTF8.self), String(decoding: value, as: UTF8.self))],
                true
            )
        }
        var pairs: [KeyValue] = []
        for word in words {
            let bytes = Array(word.utf8)
            guard let equals = bytes.firstIndex(of: 0x3d) else {
                throw DockerfileError(
                    .keyValue, "\(quoted(word)) is not of the form KEY=VALUE", near: word,
                    hint: "a value with blanks must stand in quotes")
            }
            guard equals > 0 else {
                throw DockerfileError(.argument, "a name of \(keyword.name) is empty", near: word)
            }
            pairs.append(
                KeyValue(
                    String(decoding: bytes[..<equals], as: UTF8.self),
                    String(decoding: bytes[(equals + 1)...], as: UTF8.self)))
        }
        return (pairs, false)
    }
}

import Glibc

/// The process's environment.
enum Environment {
    /// A variable's value; `nil` also when it is empty.
    static func value(_ name: String) -> String? {
        getenv(name).map { String(cString: $0) }.flatMap { $0.isEmpty ? nil : $0 }
    }
}

extension String {
    /// The text with every occurrence of `needle` replaced.
    func replacing(_ needle: String, by replacement: String) -> String {
        guard !needle.isEmpty else { return self }
        var result = ""
        var rest = self[...]
        while let range = String(rest).firstRange(ofASCII: needle) {
            let text = String(rest)
            result += text[..<range.lowerBound] + replacement
            rest = Substring(text[range.upperBound...])
        }
        return result + rest
    }
}

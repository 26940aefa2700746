/// The character that escapes in words and continues lines.
package enum EscapeCharacter: UInt8, Sendable {
    case backslash = 0x5c
    case backtick = 0x60
}

/// What the comments at the very top of a Dockerfile tell its parser: `# key=value`.
package struct Directives: Sendable, Equatable {
    /// The front-end image that the file names, as written; Slipway is a front end of its own and only notes it.
    package var syntax: String?
    package var escape: EscapeCharacter = .backslash
    package var check = CheckOptions()

    package init() {}
}

/// Reads directives line by line until the first line that is none.
struct DirectiveReader {
    private(set) var directives = Directives()
    private(set) var isDone = false
    private var seen: Set<String> = []

    /// - Parameter line: a physical line without leading white space and terminator.
    /// - Returns: whether the line is a directive.
    mutating func read(_ line: ArraySlice<UInt8>) throws(DockerfileError) -> Bool {
        guard !isDone else { return false }
        guard line.first == 0x23, let (key, value) = Self.split(line.dropFirst()),
            ["syntax", "escape", "check"].contains(key)
        else {
            isDone = true
            return false
        }
        guard seen.insert(key).inserted else {
            throw DockerfileError(.directive, "the directive '\(key)' is given twice", near: key)
        }
        switch key {
        case "escape":
            guard value.utf8.count == 1, let byte = value.utf8.first, let escape = EscapeCharacter(rawValue: byte)
            else {
                throw DockerfileError(
                    .directive, "the escape character cannot be \(quoted(value))", near: value,
                    hint: "write '# escape=\\' or '# escape=`'")
            }
            directives.escape = escape
        case "syntax":
            directives.syntax = value
        default:
            // What follows a blank is a remark.
            directives.check = try CheckOptions(String(value.prefix { $0 != " " }))
        }
        return true
    }

    /// `key=value` with the key in lower case.
    private static func split(_ text: ArraySlice<UInt8>) -> (key: String, value: String)? {
        let text = Whitespace.trimStart(text)
        guard let equals = text.firstIndex(of: 0x3d) else { return nil }
        let key = Whitespace.trimEnd(text[..<equals])
        let value = Whitespace.trim(text[(equals + 1)...])
        guard let first = key.first, isLetter(first), key.allSatisfy({ isLetter($0) || (0x30...0x39).contains($0) }),
            !value.isEmpty
        else { return nil }
        return (String(decoding: key, as: UTF8.self).lowercased(), String(decoding: value, as: UTF8.self))
    }

    private static func isLetter(_ byte: UInt8) -> Bool {
        (0x41...0x5a).contains(byte) || (0x61...0x7a).contains(byte)
    }

    /// The `syntax` of a file that starts with `#!`, or whose directives are `//` comments: only this key is looked for
    /// in those.
    static func detectSyntax(_ source: SourceText) -> String? {
        func scan(from first: Int, _ prefix: [UInt8]) -> String? {
            for number in first..<max(first, min(source.lineCount + 1, first + 64)) {
                let line = Whitespace.trimStart(source.content(ofLine: number))
                guard line.starts(with: prefix), let (key, value) = split(line.dropFirst(prefix.count)),
                    ["syntax", "escape", "check"].contains(key)
                else { return nil }
                if key == "syntax" { return value }
            }
            return nil
        }
        let first = source.line(1).starts(with: [0x23, 0x21]) ? 2 : 1
        return scan(from: first, [0x23]) ?? scan(from: first, [0x2f, 0x2f])
    }
}

/// `# check=skip=Rule1,Rule2|all;error=true;experimental=…`, for a file or for one instruction.
package struct CheckOptions: Sendable, Equatable {
    package var skip: Set<String> = []
    package var skipAll = false
    package var experimental: Set<String> = []
    package var experimentalAll = false
    /// Any warning that is left fails the build.
    package var isError = false

    package init() {}

    package init(_ text: String) throws(DockerfileError) {
        let trimmed = Whitespace.trim(text)
        if trimmed.isEmpty { return }
        for part in trimmed.split(separator: ";", maxSplits: 2, omittingEmptySubsequences: false) {
            let pair = part.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            let key = Whitespace.trim(String(pair[0]))
            guard pair.count == 2 else { throw Self.unknown(String(part)) }
            let value = Whitespace.trim(String(pair[1]))
            let names = value.split(separator: ",").map { Whitespace.trim(String($0)) }
            switch key {
            case "skip":
                if value == "all" { skipAll = true } else { skip.formUnion(names) }
            case "experimental":
                if value == "all" { experimentalAll = true } else { experimental.formUnion(names) }
            case "error":
                guard let flag = GoValue.bool(value) else {
                    throw DockerfileError(
                        .directive, "the check option 'error' must be true or false, not \(quoted(value))", near: value)
                }
                isError = flag
            default:
                throw Self.unknown(key)
            }
        }
    }

    private static func unknown(_ option: String) -> DockerfileError {
        DockerfileError(
            .directive, "unknown check option \(quoted(option))", near: option,
            hint: Suggestion.hint(for: option, among: ["skip", "error", "experimental"])
                ?? "write skip=RULE,… or skip=all, error=true, experimental=RULE,…")
    }

    func merged(with other: CheckOptions) -> CheckOptions {
        var result = self
        result.skip.formUnion(other.skip)
        result.skipAll = skipAll || other.skipAll
        result.experimental.formUnion(other.experimental)
        result.experimentalAll = experimentalAll || other.experimentalAll
        result.isError = isError || other.isError
        return result
    }
}

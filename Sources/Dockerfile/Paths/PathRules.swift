/// The path arithmetic of COPY, ADD and WORKDIR. Slashes only, nothing is looked up.
package enum PathRules {
    /// Without `.`, empty elements and, where possible, `..`; `.` for nothing.
    package static func clean(_ path: String) -> String { String(decoding: clean(Array(path.utf8)), as: UTF8.self) }

    package static func clean(_ path: [UInt8]) -> [UInt8] {
        let isAbsolute = path.first == 0x2f
        var elements: [ArraySlice<UInt8>] = []
        for element in path.split(separator: 0x2f) {
            if element.elementsEqual([0x2e]) { continue }
            if element.elementsEqual([0x2e, 0x2e]) {
                if let last = elements.last, !last.elementsEqual([0x2e, 0x2e]) {
                    elements.removeLast()
                    continue
                }
                if isAbsolute { continue }
            }
            elements.append(element)
        }
        let joined = Array(elements.joined(separator: [0x2f]))
        if isAbsolute { return [0x2f] + joined }
        return joined.isEmpty ? [0x2e] : joined
    }

    /// The elements with slashes between, cleaned. Empty ones do not count; nothing gives nothing.
    package static func join(_ elements: String...) -> String {
        let present = elements.filter { !$0.isEmpty }
        return present.isEmpty ? "" : clean(present.joined(separator: "/"))
    }

    /// The last element; `/` for the root and `.` for nothing.
    package static func base(_ path: String) -> String {
        let elements = path.utf8.split(separator: 0x2f)
        guard let last = elements.last else { return path.isEmpty ? "." : "/" }
        return String(Substring(last))
    }

    package static func isAbsolute(_ path: String) -> Bool { path.utf8.first == 0x2f }

    /// The new working directory after `WORKDIR path`: an absolute path stays as written.
    package static func workingDirectory(_ path: String, from current: String) -> String {
        let parent = current.isEmpty ? "/" : (isAbsolute(current) ? current : join("/", current))
        if path.isEmpty { return parent }
        return isAbsolute(path) ? path : join(parent, path)
    }

    /// Where COPY and ADD put things.
    package struct Destination: Sendable, Equatable {
        /// Absolute and cleaned.
        package var path: String
        /// Written with a slash at its end (or as `.`): what is copied goes below it.
        package var isDirectory: Bool
    }

    package static func destination(_ path: String, in workingDirectory: String) -> Destination {
        let written = path.isEmpty || path == "." ? "./" : path
        let full = isAbsolute(written) ? written : join("/", workingDirectory) + "/" + written
        let cleaned = clean(full)
        return Destination(
            path: cleaned, isDirectory: written.hasSuffix("/") || written.hasSuffix("/.") || cleaned == "/")
    }

    /// A source relative to its root: `/` and `..` at its start go, as does a slash at its end. Empty for the root.
    package static func source(_ path: String) -> String { String(clean("/" + path).dropFirst()) }

    /// For `--parents`: what is not recreated below the destination, and the pattern of what is.
    package static func pivot(_ source: String) -> (base: String, pattern: String) {
        let bytes = Array(source.utf8)
        var index = 0
        while index + 3 <= bytes.count {
            if bytes[index] == 0x2f, bytes[index + 1] == 0x2e, bytes[index + 2] == 0x2f {
                return (
                    Self.source(String(decoding: bytes[..<index], as: UTF8.self)),
                    Self.source(String(decoding: bytes[(index + 3)...], as: UTF8.self))
                )
            }
            index += 1
        }
        return ("", Self.source(source))
    }
}

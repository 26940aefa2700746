/// A pattern in the syntax of Go's `path.Match`: `*`, `?`, `[a-z]`, `[^…]`, `\x`; none of them matches a slash.
package struct GlobMatch: Sendable, Equatable {
    package let pattern: String
    private let elements: [[GlobElement]]

    /// - Throws: `.pattern` for a bad `[…]` or a `\` at the end, without a place.
    package init(_ pattern: String) throws(DockerfileError) {
        self.pattern = pattern
        elements = try GlobElement.parse(pattern)
    }

    /// Whether a source holds wildcards at all.
    package static func hasWildcards(_ text: String) -> Bool {
        var isEscaped = false
        for byte in text.utf8 {
            if isEscaped {
                isEscaped = false
            } else if byte == 0x5c {
                isEscaped = true
            } else if byte == 0x2a || byte == 0x3f || byte == 0x5b {
                return true
            }
        }
        return false
    }

    /// The number of path elements that the pattern has, and hence what it matches.
    package var depth: Int { elements.count }

    /// Whether the whole path matches; both have to be written alike (no slash at the start of only one of them).
    package func matches(_ path: String) -> Bool { matches(Array(path.utf8)) }

    package func matches(_ path: [UInt8]) -> Bool {
        let names = path.split(separator: 0x2f, omittingEmptySubsequences: false)
        guard names.count == elements.count else { return false }
        return zip(elements, names).allSatisfy { GlobElement.matches($0, $1) }
    }

    /// Whether a directory's path matches the pattern's first elements, so that matches may lie below it.
    package func mayMatchBelow(_ path: [UInt8]) -> Bool {
        let names = path.split(separator: 0x2f, omittingEmptySubsequences: false)
        guard names.count < elements.count else { return false }
        return zip(elements, names).allSatisfy { GlobElement.matches($0, $1) }
    }
}

/// What one path element's pattern is made of.
enum GlobElement: Sendable, Equatable {
    case literal(Unicode.Scalar)
    case one
    case any
    case set([ClosedRange<UInt32>], isNegated: Bool)

    private static func malformed(_ pattern: String) -> DockerfileError {
        DockerfileError(
            .pattern, "the pattern \(quoted(pattern)) is malformed", near: pattern,
            hint: "a '[' needs its ']' and something between; write \\[ and \\\\ for the characters themselves")
    }

    static func parse(_ pattern: String) throws(DockerfileError) -> [[GlobElement]] {
        guard pattern.utf8.count <= 65_536 else { throw DockerfileError(.limit, "the pattern is too long") }
        let scalars = Array(pattern.unicodeScalars)
        var result: [[GlobElement]] = [[]]
        var index = 0
        while index < scalars.count {
            let scalar = scalars[index]
            index += 1
            let element: GlobElement
            switch scalar {
            case "/":
                result.append([])
                continue
            case "*":
                if result[result.count - 1].last == .any { continue }
                element = .any
            case "?": element = .one
            case "\\":
                guard index < scalars.count else { throw malformed(pattern) }
                element = .literal(scalars[index])
                index += 1
            case "[": element = try set(scalars, &index, pattern)
            default: element = .literal(scalar)
            }
            result[result.count - 1].append(element)
        }
        return result
    }

    /// After `[`.
    private static func set(
        _ scalars: [Unicode.Scalar], _ index: inout Int, _ pattern: String
    ) throws(DockerfileError) -> GlobElement {
        var ranges: [ClosedRange<UInt32>] = []
        var isNegated = false
        if index < scalars.count, scalars[index] == "^" {
            isNegated = true
            index += 1
        }
        func bound() throws(DockerfileError) -> UInt32 {
            guard index < scalars.count, scalars[index] != "-", scalars[index] != "]" else { throw malformed(pattern) }
            if scalars[index] == "\\" { index += 1 }
            guard index < scalars.count else { throw malformed(pattern) }
            defer { index += 1 }
            return scalars[index].value
        }
        while true {
            guard index < scalars.count else { throw malformed(pattern) }
            if scalars[index] == "]", !ranges.isEmpty {
                index += 1
                return .set(ranges, isNegated: isNegated)
            }
            let low = try bound()
            var high = low
            if index < scalars.count, scalars[index] == "-" {
                index += 1
                high = try bound()
            }
            // A reversed range is legal, and empty.
            if low <= high { ranges.append(low...high) } else { ranges.append(UInt32.max...UInt32.max) }
        }
    }

    func matchesOne(_ scalar: Unicode.Scalar) -> Bool {
        switch self {
        case .literal(let wanted): wanted == scalar
        case .one, .any: true
        case .set(let ranges, let isNegated): ranges.contains { $0.contains(scalar.value) } != isNegated
        }
    }

    /// Whether a name, which holds no slash, matches. Only the last `*` is ever tried again: time is the product of both
    /// lengths at most.
    static func matches(_ elements: [GlobElement], _ name: ArraySlice<UInt8>) -> Bool {
        let scalars = Array(String(decoding: name, as: UTF8.self).unicodeScalars)
        var element = 0
        var position = 0
        var retry: (element: Int, position: Int)?
        while position < scalars.count {
            if element < elements.count, elements[element] == .any {
                retry = (element, position)
                element += 1
            } else if element < elements.count, elements[element].matchesOne(scalars[position]) {
                element += 1
                position += 1
            } else if let back = retry {
                retry = (back.element, back.position + 1)
                element = back.element + 1
                position = back.position + 1
            } else {
                return false
            }
        }
        return elements[element...].allSatisfy { $0 == .any }
    }
}

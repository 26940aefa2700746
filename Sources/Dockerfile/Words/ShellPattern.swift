/// The patterns of `${v#p}`, `${v%p}` and `${v/p/r}`: `*` and `?`, and `\` before these two and itself.
///
/// Neither wildcard matches a line feed. Matching follows all alternatives at once, so its time is bounded by the
/// product of both lengths; a budget bounds that.
struct ShellPattern {
    private enum Element: Equatable {
        case literal(Unicode.Scalar)
        case one
        case any
    }

    private static let budget = 8_000_000

    private let elements: [Element]
    private let source: String

    init(_ bytes: [UInt8]) throws(DockerfileError) {
        source = String(decoding: bytes, as: UTF8.self)
        var elements: [Element] = []
        var iterator = source.unicodeScalars.makeIterator()
        while let scalar = iterator.next() {
            switch scalar {
            case "*": if elements.last != .any { elements.append(.any) }
            case "?": elements.append(.one)
            case "\\":
                guard let next = iterator.next(), "*?\\/}".unicodeScalars.contains(next) else {
                    throw DockerfileError(
                        .expansion, "invalid escape in the pattern \(quoted(source))",
                        hint: "in a pattern, '\\' may stand before * ? \\ / and } only")
                }
                elements.append(.literal(next))
            default: elements.append(.literal(scalar))
            }
        }
        self.elements = elements
    }

    private static func scalars(_ bytes: [UInt8]) -> [Unicode.Scalar] {
        Array(String(decoding: bytes, as: UTF8.self).unicodeScalars)
    }

    private static func bytes(_ scalars: some Sequence<Unicode.Scalar>) -> [UInt8] {
        var view = String.UnicodeScalarView()
        view.append(contentsOf: scalars)
        return Array(String(view).utf8)
    }

    func droppingPrefix(of value: [UInt8], longest: Bool) throws(DockerfileError) -> [UInt8] {
        let text = Self.scalars(value)
        var steps = 0
        guard let end = try Self.match(elements, text, from: 0, longest: longest, &steps) else { return value }
        return Self.bytes(text[end...])
    }

    func droppingSuffix(of value: [UInt8], longest: Bool) throws(DockerfileError) -> [UInt8] {
        let text = Array(Self.scalars(value).reversed())
        var steps = 0
        guard let end = try Self.match(elements.reversed(), text, from: 0, longest: longest, &steps) else {
            return value
        }
        return Self.bytes(text[end...].reversed())
    }

    /// Leftmost, longest matches; an empty match directly after another does not count.
    func replacing(in value: [UInt8], with replacement: [UInt8], all: Bool, limit: Int) throws(DockerfileError)
        -> [UInt8]
    {
        let text = Self.scalars(value)
        var result: [UInt8] = []
        var copied = 0
        var start = 0
        var steps = 0
        while start <= text.count {
            guard let end = try Self.match(elements, text, from: start, longest: true, &steps) else {
                start += 1
                continue
            }
            if end > copied || start == 0 {
                result += Self.bytes(text[copied..<start]) + replacement
                copied = end
                if !all { break }
            }
            guard result.count <= limit else {
                throw DockerfileError(.limit, "the expanded text is longer than \(limit) bytes")
            }
            start = max(end, start + 1)
        }
        return result + Self.bytes(text[copied...])
    }

    /// The end of the match that starts at `start`, the first or the last one.
    private static func match(
        _ elements: [Element], _ text: [Unicode.Scalar], from start: Int, longest: Bool, _ steps: inout Int
    ) throws(DockerfileError) -> Int? {
        // A set of positions within the pattern, kept sorted by construction.
        var active = [Bool](repeating: false, count: elements.count + 1)
        active[0] = true
        func close(_ set: inout [Bool]) {
            for index in elements.indices where set[index] && elements[index] == .any { set[index + 1] = true }
        }
        close(&active)
        var next = active
        var best: Int?
        var position = start
        while true {
            if active[elements.count] {
                best = position
                if !longest { return best }
            }
            guard position < text.count else { return best }
            steps += elements.count + 1
            guard steps < budget else {
                throw DockerfileError(.limit, "matching the pattern takes too long")
            }
            let scalar = text[position]
            for index in next.indices { next[index] = false }
            var isAlive = false
            for index in elements.indices where active[index] {
                switch elements[index] {
                case .literal(let wanted):
                    if wanted == scalar { next[index + 1] = true }
                case .one:
                    if scalar != "\n" { next[index + 1] = true }
                case .any:
                    if scalar != "\n" { next[index] = true }
                }
                isAlive = isAlive || next[index] || next[index + 1]
            }
            guard isAlive else { return best }
            close(&next)
            swap(&active, &next)
            position += 1
        }
    }
}

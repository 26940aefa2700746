import Text

/// A pattern over the full names of repositories, `HOST/PATH`: `*` is any text without a slash, `**` any text at all.
///
///     registry.example.com/acme/**     docker.io/library/*     *.example.com/mirror/**
package struct RepositoryPattern: Hashable, Sendable, CustomStringConvertible {
    package let description: String
    private let elements: [Element]

    private enum Element: Hashable, Sendable {
        case byte(UInt8)
        /// `*`
        case name
        /// `**`
        case all
    }

    /// - Throws: where the pattern has no host, which Docker's short names (`nginx`, `acme/app`) lack.
    package init(_ text: String) throws(OCIError) {
        let first = text.prefix { $0 != "/" }
        let hasHost = first == "localhost" || first.contains { $0 == "." || $0 == ":" || $0 == "*" }
        guard hasHost, text.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7f }) else {
            throw OCIError(
                .invalidReference, "the pattern '\(printable(text))' does not begin with a registry's host",
                hint: "write HOST/PATH, such as docker.io/library/* or registry.example.com/acme/**")
        }
        description = text
        var elements: [Element] = []
        for byte in text.utf8 {
            guard byte == UInt8(ascii: "*") else {
                elements.append(.byte(byte))
                continue
            }
            switch elements.last {
            case .name: elements[elements.count - 1] = .all
            case .all: break
            default: elements.append(.name)
            }
        }
        self.elements = elements
    }

    package func matches(_ repository: RepositoryLocation) -> Bool { matches(Array(repository.description.utf8)) }

    package func matches(_ repository: RegistryRepository) -> Bool { matches(Array(repository.description.utf8)) }

    /// Keeps the places in the pattern where the text so far may stand: text × pattern at most.
    private func matches(_ text: [UInt8]) -> Bool {
        var reached = closed([true] + Array(repeating: false, count: elements.count))
        for byte in text {
            var next = Array(repeating: false, count: elements.count + 1)
            for (index, element) in elements.enumerated() where reached[index] {
                switch element {
                case .byte(let wanted): if byte == wanted { next[index + 1] = true }
                case .name: if byte != UInt8(ascii: "/") { next[index] = true }
                case .all: next[index] = true
                }
            }
            reached = closed(next)
        }
        return reached[elements.count]
    }

    /// With the places behind stars, which may stand for nothing.
    private func closed(_ places: [Bool]) -> [Bool] {
        var places = places
        for (index, element) in elements.enumerated() where places[index] {
            if element == .name || element == .all { places[index + 1] = true }
        }
        return places
    }
}

import Dockerfile

/// One source of COPY or ADD: a path, or a pattern whose elements are matched one by one.
struct SourcePattern {
    struct Match<Item> {
        /// Below the source's root, as it was found.
        let path: ImagePath
    }

    let text: String

    init(_ text: String) { self.text = text }

    var isPattern: Bool {
        text.utf8.contains { $0 == UInt8(ascii: "*") || $0 == UInt8(ascii: "?") || $0 == UInt8(ascii: "[") }
    }

    /// What the source selects. A path that does not exist is an error, a pattern without a match selects nothing.
    func matches<Source: CopySource>(in source: Source) throws(BuildError) -> [Match<Source.Item>] {
        let path = ImagePath(text)
        guard isPattern else {
            guard try source.resolve(path, followingLast: false) != nil else {
                throw BuildError(
                    .missingSource, "\(text) is not in \(source.displayName)",
                    hint: "paths are relative to its root; a file that .dockerignore excludes is not there either")
            }
            return [Match(path: path)]
        }
        var found: [ImagePath] = [.root]
        for element in path.components {
            var next: [ImagePath] = []
            for folder in found {
                guard let item = try source.resolve(folder, followingLast: true), source.isDirectory(item) else {
                    continue
                }
                if !SourcePattern(element.text).isPattern && !element.contains(UInt8(ascii: "\\")) {
                    if try source.child(element, of: item) != nil { next.append(folder.appending(element)) }
                    continue
                }
                for (name, _) in try source.children(of: item) where try Self.matches(name, element, text) {
                    next.append(folder.appending(name))
                }
            }
            found = next
        }
        return found.map { Match(path: $0) }
    }

    private static func matches(_ name: FileName, _ pattern: FileName, _ text: String) throws(BuildError) -> Bool {
        guard let result = GlobMatch.matches(pattern: pattern, name: name) else {
            throw BuildError(.dockerfile, "the pattern \(text) is malformed", hint: "a [ must be closed, or escaped")
        }
        return result
    }
}

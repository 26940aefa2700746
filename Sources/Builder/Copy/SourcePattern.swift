import Dockerfile

/// One source of COPY or ADD: a path, or a pattern whose elements are matched one by one.
struct SourcePattern {
    let text: String

    init(_ text: String) { self.text = text }

    var hasWildcards: Bool { GlobMatch.hasWildcards(text) }

    /// What the source selects, below the source's root and as it was found. A path that does not exist is an error, a
    /// pattern without a match selects nothing.
    ///
    /// Links on the way to the first wildcard are followed, links that a pattern meets are not.
    func matches<Source: CopySource>(in source: Source) throws(BuildError) -> [ImagePath] {
        let elements = ImagePath(text).components
        let plain = elements.prefix { !GlobMatch.hasWildcards($0.text) }
        let start = ImagePath(components: plain.map(Self.unescaped))
        let patterns = elements[plain.count...]
        guard !patterns.isEmpty else {
            guard try source.resolve(start, followingLast: false) != nil else { throw missing(in: source) }
            return [start]
        }
        guard let folder = try source.resolve(start, followingLast: true) else { return [] }
        var found: [(path: ImagePath, item: Source.Item)] = [(start, folder)]
        for element in patterns {
            let isPlain = !GlobMatch.hasWildcards(element.text)
            let glob = try pattern(element.text)
            var next: [(path: ImagePath, item: Source.Item)] = []
            for (path, item) in found where source.isDirectory(item) {
                if isPlain {
                    let name = Self.unescaped(element)
                    if let child = try source.child(name, of: item) { next.append((path.appending(name), child)) }
                    continue
                }
                for (name, child) in try source.children(of: item) where glob.matches(name) {
                    next.append((path.appending(name), child))
                }
            }
            found = next
        }
        return found.map(\.path)
    }

    func missing(in source: some CopySource) -> BuildError {
        BuildError(
            .missingSource, "\(text) is not in \(source.displayName)",
            hint: "paths are relative to its root; a file that .dockerignore excludes is not there either")
    }

    private static func unescaped(_ name: FileName) -> FileName {
        guard name.contains(UInt8(ascii: "\\")) else { return name }
        var result: FileName = []
        var isEscaped = false
        for byte in name {
            if byte == UInt8(ascii: "\\"), !isEscaped {
                isEscaped = true
                continue
            }
            isEscaped = false
            result.append(byte)
        }
        return result
    }

    private func pattern(_ element: String) throws(BuildError) -> GlobMatch {
        do throws(DockerfileError) { return try GlobMatch(element) } catch { throw BuildError(error) }
    }
}

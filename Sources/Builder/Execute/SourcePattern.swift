import Dockerfile

/// One source of COPY or ADD: a path, or a pattern whose elements are matched one by one.
struct SourcePattern {
    struct Match<Item> {
        /// Below the source's root, as it was found.
        let path: ImagePath
    }

    let text: String

    init(_ text: String) { self.text = text }

    /// What the source selects. A path that does not exist is an error, a pattern without a match selects nothing.
    func matches<Source: CopySource>(in source: Source) throws(BuildError) -> [Match<Source.Item>] {
        let path = ImagePath(text)
        guard GlobMatch.hasWildcards(text) || text.utf8.contains(UInt8(ascii: "\\")) else {
            guard try source.resolve(path, followingLast: false) != nil else {
                throw missing(in: source)
            }
            return [Match(path: path)]
        }
        var found: [ImagePath] = [.root]
        for element in path.components {
            let isPlain = !GlobMatch.hasWildcards(element.text)
            let glob = try pattern(element.text)
            var next: [ImagePath] = []
            for folder in found {
                guard let item = try source.resolve(folder, followingLast: true), source.isDirectory(item) else {
                    continue
                }
                if isPlain, !element.contains(UInt8(ascii: "\\")) {
                    if try source.child(element, of: item) != nil { next.append(folder.appending(element)) }
                    continue
                }
                for (name, _) in try source.children(of: item) where glob.matches(name) {
                    next.append(folder.appending(name))
                }
            }
            found = next
        }
        if found.isEmpty && !GlobMatch.hasWildcards(text) { throw missing(in: source) }
        return found.map { Match(path: $0) }
    }

    private func missing(in source: some CopySource) -> BuildError {
        BuildError(
            .missingSource, "\(text) is not in \(source.displayName)",
            hint: "paths are relative to its root; a file that .dockerignore excludes is not there either")
    }

    private func pattern(_ element: String) throws(BuildError) -> GlobMatch {
        do throws(DockerfileError) { return try GlobMatch(element) } catch { throw BuildError(error) }
    }
}

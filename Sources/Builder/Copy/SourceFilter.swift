import Dockerfile

/// Which of the paths below a source are copied: what `--parents` selects, without what `--exclude` takes away. A folder
/// stands for all below it in both.
struct SourceFilter: Sendable {
    private let included: IgnoreMatcher?
    private let excluded: IgnoreMatcher?
    /// Names at the pattern's start that are no patterns: only along them is there anything to find.
    private let way: [FileName]
    /// How deep the pattern reaches; `nil` with `**`.
    private let depth: Int?

    /// - Parameters:
    ///   - pattern: of `--parents`, relative and cleaned; empty for everything. `nil` takes all that is not excluded.
    ///   - excludes: of `--exclude`, with `!` for what is taken nonetheless.
    init(pattern: String? = nil, excludes: [String]) throws(BuildError) {
        do throws(DockerfileError) {
            let wanted = pattern.flatMap { $0.isEmpty ? nil : $0 }
            included = try wanted.map { (text) throws(DockerfileError) in try IgnoreMatcher(patterns: [text]) }
            excluded = excludes.isEmpty ? nil : try IgnoreMatcher(patterns: excludes)
            let names = ImagePath.split((wanted ?? "").utf8)
            way = Array(names.prefix { !$0.contains(UInt8(ascii: "\\")) && !GlobMatch.hasWildcards($0.text) })
            depth = names.contains { $0.text.contains("**") } ? nil : names.count
        } catch {
            throw BuildError(error)
        }
    }

    /// Whether a path is copied.
    func takes(_ path: [UInt8]) -> Bool { (included?.excludes(path) ?? true) && !(excluded?.excludes(path) ?? false) }

    /// Whether a path is copied, or something below it.
    func mayTake(_ path: ImagePath) -> Bool {
        path.components.isEmpty || takes(path.joined) || mayTake(below: path.joined)
    }

    /// For a folder that is not copied itself: whether something below it may be.
    func mayTake(below path: [UInt8]) -> Bool {
        if let excluded, excluded.excludes(path), !excluded.hasNegations { return false }
        guard let included, !included.excludes(path) else { return true }
        let names = path.split(separator: 0x2f)
        if let depth, names.count >= depth { return false }
        return zip(names, way).allSatisfy { $0.elementsEqual($1) }
    }
}

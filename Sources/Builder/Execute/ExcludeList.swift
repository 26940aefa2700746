import Dockerfile

/// The patterns of `--exclude`, matched against paths below what is copied.
struct ExcludeList: Sendable {
    private let matcher: IgnoreMatcher

    init(_ patterns: [String]) throws(BuildError) {
        do throws(DockerfileError) { matcher = try IgnoreMatcher(patterns: patterns) } catch { throw BuildError(error) }
    }

    func excludes(_ path: String) -> Bool { matcher.excludes(path) }
}

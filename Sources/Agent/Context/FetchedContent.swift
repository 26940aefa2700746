/// What of a context lies outside of its repository, and comes only when it is asked for.
package struct FetchedContent: Hashable, Sendable {
    /// The files of submodules, and of theirs in turn.
    package var submodules: Bool
    /// What Git LFS keeps, in place of the pointer files.
    package var largeFiles: Bool

    package init(submodules: Bool = false, largeFiles: Bool = false) {
        self.submodules = submodules
        self.largeFiles = largeFiles
    }

    package static let nothing = FetchedContent()
}

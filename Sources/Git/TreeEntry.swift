import CGit2

/// One name in a commit's tree.
package struct TreeEntry: Hashable, Sendable {
    /// What git knows of a file's mode.
    package enum Mode: Hashable, Sendable {
        case file, executable, symlink, directory, submodule

        init?(_ mode: git_filemode_t) {
            switch mode {
            case GIT_FILEMODE_BLOB: self = .file
            case GIT_FILEMODE_BLOB_EXECUTABLE: self = .executable
            case GIT_FILEMODE_LINK: self = .symlink
            case GIT_FILEMODE_TREE: self = .directory
            case GIT_FILEMODE_COMMIT: self = .submodule
            default: return nil
            }
        }

        var value: git_filemode_t {
            switch self {
            case .file: GIT_FILEMODE_BLOB
            case .executable: GIT_FILEMODE_BLOB_EXECUTABLE
            case .symlink: GIT_FILEMODE_LINK
            case .directory: GIT_FILEMODE_TREE
            case .submodule: GIT_FILEMODE_COMMIT
            }
        }
    }

    /// The path from the root of the tree, with "/" between names. Bytes that are not UTF-8 appear as U+FFFD;
    /// `pathBytes` has them as they are.
    package var path: String
    package var mode: Mode
    /// The blob, the tree, or the submodule's commit.
    package var id: ObjectID
    /// Set only where `path` had to be repaired.
    private var rawPath: [UInt8]?

    package init(pathBytes: [UInt8], mode: Mode, id: ObjectID) {
        if let text = String(validating: pathBytes, as: UTF8.self) {
            path = text
        } else {
            path = String(decoding: pathBytes, as: UTF8.self)
            rawPath = pathBytes
        }
        self.mode = mode
        self.id = id
    }

    /// The path as it is in the tree.
    package var pathBytes: [UInt8] { rawPath ?? Array(path.utf8) }

    /// Whether `path` is the whole truth.
    package var isUTF8: Bool { rawPath == nil }
}

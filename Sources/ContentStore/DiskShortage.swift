import Glibc

/// What a file system has no more of, so that a message can say what helps: to remove one large file frees no inode, and a disk that
/// is half empty may be full for one user.
package enum DiskShortage: Sendable, Hashable {
    case bytes
    /// Files that can be made, however small.
    case inodes
    /// The blocks or files that the user or the project may have (`EDQUOT`).
    case quota

    /// - Parameters:
    ///   - number: the `errno` of a call that failed.
    ///   - path: what it was about, or anything above it.
    /// - Returns: `nil` where the call failed for another reason.
    package init?(errno number: Int32, at path: String) {
        switch number {
        case EDQUOT: self = .quota
        case ENOSPC: self = Self.hasInodes(at: path) ? .bytes : .inodes
        default: return nil
        }
    }

    /// What a program says of it, or wrote: the kernel's words.
    package var words: String { String(cString: strerror(self == .quota ? EDQUOT : ENOSPC)) }

    /// As the cause of a failure.
    package var cause: String {
        switch self {
        case .bytes, .quota: words
        case .inodes: "\(words): all inodes are used, however many bytes are free"
        }
    }

    /// - Parameter place: what is short of it, as in "the disk".
    package func hint(for place: String) -> String {
        switch self {
        case .bytes: "free space there, or move \(place) to a larger volume"
        case .inodes:
            "remove files there ('slipway cache prune' removes what builds keep), or put \(place) on a file system with more inodes"
        case .quota:
            "raise the quota of the user or the project there, or let less be kept ('builds.cache.maxSize', 'slipway cache prune')"
        }
    }

    /// Whether a file can be made at a path; where the file system does not tell, it can.
    private static func hasInodes(at path: String) -> Bool {
        var status = statvfs()
        var folder = path
        // What could not be made is not there; its folder is.
        while statvfs(folder, &status) != 0 {
            guard let slash = folder.lastIndex(of: "/"), slash > folder.startIndex else { return true }
            folder = String(folder[..<slash])
        }
        return status.f_files == 0 || status.f_favail > 0
    }
}

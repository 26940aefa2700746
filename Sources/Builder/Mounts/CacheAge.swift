import Glibc

/// Makes all that lies in a cache older than what a step finds, where it was made of a base image's files that were others.
///
/// Files of a base image are as old as the image, and there are too many of them to be shown with other times. So what was made of another
/// base's is dated back instead, in the order that it had. Whoever goes by times makes it again; what is found by its content or its name,
/// as downloads are, is still there.
struct CacheAge {
    /// The oldest file that a step finds, in seconds since 1970.
    let limit: Int64

    /// - Parameters:
    ///   - layers: of the base image, unpacked.
    ///   - view: the step's other files. Those that are very old are shown as new, so that the cache's need not be older.
    init(under layers: [HostPath], _ view: inout SourceView, now: Int64) throws(BuildError) {
        view.raise(below: Self.floor * 1_000_000_000, to: now)
        var oldest = view.oldest.map { Timestamp(nanosecondsSince1970: $0).seconds } ?? .max
        for layer in layers { try Self.look(at: layer, &oldest) }
        limit = oldest
    }

    /// 1980.
    private static let floor: Int64 = 315_532_800

    private static func look(at directory: HostPath, _ oldest: inout Int64) throws(BuildError) {
        for name in try FileCalls.names(in: directory) {
            let host = directory.appending(name)
            guard let node = try Node.read(host, .apply) else { continue }
            if node.kind == .directory {
                try look(at: host, &oldest)
            } else if !node.isWhiteout {
                oldest = min(oldest, node.modified.seconds)
            }
        }
    }

    /// - Returns: whether there are times for it. Programs know none before 1970, and some count whole seconds: each time that files of the
    ///   cache have gets a second of its own.
    func dateBack(_ cache: HostPath, _ ownership: OwnershipMode) throws(BuildError) -> Bool {
        var files: [(host: HostPath, modified: Timestamp)] = []
        try Self.find(in: cache, ownership, &files)
        let times = Set(files.map(\.modified)).sorted()
        // What is older than all of these stays as it is.
        let first = limit.subtractingReportingOverflow(Int64(times.count) + 1).partialValue
        let moved = times.drop { $0.seconds < first }
        guard first > 1 || moved.isEmpty else { return false }
        var new: [Timestamp: Timestamp] = [:]
        for (index, time) in moved.reversed().enumerated() {
            new[time] = Timestamp(seconds: limit - 1 - Int64(index))
        }
        for (host, modified) in files {
            guard let time = new[modified] else { continue }
            try Self.unlessGone(host) { () throws(BuildError) in try FileCalls.setModified(host, time) }
        }
        return true
    }

    private static func find(
        in directory: HostPath, _ ownership: OwnershipMode, _ files: inout [(host: HostPath, modified: Timestamp)]
    ) throws(BuildError) {
        try unlessGone(directory) { () throws(BuildError) in
            try FileCalls.unlocked(directory, ownership) { () throws(BuildError) in
                for name in try FileCalls.names(in: directory) {
                    let host = directory.appending(name)
                    guard let node = try Node.read(host, .apply) else { continue }
                    if node.kind == .directory { try find(in: host, ownership, &files) }
                    files.append((host, node.modified))
                }
            }
        }
    }

    /// Another step may be at work in the same cache, and remove what was found.
    private static func unlessGone(_ host: HostPath, _ body: () throws(BuildError) -> Void) throws(BuildError) {
        do throws(BuildError) { try body() } catch {
            if try Node.read(host, .apply) != nil { throw error }
        }
    }
}

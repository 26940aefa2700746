package import FileSystem
import Glibc

/// Unpacks one layer of an image into a directory.
///
/// Nothing outside of the directory is ever touched, whatever the archive says: names are clamped to it as to a root
/// (absolute names, `..`), symbolic links on the way are resolved within it, and every call is anchored to an open
/// directory. The layers' format: https://github.com/opencontainers/image-spec/blob/main/layer.md
package enum LayerExtractor {
    /// What becomes of the marks of removed files.
    package enum Mode: Sendable, Hashable {
        /// The directory is one layer of an overlay mounted with `userxattr`: a mark becomes a character device 0:0, an
        /// opaque directory gets the attribute `user.overlay.opaque`.
        case overlay
        /// The directory is a whole root: what is marked is removed from it.
        case merge
    }

    /// - Parameters:
    ///   - source: the tar, already decompressed. It is read to the tar's end mark, not behind it.
    ///   - lowers: the layers below, the uppermost first. A hard link to a file of theirs is copied up, names are
    ///     resolved through their symbolic links, and directories that only they have are made with their attributes.
    ///     Only for ``Mode/overlay``.
    ///   - times: instead of those that the archive tells: one for each entry that is no mark of a removed file, in the archive's order.
    /// - Throws: with the entry's name; what was unpacked until then stays, for the caller to remove.
    @discardableResult
    package static func extract<Source: ByteSource & ~Copyable>(
        _ source: consuming Source, into directory: Directory, mode: Mode, ownership: OwnershipPolicy,
        lowers: [Directory] = [], times: [TarEntry.Time]? = nil, limits: ExtractionLimits = .standard
    ) throws(ArchiveError) -> ExtractionSummary {
        var reader = TarReader(source, limits: limits.archive)
        var extraction = LayerExtraction(
            tree: LayerTree(directory, lowers: mode == .overlay ? lowers : [], mode: mode, ownership: ownership),
            ownership: ownership, limits: limits)
        var timed = 0
        while var entry = try reader.next() {
            if let times, !LayerExtraction.isMark(entry) {
                guard timed < times.count else { throw LayerExtraction.timesDiffer }
                entry.modified = times[timed]
                timed += 1
            }
            try extraction.add(entry, &reader)
        }
        guard timed == times?.count ?? 0 else { throw LayerExtraction.timesDiffer }
        try extraction.finish()
        return extraction.summary
    }
}

/// What one layer may have at most.
package struct ExtractionLimits: Sendable, Hashable {
    /// Bytes of content of all files together.
    package var bytes: Int64
    package var archive: TarLimits
    /// Bytes of memory for what has to wait for the end: the attributes of directories, links to later entries.
    package var memory: Int

    package init(bytes: Int64 = 1 << 40, archive: TarLimits = .standard, memory: Int = 256 << 20) {
        self.bytes = bytes
        self.memory = memory
        self.archive = archive
    }

    package static let standard = ExtractionLimits()
}

package struct ExtractionSummary: Sendable, Hashable {
    package var entries = 0
    /// Bytes of content written.
    package var bytes: Int64 = 0
    package var whiteouts = 0
    package var opaqueDirectories = 0
    /// Attributes that this machine or this user cannot set, or that have no place in an image.
    package var skippedAttributes = 0
}

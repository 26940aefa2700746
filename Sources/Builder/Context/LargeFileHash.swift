import Blocking
import FileSystem
import Glibc
import OCI

/// Reads one large file of a directory context on all processors.
struct LargeFileHash: Sendable {
    let context: DirectoryContext
    let entry: ContextEntry

    private struct Piece: Sendable {
        let digest: [UInt8]
        /// What the kernel said of the file before and after its bytes were read.
        let states: [ContextIndex.State]
    }

    /// - Returns: the file's digest and what the kernel says of it; `nil` where the file changed meanwhile, is sparse, or is not as large as
    ///   it was listed: it is read from its start to its end then.
    func find() async throws(BuildError) -> (digest: [UInt8], state: ContextIndex.State)? {
        // What is mostly not on the disk is read faster by going around it.
        guard try !FileContent.isSparse(context.open(entry)) else { return nil }
        let numbers = Array(0..<ContentIdentity.pieceCount(of: entry.size))
        let pieces = try await mapBlocking(numbers) { (number) throws(BuildError) in try read(number) }
        guard let state = pieces.first?.states.first, state.size == entry.size,
            pieces.allSatisfy({ $0.states.allSatisfy { $0 == state } })
        else { return nil }
        return (ContentIdentity.digest(ofPieces: pieces.flatMap(\.digest)), state)
    }

    private func read(_ number: Int64) throws(BuildError) -> Piece {
        let file = try context.open(entry)
        let host = context.place(of: entry)
        let before = try Node.read(file.raw, host).map { ContextIndex.State($0) }
        let start = number * ContentIdentity.pieceSize
        var hasher = ContentHasher()
        try FileContent.stream(file, host, in: start..<min(start + ContentIdentity.pieceSize, entry.size)) {
            hasher.update($0)
        }
        let after = try Node.read(file.raw, host).map { ContextIndex.State($0) }
        return Piece(digest: hasher.finalize(), states: [before, after].compactMap(\.self))
    }
}

import Cryptography
import FileSystem
import Glibc

/// Reads large blobs piece by piece, which libgit2 cannot do out of packs: it holds the object, and for a delta all that it is
/// made from, in memory.
struct ObjectStream {
    /// The repository's `objects`.
    let directory: String
    let id: ObjectID
    /// Bytes that the blob, or what it is made from, may have.
    let limit: Int64

    /// What is left to libgit2, which keeps it in memory.
    static let memoryLimit: Int64 = 4 << 20

    enum Outcome {
        case taken
        /// The taker wanted no more.
        case stopped
        /// Small, or nowhere that this reader looks: libgit2's to read.
        case leftToLibrary
    }

    /// - Parameter take: gets the content in order. What it got counts only when this returns `.taken`.
    func read(_ take: (UnsafeRawBufferPointer) -> Bool) throws(GitError) -> Outcome {
        let name = id.description
        let loose = "\(directory)/\(name.prefix(2))/\(name.dropFirst(2))"
        if let file = try? FileHandle(path: loose, flags: O_RDONLY | O_NOFOLLOW) { return try read(loose: file, take) }
        // Packs may be replaced by others meanwhile: then those are looked at, once.
        for _ in 0..<2 {
            for name in Storage.names(in: directory + "/pack") where name.hasSuffix(".idx") {
                guard let pack = try PackFile.open("\(directory)/pack/\(name.dropLast(4))"),
                    let offset = try pack.offset(of: id)
                else { continue }
                return try read(from: pack, at: offset, take)
            }
        }
        return .leftToLibrary
    }

    private func read(
        from pack: borrowing PackFile, at offset: Int64, _ take: (UnsafeRawBufferPointer) -> Bool
    ) throws(GitError) -> Outcome {
        let chain = try DeltaChain(of: pack, at: offset, limit: limit)
        guard chain.base.kind == .blob else {
            throw GitError(.invalid, "the object \(id) is not a blob", place: pack.path)
        }
        if chain.largest <= Self.memoryLimit { return .leftToLibrary }
        var check = BlobCheck(id, size: chain.size, pack.path)
        guard !chain.steps.isEmpty else {
            var source = try pack.inflated(chain.base)
            return try check.pass(&source, take) ? .taken : .stopped
        }
        var base = try ObjectSpool(size: chain.base.size, in: directory)
        var source = try pack.inflated(chain.base)
        try Self.spool(&source, chain.base.size, into: &base, pack.path)
        for step in chain.steps.dropLast() {
            var result = try ObjectSpool(size: step.sizes.result, in: directory)
            var delta = try DeltaReader(step, in: pack)
            _ = try delta.apply(to: &base) { (bytes) throws(GitError) in
                try result.append(bytes)
                return true
            }
            base = result
        }
        guard let last = chain.steps.last else { return .leftToLibrary }
        var delta = try DeltaReader(last, in: pack)
        let isTaken = try delta.apply(to: &base) { (bytes) throws(GitError) in try check.pass(bytes, take) }
        guard isTaken else { return .stopped }
        try check.finish()
        return .taken
    }

    private static func spool(
        _ source: inout InflatedBytes, _ size: Int64, into spool: inout ObjectSpool, _ path: String
    ) throws(GitError) {
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 256 << 10, alignment: 16)
        defer { buffer.deallocate() }
        while true {
            let count = try source.read(into: buffer)
            if count == 0 { break }
            guard Int64(count) <= size - spool.count else {
                throw .damagedObject(path, "an object is longer than it says")
            }
            try spool.append(UnsafeRawBufferPointer(rebasing: buffer[..<count]))
        }
        guard spool.count == size else { throw .damagedObject(path, "an object is shorter than it says") }
    }

    /// A file of its own: `blob SIZE`, a zero and the content, as one zlib stream.
    private func read(
        loose file: borrowing FileHandle, _ take: (UnsafeRawBufferPointer) -> Bool
    ) throws(GitError) -> Outcome {
        var source = try InflatedBytes(file.fd, from: 0, to: .max, path: file.path)
        var header: [UInt8] = []
        var byte: UInt8 = 0
        // The longest header that git writes has 28 bytes.
        while header.count < 32 {
            let outcome: Result<Int, GitError> = withUnsafeMutableBytes(of: &byte) { buffer in
                Result { () throws(GitError) in try source.read(into: buffer) }
            }
            guard try outcome.get() == 1 else { throw .damagedObject(file.path, "it ends too early") }
            if byte == 0 { break }
            header.append(byte)
        }
        let words = header.split(separator: 0x20, omittingEmptySubsequences: false)
        guard byte == 0, words.count == 2, let size = Int64(String(decoding: words[1], as: UTF8.self)), size >= 0 else {
            throw .damagedObject(file.path, "it does not begin as an object")
        }
        guard words[0].elementsEqual("blob".utf8) else {
            throw GitError(.invalid, "the object \(id) is not a blob", place: file.path)
        }
        guard size <= limit else {
            throw GitError(
                .tooLarge, "the blob \(id) has \(size) bytes; at most \(limit) are read here", place: file.path)
        }
        if size <= Self.memoryLimit { return .leftToLibrary }
        var check = BlobCheck(id, size: size, file.path)
        return try check.pass(&source, take) ? .taken : .stopped
    }
}

/// Passes a blob's content on, and tells at its end whether it was the one that its name promises.
private struct BlobCheck: ~Copyable {
    private let id: ObjectID
    private let size: Int64
    private let path: String
    private var hash = HashState(.sha1)
    private var count: Int64 = 0

    init(_ id: ObjectID, size: Int64, _ path: String) {
        self.id = id
        self.size = size
        self.path = path
        hash.update(Array("blob \(size)\0".utf8))
    }

    /// - Returns: whether more is wanted.
    mutating func pass(
        _ bytes: UnsafeRawBufferPointer, _ take: (UnsafeRawBufferPointer) -> Bool
    ) throws(GitError) -> Bool {
        guard Int64(bytes.count) <= size - count else { throw .damagedObject(path, "an object is longer than it says") }
        count += Int64(bytes.count)
        hash.update(bytes)
        return take(bytes)
    }

    /// - Returns: whether all was wanted.
    mutating func pass(
        _ source: inout InflatedBytes, _ take: (UnsafeRawBufferPointer) -> Bool
    ) throws(GitError) -> Bool {
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 256 << 10, alignment: 16)
        defer { buffer.deallocate() }
        while true {
            let count = try source.read(into: buffer)
            if count == 0 { break }
            guard try pass(UnsafeRawBufferPointer(rebasing: buffer[..<count]), take) else { return false }
        }
        try finish()
        return true
    }

    mutating func finish() throws(GitError) {
        guard count == size else { throw .damagedObject(path, "an object is shorter than it says") }
        var finished = HashState(.sha1)
        swap(&finished, &hash)
        guard finished.finalize() == id.bytes else {
            throw .damagedObject(path, "the content of \(id) is not what its name says")
        }
    }
}

import FileSystem
import Glibc

/// The index of a pack: where its objects lie, by their names (git: Documentation/gitformat-pack.txt, version 2).
///
/// It is read, not mapped: a file that shrinks under a mapping ends the process.
struct PackIndex: ~Copyable {
    private let file: FileHandle
    private let count: Int

    private static let header = 8
    private static let fanOut = 256 * 4
    private static let nameSize = 20

    /// `nil` for what is not there any more, and for what is not an index of version 2.
    static func open(_ path: String) throws(GitError) -> PackIndex? {
        guard let file = try FileHandle.openUnlessGone(path) else { return nil }
        var head = [UInt8](repeating: 0, count: header + fanOut)
        guard try file.readFully(&head, at: 0), head.starts(with: [0xff, 0x74, 0x4f, 0x63, 0, 0, 0, 2]) else {
            return nil
        }
        return PackIndex(file: file, count: Int(head.bigEndian32(at: header + fanOut - 4)))
    }

    private init(file: consuming FileHandle, count: Int) {
        self.file = file
        self.count = count
    }

    /// The object's place in the pack; `nil` when the pack has not got it.
    func offset(of id: ObjectID) throws(GitError) -> Int64? {
        let name = id.bytes
        var bounds = [UInt8](repeating: 0, count: 8)
        let first = Int(name[0])
        if first == 0 {
            guard try file.readFully(&bounds, at: Int64(Self.header - 4)) else { return nil }
            for index in 0..<4 { bounds[index] = 0 }
        } else {
            guard try file.readFully(&bounds, at: Int64(Self.header + 4 * (first - 1))) else { return nil }
        }
        var low = Int(bounds.bigEndian32(at: 0))
        var high = Int(bounds.bigEndian32(at: 4))
        guard low <= high, high <= count else { throw .damagedObject(file.path, "the index contradicts itself") }
        var found = [UInt8](repeating: 0, count: Self.nameSize)
        let names = Int64(Self.header + Self.fanOut)
        while low < high {
            let middle = low + (high - low) / 2
            guard try file.readFully(&found, at: names + Int64(middle * Self.nameSize)) else { throw truncated }
            if found == name { return try offset(at: middle) }
            if found.lexicographicallyPrecedes(name) { low = middle + 1 } else { high = middle }
        }
        return nil
    }

    private func offset(at position: Int) throws(GitError) -> Int64 {
        // Behind the names and the checksums.
        let small = Int64(Self.header + Self.fanOut) + Int64(count) * Int64(Self.nameSize + 4)
        var word = [UInt8](repeating: 0, count: 4)
        guard try file.readFully(&word, at: small + Int64(4 * position)) else { throw truncated }
        let value = word.bigEndian32(at: 0)
        guard value & 0x8000_0000 != 0 else { return Int64(value) }
        var long = [UInt8](repeating: 0, count: 8)
        let place = small + 4 * Int64(count) + 8 * Int64(value & 0x7fff_ffff)
        guard try file.readFully(&long, at: place) else { throw truncated }
        let high = Int64(long.bigEndian32(at: 0))
        guard high < 1 << 30 else { throw .damagedObject(file.path, "the index contradicts itself") }
        return high << 32 | Int64(long.bigEndian32(at: 4))
    }

    private var truncated: GitError { .damagedObject(file.path, "the index ends too early") }
}

extension FileHandle {
    /// `nil` where the file is not there: packs may be replaced by others at any time.
    static func openUnlessGone(_ path: String) throws(GitError) -> FileHandle? {
        do throws(FileSystemError) { return try FileHandle(path: path) } catch {
            if error.code == ENOENT { return nil }
            throw GitError(.storage, "cannot open", place: path, cause: error.cause)
        }
    }

    /// Fills the bytes from a place of the file; `false` where the file ends before.
    borrowing func readFully(_ bytes: inout [UInt8], at offset: Int64) throws(GitError) -> Bool {
        let descriptor = fd
        let (done, code) = bytes.withUnsafeMutableBytes { buffer -> (Int, Int32) in
            var done = 0
            while done < buffer.count {
                let count = pread(
                    descriptor, buffer.baseAddress?.advanced(by: done), buffer.count - done,
                    off_t(offset + Int64(done)))
                if count < 0, errno == EINTR { continue }
                if count < 0 { return (done, errno) }
                if count == 0 { break }
                done += count
            }
            return (done, 0)
        }
        guard code == 0 else {
            throw GitError(.storage, "cannot read", place: path, cause: String(cString: strerror(code)))
        }
        return done == bytes.count
    }
}

extension [UInt8] {
    func bigEndian32(at offset: Int) -> UInt32 {
        self[offset..<offset + 4].reduce(0) { $0 << 8 | UInt32($1) }
    }
}

internal import CZlib
import Glibc

/// The content of one zlib stream (RFC 1950) that lies in a file, piece by piece.
struct InflatedBytes: ~Copyable {
    /// On the heap: zlib keeps its address.
    private let stream: UnsafeMutablePointer<z_stream>
    private let input: UnsafeMutableRawBufferPointer
    private let file: Int32
    private let path: String
    /// Of the next byte to be read.
    private var offset: Int64
    private let end: Int64
    private var isOver = false

    /// - Parameters:
    ///   - file: open for reading for as long as this is used.
    ///   - end: where the file ends for this stream.
    ///   - window: bytes that are read at once.
    init(_ file: Int32, from offset: Int64, to end: Int64, window: Int = 64 << 10, path: String) throws(GitError) {
        self.file = file
        self.path = path
        self.offset = offset
        self.end = end
        input = .allocate(byteCount: window, alignment: 16)
        stream = .allocate(capacity: 1)
        stream.initialize(to: z_stream())
        guard slipway_inflate_init_zlib(stream) == Z_OK else {
            throw GitError(.storage, "cannot inflate a git object", place: path, cause: "zlib has no memory")
        }
    }

    deinit {
        inflateEnd(stream)
        stream.deallocate()
        input.deallocate()
    }

    /// Fills as much of the buffer as one step gives; 0 at the end of the stream.
    mutating func read(into buffer: UnsafeMutableRawBufferPointer) throws(GitError) -> Int {
        guard !isOver, !buffer.isEmpty else { return 0 }
        stream.pointee.next_out = buffer.baseAddress?.assumingMemoryBound(to: UInt8.self)
        stream.pointee.avail_out = UInt32(min(buffer.count, 1 << 30))
        let room = stream.pointee.avail_out
        while stream.pointee.avail_out == room {
            if stream.pointee.avail_in == 0 { try fill() }
            switch inflate(stream, Z_NO_FLUSH) {
            case Z_STREAM_END:
                isOver = true
                return Int(room - stream.pointee.avail_out)
            case Z_OK: break
            case Z_BUF_ERROR where stream.pointee.avail_in == 0: break
            case Z_MEM_ERROR:
                throw GitError(.storage, "cannot inflate a git object", place: path, cause: "zlib has no memory")
            default: throw .damagedObject(path, "its compressed data is not valid")
            }
        }
        return Int(room - stream.pointee.avail_out)
    }

    /// Fills the buffer, or as much of it as the stream has.
    mutating func readAll(into buffer: UnsafeMutableRawBufferPointer) throws(GitError) -> Int {
        var count = 0
        while count < buffer.count {
            let more = try read(into: UnsafeMutableRawBufferPointer(rebasing: buffer[count...]))
            if more == 0 { break }
            count += more
        }
        return count
    }

    private mutating func fill() throws(GitError) {
        let wanted = Int(min(Int64(input.count), end - offset))
        var count = 0
        if wanted > 0 {
            repeat { count = pread(file, input.baseAddress, wanted, off_t(offset)) } while count < 0 && errno == EINTR
        }
        guard count >= 0 else {
            throw GitError(
                .storage, "cannot read the git object", place: path, cause: String(cString: strerror(errno)))
        }
        guard count > 0 else { throw .damagedObject(path, "its compressed data ends too early") }
        offset += Int64(count)
        stream.pointee.next_in = input.baseAddress?.assumingMemoryBound(to: UInt8.self)
        stream.pointee.avail_in = UInt32(count)
    }
}

extension GitError {
    /// An object, or the pack that it is in, is not what it must be.
    static func damagedObject(_ path: String, _ cause: String) -> GitError {
        GitError(
            .corrupt, "a git object is damaged", place: path, cause: cause,
            hint: "the mirror is made anew with the next fetch")
    }
}

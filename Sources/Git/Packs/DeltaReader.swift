/// Applies a delta while it is inflated: copies of the base and new bytes, in the order of the result.
struct DeltaReader: ~Copyable {
    private var source: InflatedBytes
    private let sizes: DeltaSizes
    /// Inflated bytes that the delta has, and had so far.
    private let size: Int64
    private var consumed: Int64 = 0
    private let path: String
    private let input: UnsafeMutableRawBufferPointer
    private var position = 0
    private var available = 0
    private let output: UnsafeMutableRawBufferPointer
    private var filled = 0
    private var produced: Int64 = 0

    init(_ step: DeltaChain.Step, in pack: borrowing PackFile) throws(GitError) {
        source = try pack.inflated(step.entry)
        sizes = step.sizes
        size = step.entry.size
        path = pack.path
        input = .allocate(byteCount: 64 << 10, alignment: 16)
        output = .allocate(byteCount: 256 << 10, alignment: 16)
    }

    deinit {
        input.deallocate()
        output.deallocate()
    }

    /// - Parameter take: gets the result's bytes; `false` ends it.
    /// - Returns: whether all was taken.
    mutating func apply(
        to base: inout ObjectSpool, _ take: (UnsafeRawBufferPointer) throws(GitError) -> Bool
    ) throws(GitError) -> Bool {
        guard base.count == sizes.base else { throw damaged("a delta is for an object of another size") }
        for _ in 0..<2 {
            while try require() & 0x80 != 0 {}
        }
        while let code = try next() {
            if code & 0x80 != 0 {
                guard try copy(code, from: &base, take) else { return false }
            } else if code > 0 {
                guard try insert(Int(code), take) else { return false }
            } else {
                throw damaged("a delta has an instruction that does not exist")
            }
        }
        guard produced == sizes.result, consumed == size else {
            throw damaged("a delta gives another size than it says")
        }
        return try flush(take)
    }

    private mutating func copy(
        _ code: UInt8, from base: inout ObjectSpool, _ take: (UnsafeRawBufferPointer) throws(GitError) -> Bool
    ) throws(GitError) -> Bool {
        var offset: Int64 = 0
        var count: Int64 = 0
        for bit in 0..<4 where code & 1 << bit != 0 { offset |= Int64(try require()) << (8 * bit) }
        for bit in 0..<3 where code & 0x10 << bit != 0 { count |= Int64(try require()) << (8 * bit) }
        if count == 0 { count = 0x10000 }
        guard offset + count <= sizes.base, produced + count <= sizes.result else {
            throw damaged("a delta copies what its base has not got")
        }
        produced += count
        while count > 0 {
            if filled == output.count { guard try flush(take) else { return false } }
            let length = Int(min(count, Int64(output.count - filled)))
            try base.read(
                from: offset, into: UnsafeMutableRawBufferPointer(rebasing: output[filled..<filled + length]))
            filled += length
            offset += Int64(length)
            count -= Int64(length)
        }
        return true
    }

    private mutating func insert(
        _ count: Int, _ take: (UnsafeRawBufferPointer) throws(GitError) -> Bool
    ) throws(GitError) -> Bool {
        produced += Int64(count)
        guard produced <= sizes.result else { throw damaged("a delta gives another size than it says") }
        for _ in 0..<count {
            if filled == output.count { guard try flush(take) else { return false } }
            let byte = try require()
            output[filled] = byte
            filled += 1
        }
        return true
    }

    private mutating func flush(_ take: (UnsafeRawBufferPointer) throws(GitError) -> Bool) throws(GitError) -> Bool {
        defer { filled = 0 }
        guard filled > 0 else { return true }
        return try take(UnsafeRawBufferPointer(rebasing: output[..<filled]))
    }

    private mutating func next() throws(GitError) -> UInt8? {
        if position == available {
            position = 0
            available = try source.read(into: input)
            guard available > 0 else { return nil }
            guard Int64(available) <= size - consumed else { throw damaged("a delta is longer than it says") }
        }
        let byte = input[position]
        position += 1
        consumed += 1
        return byte
    }

    private mutating func require() throws(GitError) -> UInt8 {
        guard let byte = try next() else { throw damaged("a delta ends too early") }
        return byte
    }

    private func damaged(_ cause: String) -> GitError { .damagedObject(path, cause) }
}

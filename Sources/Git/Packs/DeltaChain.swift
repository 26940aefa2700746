/// How an object of a pack is made: a whole object, and the deltas that lead from it to the one that is wanted.
struct DeltaChain {
    struct Step {
        let entry: PackFile.Entry
        /// Of the object that the delta is for, and of the one that it makes.
        let sizes: DeltaSizes
    }

    let base: PackFile.Entry
    /// In the order in which they are applied.
    let steps: [Step]

    /// git makes chains of 50, and at most 4095 (`pack.depth`). A cycle is one without end.
    private static let depthLimit = 4_095
    /// A chain is refused whose objects have so many times more bytes together than the largest that may be read.
    private static let workFactor: Int64 = 64

    /// Of the object itself.
    var size: Int64 { steps.last?.sizes.result ?? base.size }
    /// Of the largest object on the way.
    var largest: Int64 { steps.reduce(base.size) { max($0, $1.sizes.result) } }

    /// - Throws: `.corrupt` for a chain that contradicts itself, `.tooLarge` for objects of more than `limit` bytes on the way.
    init(of pack: borrowing PackFile, at offset: Int64, limit: Int64) throws(GitError) {
        var steps: [Step] = []
        var entry = try pack.entry(at: offset)
        var work: Int64 = 0
        func count(_ size: Int64, _ path: String) throws(GitError) {
            let (sum, overflow) = work.addingReportingOverflow(size)
            work = sum
            guard !overflow, size <= limit, work / Self.workFactor <= limit else {
                throw GitError(
                    .tooLarge, "an object has, or is made from objects of, more than \(limit) bytes", place: path)
            }
        }
        while let base = entry.base {
            guard steps.count < Self.depthLimit else {
                throw pack.damaged("an object is a delta of more than \(Self.depthLimit) others, or of itself")
            }
            let sizes = try DeltaSizes(of: entry, in: pack)
            try count(sizes.result, pack.path)
            if let above = steps.last, above.sizes.base != sizes.result {
                throw pack.damaged("a delta is for an object of another size")
            }
            steps.append(Step(entry: entry, sizes: sizes))
            entry = try pack.entry(at: base)
        }
        try count(entry.size, pack.path)
        if let lowest = steps.last, lowest.sizes.base != entry.size {
            throw pack.damaged("a delta is for an object of another size")
        }
        base = entry
        self.steps = steps.reversed()
    }
}

/// What a delta says of itself at its beginning.
struct DeltaSizes {
    let base: Int64
    let result: Int64

    init(of entry: PackFile.Entry, in pack: borrowing PackFile) throws(GitError) {
        // Two numbers of ten bytes.
        var bytes = [UInt8](repeating: 0, count: 20)
        var source = try pack.inflated(entry, window: 512)
        let outcome: Result<Int, GitError> = bytes.withUnsafeMutableBytes { buffer in
            Result { () throws(GitError) in try source.readAll(into: buffer) }
        }
        let count = try outcome.get()
        var rest = bytes[..<count]
        base = try Self.number(&rest, pack.path)
        result = try Self.number(&rest, pack.path)
    }

    static func number(_ bytes: inout ArraySlice<UInt8>, _ path: String) throws(GitError) -> Int64 {
        var value: Int64 = 0
        var shift: Int64 = 0
        while let byte = bytes.popFirst() {
            guard shift <= 56 else { break }
            value |= Int64(byte & 0x7f) << shift
            if byte & 0x80 == 0 { return value }
            shift += 7
        }
        throw .damagedObject(path, "a delta's size is not valid")
    }
}

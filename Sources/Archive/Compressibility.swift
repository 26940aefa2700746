/// Which parts of a piece are worth the search for repetitions: what is compressed already (packages, pictures, archives) is as
/// good as random, and searching it takes as long as searching anything. What is found depends on the content alone.
enum Compressibility {
    private static let window = 16 << 10
    /// Shorter runs are left in what is around them, whose repetitions may reach across.
    private static let shortestRun = 2 * window
    /// The squares of how often each byte is there, summed up over every second byte of a window: 262,144 and 8,192 more for
    /// random bytes. Below this limit, counting bytes alone saves less than a hundredth.
    private static let limit = 290_000

    struct Part: Equatable {
        var range: Range<Int>
        /// Whether it is to be stored as it is.
        var isRandom: Bool
    }

    /// The parts in order; together they are everything.
    static func parts(of bytes: UnsafeRawBufferPointer) -> [Part] {
        var parts: [Part] = []
        var start = 0
        var position = 0
        func add(_ end: Int, isRandom: Bool) {
            if start < end { parts.append(Part(range: start..<end, isRandom: isRandom)) }
            start = end
        }
        withUnsafeTemporaryAllocation(of: UInt32.self, capacity: 256) { counts in
            while position + window <= bytes.count {
                var end = position
                while end + window <= bytes.count, isEven(bytes, from: end, counts) { end += window }
                if end - position >= shortestRun, !repeats(bytes, position..<end) {
                    add(position, isRandom: false)
                    add(end, isRandom: true)
                }
                position = max(end, position + window)
            }
        }
        add(bytes.count, isRandom: false)
        return parts
    }

    /// Whether all bytes are about as frequent.
    private static func isEven(
        _ bytes: UnsafeRawBufferPointer, from start: Int, _ counts: UnsafeMutableBufferPointer<UInt32>
    ) -> Bool {
        counts.initialize(repeating: 0)
        var position = start
        // What is uneven shows it in the first quarters: the sum only grows.
        for _ in 0..<4 {
            let end = position + window / 4
            while position < end {
                counts[Int(bytes[position])] &+= 1
                position &+= 2
            }
            var sum = 0
            for count in counts { sum &+= Int(count) &* Int(count) }
            if sum >= limit { return false }
        }
        return true
    }

    /// Whether even bytes come again, as in copies of one random block.
    private static func repeats(_ bytes: UnsafeRawBufferPointer, _ range: Range<Int>) -> Bool {
        withUnsafeTemporaryAllocation(of: UInt64.self, capacity: 4_096) { seen in
            seen.initialize(repeating: 0)
            var found = 0
            var position = range.lowerBound
            while position + 8 <= range.upperBound {
                let word = bytes.loadUnaligned(fromByteOffset: position, as: UInt64.self)
                let place = Int(truncatingIfNeeded: (word &* 0x9E37_79B9_7F4A_7C15) >> 52)
                if seen[place] == word { found &+= 1 }
                seen[place] = word
                position &+= 8
            }
            return found * 8 * 64 > range.count
        }
    }
}

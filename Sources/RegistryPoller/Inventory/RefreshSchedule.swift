/// When a tag that was read is asked for again, in case that it moved.
///
/// Most tags never move, and a registry should not be asked for each of them all the time: an hour after a tag was read it
/// is asked for, then in intervals that double while it stays and halve when it moved, between five minutes and a week. Names
/// without a digit (`latest`, `main`) are there to be moved, and are asked for in every scan; so are all tags of a small repository, at
/// least every few minutes.
struct RefreshSchedule: Sendable, Hashable {
    /// Doublings since the shortest interval.
    private(set) var step: UInt8
    /// Seconds since 1970.
    private(set) var due: Int64

    static let steps: ClosedRange<UInt8> = 0...12
    /// A repository of so many tags is looked at whole.
    static let small = 32
    /// Seconds after which that is done at the latest where a scan need not be thorough.
    static let wholeInterval: Int64 = 300

    /// For a tag that was not read yet.
    static let unread = RefreshSchedule(step: 4, due: .min)

    private init(step: UInt8, due: Int64) {
        self.step = step
        self.due = due
    }

    /// - Parameter seed: what spreads the tags that were read together: the same one gives the same time.
    init(step: UInt8, from now: Int64, seed: UInt64) {
        self.step = min(step, Self.steps.upperBound)
        due = Self.due(self.step, now, seed)
    }

    /// Of a tag that was known before this program started, of which only the interval is remembered.
    init(resuming step: UInt8, from now: Int64, seed: UInt64) {
        self.step = min(step, Self.steps.upperBound)
        due = now + Int64(seed % UInt64(Self.interval(self.step)))
    }

    /// After a look at the tag.
    mutating func looked(hasMoved: Bool, at now: Int64, seed: UInt64) {
        if hasMoved {
            step = step == 0 ? 0 : step - 1
        } else if due != .min {
            step = min(step + 1, Self.steps.upperBound)
        }
        due = Self.due(step, now, seed)
    }

    /// Seconds; an hour at step 4.
    static func interval(_ step: UInt8) -> Int64 {
        min(max((Int64(3_600) << Int64(step)) >> 4, 300), 7 * 86_400)
    }

    private static func due(_ step: UInt8, _ now: Int64, _ seed: UInt64) -> Int64 {
        // Within a quarter of the interval on both sides.
        let interval = interval(step)
        return now + interval * 3 / 4 + Int64(seed % UInt64(max(interval / 2, 1)))
    }

    /// Whether a tag's name says that it is moved.
    static func isMoving(_ tag: String) -> Bool { !tag.utf8.contains { isDigit($0) } }
}

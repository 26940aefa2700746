import Blocking
import Synchronization
import Text

/// How one kind of policy looks at texts: each gets a key or a reason why not, and keys have an order.
protocol TagOrder {
    associatedtype Key

    /// - Parameters:
    ///   - text: what the policy looks at: the tag, or what is extracted from it. It lives as long as the best one needs it.
    ///   - index: the tag's place in the list.
    func judge(_ text: UnsafeBufferPointer<UInt8>, _ index: Int) -> Judgement<Key>
    /// Whether `left` is strictly better by what the policy is about; names are not looked at.
    func isBetter(_ left: Key, than right: Key) -> Bool
    /// Which of several tags wins when none is better.
    var tie: TieRule { get }
    /// Whether the tag in use stays when the chosen one is no better.
    var keepsCurrentOnTie: Bool { get }
    /// The key of the tag in use, to compare with.
    ///
    /// - Parameters:
    ///   - text: what the policy looks at of it; `nil` when the filters leave it out.
    ///   - index: its place in the list, when it has one.
    func standing(of tag: UnsafeBufferPointer<UInt8>, text: UnsafeBufferPointer<UInt8>?, at index: Int?) -> Standing<
        Key
    >
    /// "the newest of 4 images that match 'v*'", for the tag that was chosen among `count`.
    func explanation(count: Int) -> String
    func noneMatches(of count: Int) -> String
    /// What to do about tags that are refused for being pre-releases only; `nil` when there is nothing to say.
    func advice(on prereleases: [SemanticVersion]) -> String?
    /// The version of a text that was refused for being a pre-release.
    func prerelease(_ text: UnsafeBufferPointer<UInt8>) -> SemanticVersion?
}

extension TagOrder {
    func advice(on prereleases: [SemanticVersion]) -> String? { nil }
    func prerelease(_ text: UnsafeBufferPointer<UInt8>) -> SemanticVersion? { nil }

    var tie: TieRule { .smaller }
    var keepsCurrentOnTie: Bool { true }
}

enum Judgement<Key> {
    case eligible(Key)
    case refused(OrderRefusal)
    /// The tag makes the whole policy fail.
    case fatal(OrderRefusal)
}

enum Standing<Key> {
    case known(Key)
    /// Nothing to compare with: any choice is an upgrade.
    case incomparable
    /// It has to be compared, and cannot be.
    case unknown(String)
}

/// By the tag's bytes.
enum TieRule {
    case smaller, greater
    /// The longer one, then the smaller one.
    case longer

    func prefers(_ left: UnsafeBufferPointer<UInt8>, over right: UnsafeBufferPointer<UInt8>) -> Bool {
        switch self {
        case .smaller: precedes(left, right)
        case .greater: precedes(right, left)
        case .longer: left.count != right.count ? left.count > right.count : precedes(left, right)
        }
    }
}

/// Byte order.
func precedes(_ left: UnsafeBufferPointer<UInt8>, _ right: UnsafeBufferPointer<UInt8>) -> Bool {
    let common = min(left.count, right.count)
    var index = 0
    while index < common {
        if left[index] != right[index] { return left[index] < right[index] }
        index += 1
    }
    return left.count < right.count
}

/// `number` things, in words that agree.
func counted(_ count: Int, _ one: String, _ many: String) -> String {
    count == 1 ? "1 \(one)" : "\(count) \(many)"
}

/// One policy over the tags of one repository.
struct TagSelector: Sendable {
    let policy: ImagePolicy
    let tags: TagList
    let current: String?
    let allowDowngrade: Bool
    let explaining: Bool
    let smallestPart: Int

    func decide<Order: TagOrder>(by order: Order) -> Selection { decide(by: order, among: 0..<tags.count) }

    /// Very many tags run in parts, one a processor, and the winners of the parts against each other.
    func decide<Order: TagOrder & Sendable>(by order: Order) -> Selection {
        let width = min(ProcessorCount.value, tags.count / smallestPart)
        // To explain, every single verdict is needed in its place.
        guard width > 1, !explaining else { return decide(by: order, among: 0..<tags.count) }
        let results = Mutex<[PartialResult]>([])
        let done = Semaphore()
        for number in 0..<width {
            let places = tags.count * number / width..<tags.count * (number + 1) / width
            startBlocking {
                let part = run(places, by: order)
                results.withLock { $0.append(part) }
                done.signal()
            }
        }
        for _ in 0..<width { done.wait() }
        let parts = results.withLock { $0 }
        let finalists = parts.flatMap { [$0.best, $0.fatal].compactMap(\.self) }
        return decide(by: order, among: finalists.sorted(), after: parts)
    }

    /// What came out of a part of the tags.
    private struct PartialResult: Sendable {
        var best: Int?
        var fatal: Int?
        var count: Int
        var isExhausted: Bool
    }

    /// A thread costs as much as some thousand tags.
    static let smallestPart = 1 << 15

    private func run<Order: TagOrder>(_ places: Range<Int>, by order: Order) -> PartialResult {
        tags.bytes.withUnsafeBufferPointer { bytes in
            let screen = TagScreen(policy, tags: places.count)
            var refusals: [Refusal?] = []
            let result = pass(places, by: order, bytes, screen, &refusals)
            return PartialResult(
                best: result.best?.index, fatal: result.fatal?.index, count: result.count,
                isExhausted: screen.isExhausted)
        }
    }

    private func tag(_ index: Int, _ bytes: UnsafeBufferPointer<UInt8>) -> UnsafeBufferPointer<UInt8> {
        UnsafeBufferPointer(rebasing: bytes[tags.range(index)])
    }

    private struct Pass<Key> {
        var best: (key: Key, index: Int)?
        var count = 0
        /// Of several tags that make the policy fail, always the same one is named.
        var fatal: (index: Int, refusal: OrderRefusal)?
    }

    @inline(__always)
    private func pass<Order: TagOrder>(
        _ places: some Sequence<Int>, by order: Order, _ bytes: UnsafeBufferPointer<UInt8>, _ screen: TagScreen,
        _ refusals: inout [Refusal?]
    ) -> Pass<Order.Key> {
        var pass = Pass<Order.Key>()
        for index in places {
            let tag = tag(index, bytes)
            switch judge(tag, index, by: order, screen) {
            case .refused(let refusal):
                if explaining { refusals.append(refusal) }
            case .fatal(let refusal):
                if explaining { refusals.append(.order(refusal)) }
                if let first = pass.fatal, !precedes(tag, self.tag(first.index, bytes)) { continue }
                pass.fatal = (index, refusal)
            case .eligible(let key):
                pass.count += 1
                if explaining { refusals.append(nil) }
                if let leader = pass.best {
                    if order.isBetter(leader.key, than: key) { continue }
                    if !order.isBetter(key, than: leader.key),
                        !order.tie.prefers(tag, over: self.tag(leader.index, bytes))
                    {
                        continue
                    }
                }
                pass.best = (key, index)
                screen.keep()
            }
        }
        return pass
    }

    private func decide<Order: TagOrder>(
        by order: Order, among places: some Sequence<Int>, after parts: [PartialResult] = []
    ) -> Selection {
        tags.bytes.withUnsafeBufferPointer { decide(by: order, among: places, after: parts, $0) }
    }

    private func decide<Order: TagOrder>(
        by order: Order, among places: some Sequence<Int>, after parts: [PartialResult],
        _ bytes: UnsafeBufferPointer<UInt8>
    ) -> Selection {
        let screen = TagScreen(policy, tags: tags.count)
        var refusals: [Refusal?] = []
        if explaining { refusals.reserveCapacity(tags.count) }
        let final = pass(places, by: order, bytes, screen, &refusals)
        let count = parts.isEmpty ? final.count : parts.reduce(0) { $0 + $1.count }
        var selection: Selection
        var leader: String?
        if screen.isExhausted || parts.contains(where: \.isExhausted) {
            selection = Selection(
                tag: nil, reason: "matching the policy's regular expression takes too many steps: write a simpler one")
        } else if let fatal = final.fatal {
            selection = Selection(
                tag: nil, reason: "'\(tags.tag(at: fatal.index))' makes the policy fail: \(policy.words(fatal.refusal))"
            )
        } else if let best = final.best {
            leader = tags.tag(at: best.index)
            let passedOver = unusable(by: order, bytes, betterThan: best.key)
            selection = Selection(
                tag: leader,
                reason: order.explanation(count: count) + (passedOver.map { " (passed over: \($0))" } ?? ""))
            if let current, current != leader {
                leader = compare(best.key, with: current, order, bytes, refusals, &selection)
            }
        } else {
            selection = Selection(
                tag: nil, reason: unusable(by: order, bytes) ?? noneMatches(order, bytes, screen))
        }
        if let note = policy.note { selection.reason += " (\(note))" }
        if explaining { selection.verdicts = verdicts(refusals, leader, selection) }
        return selection
    }

    /// Why there is no choice, with what to do about it.
    private func noneMatches<Order: TagOrder>(
        _ order: Order, _ bytes: UnsafeBufferPointer<UInt8>, _ screen: TagScreen
    ) -> String {
        var prereleases: [SemanticVersion] = []
        for index in 0..<tags.count {
            let tag = tag(index, bytes)
            guard case .refused(.order(.prerelease)) = judge(tag, index, by: order, screen),
                case .text(let text) = screen.extract(tag), let version = order.prerelease(text)
            else { continue }
            prereleases.append(version)
        }
        return order.noneMatches(of: tags.count) + (order.advice(on: prereleases).map { "; \($0)" } ?? "")
    }

    /// What is to be said of tags that the policy would take and whose images cannot be used.
    ///
    /// - Parameter key: what was chosen: a better one is told. Without it there was no choice.
    private func unusable<Order: TagOrder>(
        by order: Order, _ bytes: UnsafeBufferPointer<UInt8>, betterThan key: Order.Key? = nil
    ) -> String? {
        if tags.problems.isEmpty { return nil }
        let screen = TagScreen(policy, tags: tags.problems.count)
        var leader: (key: Order.Key, index: Int)?
        var count = 0
        for index in tags.problems.keys.sorted() {
            let tag = tag(index, bytes)
            guard screen.refusal(of: tag) == nil, case .text(let text) = screen.extract(tag),
                case .eligible(let candidate) = order.judge(text, index)
            else { continue }
            count += 1
            if let leader {
                if order.isBetter(leader.key, than: candidate) { continue }
                if !order.isBetter(candidate, than: leader.key),
                    !order.tie.prefers(tag, over: self.tag(leader.index, bytes))
                {
                    continue
                }
            }
            leader = (candidate, index)
            screen.keep()
        }
        guard let leader, let problem = tags.problems[leader.index] else { return nil }
        let name = tags.tag(at: leader.index)
        if let key { return order.isBetter(leader.key, than: key) ? "\(name): \(problem)" : nil }
        return "\(name) is \(order.explanation(count: count)), but its image cannot be used: \(problem)"
            + (count > 1 ? "; nor can the others" : "")
    }

    private enum Outcome<Key> {
        case eligible(Key)
        case refused(Refusal)
        case fatal(OrderRefusal)
    }

    @inline(__always)
    private func judge<Order: TagOrder>(
        _ tag: UnsafeBufferPointer<UInt8>, _ index: Int, by order: Order, _ screen: TagScreen
    ) -> Outcome<Order.Key> {
        if let refusal = screen.refusal(of: tag) { return .refused(refusal) }
        if !tags.problems.isEmpty, tags.problems[index] != nil { return .refused(.problem) }
        switch screen.extract(tag) {
        case .refused(let refusal): return .refused(refusal)
        case .text(let text):
            switch order.judge(text, index) {
            case .eligible(let key): return .eligible(key)
            case .refused(let refusal): return .refused(.order(refusal))
            case .fatal(let refusal): return .fatal(refusal)
            }
        }
    }

    /// Sees to it that the choice is no step back from the tag in use; says which tag is the best.
    private func compare<Order: TagOrder>(
        _ key: Order.Key, with current: String, _ order: Order, _ bytes: UnsafeBufferPointer<UInt8>,
        _ refusals: [Refusal?], _ selection: inout Selection
    ) -> String? {
        let leader = selection.tag
        let index = tags.index(of: current)
        // Its own screen: what is extracted from it lies in buffers of its own.
        let screen = TagScreen(policy)
        var tag = current
        return tag.withUTF8 { tag in
            // A tag that the filter does not want, since somebody changed the filter, has no place in the order.
            // Keel compares all the same, as its sources have it.
            if policy.dialect != .keel, TagScreen(policy).isUnwanted(tag) { return leader }
            let text = screen.text(of: tag)
            switch order.standing(of: tag, text: text, at: index) {
            case .incomparable:
                break
            case .unknown(let reason):
                if !allowDowngrade { selection = Selection(tag: nil, reason: reason) }
            case .known(let standing) where order.isBetter(standing, than: key):
                if allowDowngrade { break }
                selection = Selection(
                    tag: nil,
                    reason:
                        "\(leader ?? "") is \(selection.reason), but it would be a downgrade from \(printable(current))"
                )
            case .known(let standing) where order.keepsCurrentOnTie && !order.isBetter(key, than: standing):
                guard let index, case .eligible = judge(self.tag(index, bytes), index, by: order, screen) else { break }
                selection = Selection(tag: current, reason: selection.reason + "; none is better than it")
                return current
            case .known:
                break
            }
            return leader
        }
    }

    private func verdicts(_ refusals: [Refusal?], _ best: String?, _ selection: Selection) -> [Selection.Verdict] {
        refusals.enumerated().map { index, refusal in
            let tag = tags.tag(at: index)
            if let refusal {
                let words = tags.problems[index].flatMap { refusal == .problem ? $0 : nil } ?? policy.words(refusal)
                return Selection.Verdict(tag: tag, outcome: .refused, reason: words)
            }
            if tag == selection.tag {
                return Selection.Verdict(tag: tag, outcome: .selected, reason: selection.reason)
            }
            if tag == best || best == nil {
                return Selection.Verdict(tag: tag, outcome: .refused, reason: selection.reason)
            }
            return Selection.Verdict(
                tag: tag, outcome: .eligible, reason: "\(best ?? "another one") comes before it")
        }
    }
}

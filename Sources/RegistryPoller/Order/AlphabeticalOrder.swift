/// Texts in byte order: the last or the first one.
struct AlphabeticalOrder: TagOrder {
    let direction: ImagePolicy.Direction
    let dialect: PolicyDialect

    func judge(
        _ text: UnsafeBufferPointer<UInt8>, _ index: Int
    ) -> Judgement<UnsafeBufferPointer<UInt8>> { .eligible(text) }

    func isBetter(_ left: UnsafeBufferPointer<UInt8>, than right: UnsafeBufferPointer<UInt8>) -> Bool {
        direction == .ascending ? precedes(right, left) : precedes(left, right)
    }

    /// Two tags of which the same is extracted: the later one takes the earlier one's place in Flux v2.
    var tie: TieRule { dialect == .flux2 ? .greater : .smaller }

    /// A tag that the filters leave out has no place beside those that they let in.
    func standing(
        of tag: UnsafeBufferPointer<UInt8>, text: UnsafeBufferPointer<UInt8>?, at index: Int?
    ) -> Standing<UnsafeBufferPointer<UInt8>> { text.map { .known($0) } ?? .incomparable }

    func explanation(count: Int) -> String {
        "the \(direction == .ascending ? "last" : "first") of \(counted(count, "tag", "tags")) in alphabetical order"
    }

    func noneMatches(of count: Int) -> String { "none of \(counted(count, "tag", "tags")) may be used" }
}

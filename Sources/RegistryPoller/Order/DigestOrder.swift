import Text

/// One tag, whose image may change.
struct DigestOrder: TagOrder {
    let tag: String

    func judge(_ text: UnsafeBufferPointer<UInt8>, _ index: Int) -> Judgement<Void> {
        text.elementsEqual(tag.utf8) ? .eligible(()) : .refused(.otherTag)
    }

    func isBetter(_ left: Void, than right: Void) -> Bool { false }

    func standing(
        of tag: UnsafeBufferPointer<UInt8>, text: UnsafeBufferPointer<UInt8>?, at index: Int?
    ) -> Standing<Void> { .incomparable }

    func explanation(count: Int) -> String { "the tag that is followed by its digest" }

    func noneMatches(of count: Int) -> String { "there is no tag '\(printable(tag))' that may be used" }
}

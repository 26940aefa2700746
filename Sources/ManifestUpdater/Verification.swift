import YAML

extension ManifestUpdater {
    /// Proves that a changed file says what the original said, but for the changed values.
    ///
    /// - Parameter changes: the ranges of the changed scalars in the original, with their new values.
    static func verify(
        _ result: [UInt8], against original: [YAMLDocument], changes: [Range<Int>: String], file: String
    ) throws(UpdateError) {
        let documents: [YAMLDocument]
        do {
            documents = try YAMLStream.parse(result, file: file)
        } catch {
            throw UpdateError(
                .verification, "the changed file would not be YAML", place: error.place, cause: error.summary)
        }
        var comparison = Comparison(changes: changes)
        guard documents.count == original.count else { throw failure("another number of documents", file) }
        for (old, new) in zip(original, documents) {
            switch (old.root, new.root) {
            case (nil, nil): break
            case (let old?, let new?): try comparison.compare(old, new, file)
            default: throw failure("a document came or went", file)
            }
        }
        guard comparison.seen == changes.count else { throw failure("a value that was to change is missing", file) }
    }

    private static func failure(_ cause: String, _ file: String) -> UpdateError {
        UpdateError(
            .verification, "the change would alter more than the values", place: file, cause: cause,
            hint: "the file was left as it is; please report its shape")
    }

    private struct Comparison {
        let changes: [Range<Int>: String]
        var seen = 0

        mutating func compare(_ old: YAMLNode, _ new: YAMLNode, _ file: String) throws(UpdateError) {
            guard old.tag == new.tag, old.anchor == new.anchor else {
                throw ManifestUpdater.failure("a tag or an anchor differs", file)
            }
            switch (old.content, new.content) {
            case (.scalar(let oldText, let oldStyle), .scalar(let newText, let newStyle)):
                if let wanted = changes[old.range] {
                    seen += 1
                    // The line breaks at the end of a block text belong to its form.
                    let tail = oldStyle.isBlock ? oldText.reversed().prefix { $0 == "\n" }.count : 0
                    let isSameStyle = oldStyle == newStyle || oldStyle == .plain && newStyle == .doubleQuoted
                    guard newText == wanted + String(repeating: "\n", count: tail), isSameStyle,
                        newStyle != .plain || new.tag != nil || PlainScalar.isString(newText)
                    else { throw ManifestUpdater.failure("the new value reads '\(newText.prefix(80))'", file) }
                } else if oldText != newText || oldStyle != newStyle || old.range.count != new.range.count {
                    throw ManifestUpdater.failure("another value differs", file)
                }
            case (.alias(let oldTarget), .alias(let newTarget)):
                // The anchors themselves are compared where they stand; here only that the alias means the same one.
                guard oldTarget.anchor == newTarget.anchor else {
                    throw ManifestUpdater.failure("an alias means another anchor", file)
                }
            case (.sequence(let oldItems, let oldFlow), .sequence(let newItems, let newFlow)):
                guard oldItems.count == newItems.count, oldFlow == newFlow else {
                    throw ManifestUpdater.failure("a list differs", file)
                }
                for (old, new) in zip(oldItems, newItems) { try compare(old, new, file) }
            case (.mapping(let oldPairs, let oldFlow), .mapping(let newPairs, let newFlow)):
                guard oldPairs.count == newPairs.count, oldFlow == newFlow else {
                    throw ManifestUpdater.failure("a mapping differs", file)
                }
                for (old, new) in zip(oldPairs, newPairs) {
                    try compare(old.key, new.key, file)
                    try compare(old.value, new.value, file)
                }
            default: throw ManifestUpdater.failure("a node is of another kind", file)
            }
        }
    }
}

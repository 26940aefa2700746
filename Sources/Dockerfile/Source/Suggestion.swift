/// The word that was probably meant.
enum Suggestion {
    /// The nearest option within two edits.
    static func nearest(to word: String, among options: some Sequence<String>, ignoringCase: Bool = false) -> String? {
        guard word.utf8.count <= 64 else { return nil }
        let wanted = Array((ignoringCase ? word.lowercased() : word).unicodeScalars)
        var best: (distance: Int, option: String)?
        for option in options {
            let candidate = Array((ignoringCase ? option.lowercased() : option).unicodeScalars)
            if candidate == wanted { return nil }
            guard candidate.count <= 64, abs(candidate.count - wanted.count) <= 2 else { continue }
            let distance = distance(wanted, candidate)
            guard distance < (best?.distance ?? 3) else { continue }
            best = (distance, option)
        }
        guard let best, best.distance < max(1, wanted.count) else { return nil }
        return best.option
    }

    /// `did you mean X?` for an error's hint.
    static func hint(
        for word: String, among options: some Sequence<String>, ignoringCase: Bool = false, prefix: String = ""
    ) -> String? {
        nearest(to: word, among: options, ignoringCase: ignoringCase).map { "did you mean \(prefix)\($0)?" }
    }

    private static func distance(_ left: [Unicode.Scalar], _ right: [Unicode.Scalar]) -> Int {
        var previous = Array(0...right.count)
        for (row, scalar) in left.enumerated() {
            var current = [row + 1]
            for column in right.indices {
                let substitution = previous[column] + (scalar == right[column] ? 0 : 1)
                current.append(min(substitution, previous[column + 1] + 1, current[column] + 1))
            }
            previous = current
        }
        return previous[right.count]
    }
}

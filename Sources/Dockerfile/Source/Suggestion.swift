/// The word that was probably meant.
enum Suggestion {
    /// How many options are looked at: a file may define as many names as it likes.
    static let optionLimit = 300

    /// The nearest option within two edits.
    static func nearest(to word: String, among options: some Sequence<String>, ignoringCase: Bool = false) -> String? {
        guard word.utf8.count <= 64 else { return nil }
        let wanted = Array((ignoringCase ? word.lowercased() : word).unicodeScalars)
        var best: (distance: Int, option: String)?
        for option in options.prefix(optionLimit) {
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

    /// Insertions, deletions, substitutions and swaps of neighbours.
    private static func distance(_ left: [Unicode.Scalar], _ right: [Unicode.Scalar]) -> Int {
        var rows = [Array(0...right.count)]
        for row in left.indices {
            var current = [row + 1]
            for column in right.indices {
                let substitution = rows[row][column] + (left[row] == right[column] ? 0 : 1)
                var best = min(substitution, rows[row][column + 1] + 1, current[column] + 1)
                if row > 0, column > 0, left[row] == right[column - 1], left[row - 1] == right[column] {
                    best = min(best, rows[row - 1][column - 1] + 1)
                }
                current.append(best)
            }
            rows.append(current)
        }
        return rows[left.count][right.count]
    }
}

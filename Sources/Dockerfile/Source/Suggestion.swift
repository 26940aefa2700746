import Diagnostics

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
            let distance = editDistance(wanted, candidate)
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
}

import Diagnostics

/// The word of a list that a mistyped one was probably meant to be.
package func suggestion(for word: String, among words: some Sequence<String>) -> String? {
    let typed = Array(word.lowercased().utf8)
    var best: (distance: Int, word: String)?
    // Long words are not compared.
    for candidate in words where typed.count <= 64 && candidate.utf8.count <= 64 {
        let distance = editDistance(typed, Array(candidate.lowercased().utf8))
        let allowed = max(1, min(typed.count, candidate.utf8.count) / 3)
        if distance <= allowed, distance < best?.distance ?? .max { best = (distance, candidate) }
    }
    return best?.word
}

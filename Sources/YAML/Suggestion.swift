/// The word of a list that a mistyped one was probably meant to be.
package func suggestion(for word: String, among words: some Sequence<String>) -> String? {
    let typed = Array(word.lowercased().utf8)
    var best: (distance: Int, word: String)?
    for candidate in words {
        let distance = editDistance(typed, Array(candidate.lowercased().utf8))
        let allowed = max(1, min(typed.count, candidate.utf8.count) / 3)
        if distance <= allowed, distance < best?.distance ?? .max { best = (distance, candidate) }
    }
    return best?.word
}

/// Insertions, deletions, substitutions and swaps of neighbours; long words are not compared.
private func editDistance(_ a: [UInt8], _ b: [UInt8]) -> Int {
    if a.count > 64 || b.count > 64 { return .max }
    var beforePrevious = [Int](repeating: 0, count: b.count + 1)
    var previous = Array(0...b.count)
    for i in 0..<a.count {
        var current = [i + 1] + [Int](repeating: 0, count: b.count)
        for j in 0..<b.count {
            current[j + 1] = min(
                previous[j] + (a[i] == b[j] ? 0 : 1), previous[j + 1] + 1, current[j] + 1)
            if i > 0, j > 0, a[i] == b[j - 1], a[i - 1] == b[j] {
                current[j + 1] = min(current[j + 1], beforePrevious[j - 1] + 1)
            }
        }
        (beforePrevious, previous) = (previous, current)
    }
    return previous[b.count]
}

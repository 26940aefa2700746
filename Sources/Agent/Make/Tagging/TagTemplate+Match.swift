extension TagTemplate {
    /// What a tag that the template may have given says.
    struct Match: Hashable, Sendable {
        /// The build number, where the template has one.
        let number: Int?
    }

    /// Whether the template gives a tag, for some time and some number.
    ///
    /// - Parameter commit: the commit that the image was made from; `nil`: any.
    func match(_ tag: String, branch: String, commit: String?) -> Match? {
        let matcher = Matcher(branch: Array(Self.sanitized(branch).utf8), commit: commit.map { Array($0.utf8) })
        return matcher.match(parts[...], Array(tag.utf8)[...])
    }

    private struct Matcher {
        let branch: [UInt8]
        let commit: [UInt8]?

        func match(_ parts: ArraySlice<Part>, _ tag: ArraySlice<UInt8>) -> Match? {
            guard let part = parts.first else { return tag.isEmpty ? Match(number: nil) : nil }
            let rest = parts.dropFirst()
            switch part {
            case .text(let text): return match(rest, tag, after: Array(text.utf8))
            case .branch: return match(rest, tag, after: branch)
            case .commit:
                if let commit { return match(rest, tag, after: commit) }
                return match(rest, tag, after: 40, Self.isHexadecimal)
                    ?? match(rest, tag, after: 64, Self.isHexadecimal)
            case .shortCommit:
                if let commit { return match(rest, tag, after: Array(commit.prefix(7))) }
                return match(rest, tag, after: 7, Self.isHexadecimal)
            case .commitTime: return match(rest, tag, after: 14, Self.isDigit)
            case .commitDate: return match(rest, tag, after: 8, Self.isDigit)
            case .buildNumber:
                // Digits may follow on the number's: the longest number that fits.
                for count in (1...9).reversed() where match(rest, tag, after: count, Self.isDigit) != nil {
                    return Match(number: Int(String(decoding: tag.prefix(count), as: UTF8.self)))
                }
                return nil
            }
        }

        private func match(_ parts: ArraySlice<Part>, _ tag: ArraySlice<UInt8>, after text: [UInt8]) -> Match? {
            tag.starts(with: text) ? match(parts, tag.dropFirst(text.count)) : nil
        }

        private func match(
            _ parts: ArraySlice<Part>, _ tag: ArraySlice<UInt8>, after count: Int, _ isPart: (UInt8) -> Bool
        ) -> Match? {
            guard tag.count >= count, tag.prefix(count).allSatisfy(isPart) else { return nil }
            return match(parts, tag.dropFirst(count))
        }

        private static func isDigit(_ byte: UInt8) -> Bool { (0x30...0x39).contains(byte) }

        private static func isHexadecimal(_ byte: UInt8) -> Bool { isDigit(byte) || (0x61...0x66).contains(byte) }
    }
}

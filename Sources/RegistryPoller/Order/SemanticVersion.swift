/// A version as Masterminds' loose reading takes it: `v` in front, missing minor and patch, and zeros in front of
/// numbers are allowed.
///
///     version    := ["v"] number ["." number ["." number]] ["-" identifiers] ["+" identifiers]
///     identifier := [0-9A-Za-z-]+                 identifiers are joined by "."
///
/// A number above 2^64 - 1 is refused, and so is a pre-release identifier of digits that begins with zero.
///
/// https://github.com/Masterminds/semver/blob/v3.4.0/version.go
package struct SemanticVersion: Hashable, Comparable, Sendable, CustomStringConvertible {
    package let major: UInt64
    package let minor: UInt64
    package let patch: UInt64
    /// Identifiers joined by dots; empty for a release.
    package let prerelease: String
    /// How many numbers the text had: 1 to 3.
    package let parts: Int

    /// Why a text is no version.
    package enum Problem: Error, Sendable, CustomStringConvertible {
        case notAVersion
        case numberTooLarge
        case leadingZero

        package var description: String {
            switch self {
            case .notAVersion: "not a version"
            case .numberTooLarge: "a number is too large"
            case .leadingZero: "a pre-release number begins with zero"
            }
        }
    }

    init(_ major: UInt64, _ minor: UInt64, _ patch: UInt64, prerelease: String = "", parts: Int = 3) {
        self.major = major
        self.minor = minor
        self.patch = patch
        self.prerelease = prerelease
        self.parts = parts
    }

    package init(loose text: String, allowsLeadingZeros: Bool = false) throws(Problem) {
        var text = text
        let result = text.withUTF8 { bytes -> Result<SemanticVersion, Problem> in
            Result { () throws(Problem) in try Self.parse(bytes, allowsLeadingZeros) }
        }
        self = try result.get()
    }

    /// - Parameter allowsLeadingZeros: in numbers of pre-releases, as Masterminds' first version had it.
    init(loose bytes: UnsafeBufferPointer<UInt8>, allowsLeadingZeros: Bool = false) throws(Problem) {
        self = try Self.parse(bytes, allowsLeadingZeros)
    }

    /// What the tag in use says, to compare with: two parts at least, for a short commit id may be all digits. `nil` for what
    /// is no version.
    package init?(running text: String) {
        var text = text
        guard let version = text.withUTF8({ SemanticVersion(running: $0) }) else { return nil }
        self = version
    }

    init?(running bytes: UnsafeBufferPointer<UInt8>, allowsLeadingZeros: Bool = false) {
        guard let version = try? Self.parse(bytes, allowsLeadingZeros), version.parts > 1 else { return nil }
        self = version
    }

    private static func parse(
        _ bytes: UnsafeBufferPointer<UInt8>, _ allowsLeadingZeros: Bool
    ) throws(Problem) -> SemanticVersion {
        var scanner = VersionScanner(bytes: bytes)
        scanner.skip(UInt8(ascii: "v"))
        var numbers: (UInt64, UInt64, UInt64) = (try scanner.number(), 0, 0)
        var parts = 1
        if scanner.skip(UInt8(ascii: ".")) {
            numbers.1 = try scanner.number()
            parts = 2
            if scanner.skip(UInt8(ascii: ".")) {
                numbers.2 = try scanner.number()
                parts = 3
            }
        }
        let prerelease = try scanner.suffix(UInt8(ascii: "-"), refusesLeadingZeros: !allowsLeadingZeros)
        _ = try scanner.suffix(UInt8(ascii: "+"), refusesLeadingZeros: false)
        guard scanner.isAtEnd else { throw .notAVersion }
        return SemanticVersion(numbers.0, numbers.1, numbers.2, prerelease: prerelease, parts: parts)
    }

    package var isPrerelease: Bool { !prerelease.isEmpty }

    /// The release that a pre-release comes before.
    var release: SemanticVersion { SemanticVersion(major, minor, patch, parts: parts) }

    package var description: String {
        "\(major).\(minor).\(patch)" + (prerelease.isEmpty ? "" : "-\(prerelease)")
    }

    /// Precedence: https://semver.org/#spec-item-11. `1.2` and `1.2.0` are the same version.
    package static func == (left: SemanticVersion, right: SemanticVersion) -> Bool {
        left.major == right.major && left.minor == right.minor && left.patch == right.patch
            && left.prerelease == right.prerelease
    }

    package func hash(into hasher: inout Hasher) {
        hasher.combine(major)
        hasher.combine(minor)
        hasher.combine(patch)
        hasher.combine(prerelease)
    }

    package static func < (left: SemanticVersion, right: SemanticVersion) -> Bool {
        if left.major != right.major { return left.major < right.major }
        if left.minor != right.minor { return left.minor < right.minor }
        if left.patch != right.patch { return left.patch < right.patch }
        return Self.isPrerelease(left.prerelease, before: right.prerelease)
    }

    /// A release comes after all of its pre-releases; identifiers of digits come before others and compare as numbers.
    private static func isPrerelease(_ left: String, before right: String) -> Bool {
        if left == right || left.isEmpty { return false }
        if right.isEmpty { return true }
        let dot = UInt8(ascii: ".")
        var rights = right.utf8.split(separator: dot).makeIterator()
        for a in left.utf8.split(separator: dot) {
            guard let b = rights.next() else { return false }
            if a.elementsEqual(b) { continue }
            switch (a.allSatisfy(isDigit), b.allSatisfy(isDigit)) {
            // No zeros in front: the longer number is the larger one.
            case (true, true): return a.count != b.count ? a.count < b.count : a.lexicographicallyPrecedes(b)
            case (true, false): return true
            case (false, true): return false
            case (false, false): return a.lexicographicallyPrecedes(b)
            }
        }
        return rights.next() != nil
    }
}

func isDigit(_ byte: UInt8) -> Bool { byte &- UInt8(ascii: "0") < 10 }

/// Reads the pieces that versions and ranges share.
struct VersionScanner {
    let bytes: UnsafeBufferPointer<UInt8>
    var position = 0

    init(bytes: UnsafeBufferPointer<UInt8>) { self.bytes = bytes }

    var isAtEnd: Bool { position == bytes.count }
    var next: UInt8? { position < bytes.count ? bytes[position] : nil }

    @discardableResult
    mutating func skip(_ byte: UInt8) -> Bool {
        guard next == byte else { return false }
        position += 1
        return true
    }

    /// Skips white space as Go's `\s` has it; says whether there was any.
    @discardableResult
    mutating func skipBlanks() -> Bool {
        let start = position
        while let byte = next, byte == 0x20 || byte == 0x09 || byte == 0x0A || byte == 0x0C || byte == 0x0D {
            position += 1
        }
        return position > start
    }

    mutating func number() throws(SemanticVersion.Problem) -> UInt64 {
        let start = position
        var value: UInt64 = 0
        while let byte = next, isDigit(byte) {
            let (product, overflow) = value.multipliedReportingOverflow(by: 10)
            let (sum, carry) = product.addingReportingOverflow(UInt64(byte - UInt8(ascii: "0")))
            if overflow || carry { throw .numberTooLarge }
            value = sum
            position += 1
        }
        if position == start { throw .notAVersion }
        return value
    }

    /// What follows `mark`: identifiers joined by dots; empty when the mark is not there.
    mutating func suffix(
        _ mark: UInt8, refusesLeadingZeros: Bool
    ) throws(SemanticVersion.Problem) -> String {
        guard skip(mark) else { return "" }
        let start = position
        while true {
            let identifier = position
            var digits = true
            while let byte = next, isIdentifier(byte) {
                if !isDigit(byte) { digits = false }
                position += 1
            }
            if position == identifier { throw .notAVersion }
            if refusesLeadingZeros, digits, position - identifier > 1, bytes[identifier] == UInt8(ascii: "0") {
                throw .leadingZero
            }
            if !skip(UInt8(ascii: ".")) { break }
        }
        return String(decoding: bytes[start..<position], as: UTF8.self)
    }

    private func isIdentifier(_ byte: UInt8) -> Bool {
        isDigit(byte) || byte == UInt8(ascii: "-") || (byte | 0x20) &- UInt8(ascii: "a") < 26
    }
}

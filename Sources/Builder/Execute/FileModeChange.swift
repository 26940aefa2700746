/// The value of `--chmod`: an octal mode, or changes as chmod(1) knows them.
enum FileModeChange: Sendable, Equatable {
    case octal(UInt32)
    case symbolic([Clause])

    struct Clause: Sendable, Equatable {
        var who: UInt32
        var operation: UInt8
        var permissions: [UInt8]
    }

    /// - Returns: `nil` when the text is neither.
    init?(_ text: String) {
        let bytes = Array(text.utf8)
        if !bytes.isEmpty, bytes.allSatisfy({ (0x30...0x37).contains($0) }) {
            guard let mode = UInt32(text, radix: 8), mode <= 0o7777 else { return nil }
            self = .octal(mode)
            return
        }
        var clauses: [Clause] = []
        for part in bytes.split(separator: UInt8(ascii: ","), omittingEmptySubsequences: false) {
            guard let parsed = Self.clauses(Array(part)) else { return nil }
            clauses += parsed
        }
        guard !clauses.isEmpty else { return nil }
        self = .symbolic(clauses)
    }

    /// `[ugoa]*([-+=]([rwxXst]*|[ugo]))+`
    private static func clauses(_ text: [UInt8]) -> [Clause]? {
        var index = 0
        var who: UInt32 = 0
        scan: while index < text.count {
            switch text[index] {
            case UInt8(ascii: "u"): who |= 0o4700
            case UInt8(ascii: "g"): who |= 0o2070
            case UInt8(ascii: "o"): who |= 0o1007
            case UInt8(ascii: "a"): who |= 0o7777
            default: break scan
            }
            index += 1
        }
        if who == 0 { who = 0o7777 }
        var found: [Clause] = []
        while index < text.count {
            let operation = text[index]
            guard [UInt8(ascii: "+"), UInt8(ascii: "-"), UInt8(ascii: "=")].contains(operation) else { return nil }
            index += 1
            var permissions: [UInt8] = []
            while index < text.count, "rwxXstugo".utf8.contains(text[index]) {
                permissions.append(text[index])
                index += 1
            }
            let copies = permissions.contains { "ugo".utf8.contains($0) }
            if copies && permissions.count != 1 { return nil }
            found.append(Clause(who: who, operation: operation, permissions: permissions))
        }
        return found.isEmpty ? nil : found
    }

    func applied(to mode: UInt32, isDirectory: Bool) -> UInt32 {
        switch self {
        case .octal(let bits): bits
        case .symbolic(let clauses): clauses.reduce(mode) { $1.applied(to: $0, isDirectory: isDirectory) }
        }
    }
}

extension FileModeChange.Clause {
    fileprivate func applied(to mode: UInt32, isDirectory: Bool) -> UInt32 {
        var bits: UInt32 = 0
        for permission in permissions {
            switch permission {
            case UInt8(ascii: "r"): bits |= 0o444
            case UInt8(ascii: "w"): bits |= 0o222
            case UInt8(ascii: "x"): bits |= 0o111
            case UInt8(ascii: "X"): if isDirectory || mode & 0o111 != 0 { bits |= 0o111 }
            case UInt8(ascii: "s"): bits |= 0o6000
            case UInt8(ascii: "t"): bits |= 0o1000
            case UInt8(ascii: "u"): bits |= Self.spread((mode >> 6) & 7)
            case UInt8(ascii: "g"): bits |= Self.spread((mode >> 3) & 7)
            default: bits |= Self.spread(mode & 7)
            }
        }
        bits &= who
        switch operation {
        case UInt8(ascii: "+"): return mode | bits
        case UInt8(ascii: "-"): return mode & ~bits
        default: return (mode & ~who) | bits
        }
    }

    private static func spread(_ bits: UInt32) -> UInt32 { bits << 6 | bits << 3 | bits }
}
